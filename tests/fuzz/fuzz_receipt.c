/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_receipt.c - any bytes as a receipt: refused with a message; sealed with our key, whatever
 * they say: opened within their bounds, or refused. And what we seal opens as itself. */
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "server/receipt.h"
#include "tests/fuzz/fuzz.h"

#define BASE64 sodium_base64_VARIANT_URLSAFE_NO_PADDING

static const struct receipt_key key = {{7}};

static void require(int ok)
{
	if (!ok)
		abort();
}

static void check_receipt(const struct receipt *r)
{
	volatile float sink; /* all are read */

	require(strlen(r->user) < RECEIPT_MAX && strlen(r->context) < RECEIPT_MAX &&
		strlen(r->model_id) < RECEIPT_MAX);
	for (size_t k = 0; k < r->n_heads; k++)
		sink = r->logits[k];
	for (size_t i = 0; i < r->n_responses * r->n_heads; i++)
		sink = r->reward[i];
	(void)sink;
}

static void try_token(const char *token, size_t len)
{
	struct arena arena = {0};
	struct err err = {.msg = ""};
	struct receipt receipt;
	enum status status = receipt_open(token, len, &key, &arena, &receipt, &err);

	if (status == STATUS_OK)
		check_receipt(&receipt);
	else
		require(err.code == status && err.msg[0] != '\0' &&
			(status == STATUS_RECEIPT_MALFORMED || status == STATUS_RECEIPT_TRUNCATED ||
			 status == STATUS_RECEIPT_FORGED));
	arena_free(&arena);
}

/* The bytes as a payload that our own key vouches for. */
static void try_payload(const uint8_t *bytes, size_t len)
{
	size_t n = 5 + len + crypto_auth_hmacsha256_BYTES;
	size_t n_token = sodium_base64_ENCODED_LEN(n, BASE64);
	unsigned char *sealed = mem_array(n, 1);
	char *token = mem_array(n_token, 1);

	require(sealed != NULL && token != NULL);
	sealed[0] = 1;
	for (size_t i = 0; i < 4; i++)
		sealed[1 + i] = (unsigned char)(len >> (8 * i));
	if (len > 0)
		memcpy(sealed + 5, bytes, len);
	crypto_auth_hmacsha256(sealed + 5 + len, sealed, 5 + len, key.bytes);
	sodium_bin2base64(token, n_token, sealed, n, BASE64);
	try_token(token, n_token - 1);
	mem_free(token);
	mem_free(sealed);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	try_token((const char *)bytes, len);
	try_payload(bytes, len);
	return 0;
}
