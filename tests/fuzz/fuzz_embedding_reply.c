/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_embedding_reply.c - any bytes as the answer of an embedding server: every number that is
 * given out is finite, everything else is refused with a message. The first two bytes say how many
 * texts were asked for, of which dimension. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <unistr.h>

#include "core/base/mem.h"
#include "core/encode/embedding_api.h"
#include "tests/fuzz/fuzz.h"

#define MAX_TEXTS 8
#define MAX_DIM	  8
#define GUARD	  1234.5f
#define N_MESSAGE 40

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void try_reply(enum embedding_api api, const char *body, size_t len, size_t n_texts,
		      size_t dim)
{
	float rows[MAX_TEXTS * MAX_DIM + 1];
	struct err err = {.msg = ""};
	enum status status;

	rows[n_texts * dim] = GUARD;
	status = embedding_reply_read(api, body, len, n_texts, dim, rows, &err);
	require(rows[n_texts * dim] == GUARD);
	if (status != STATUS_OK) {
		require(status == STATUS_ENCODER_FAULT && err.code == status && err.msg[0] != '\0');
		return;
	}
	for (size_t i = 0; i < n_texts; i++) {
		bool is_zero = true;

		for (size_t d = 0; d < dim; d++) {
			require(isfinite(rows[i * dim + d]));
			is_zero &= rows[i * dim + d] == 0;
		}
		require(!is_zero);
	}
}

static void try_complaint(const char *body, size_t len)
{
	char message[N_MESSAGE];

	embedding_reply_complaint(body, len, message, sizeof(message));
	require(strlen(message) < sizeof(message));
	require(u8_check((const uint8_t *)message, strlen(message)) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	size_t n_texts, dim;
	char *body;

	if (len < 2)
		return 0;
	body = mem_string((const char *)bytes + 2,
			  len - 2); /* exact, so that a sanitizer sees its end */
	require(body != NULL);
	n_texts = 1 + bytes[0] % MAX_TEXTS;
	dim = 1 + bytes[1] % MAX_DIM;
	try_reply(EMBEDDING_API_OPENAI, body, len - 2, n_texts, dim);
	try_reply(EMBEDDING_API_TEI, body, len - 2, n_texts, dim);
	try_complaint(body, len - 2);
	mem_free(body);
	return 0;
}
