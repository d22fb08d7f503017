/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_encoder.c - any bytes: refused as no UTF-8, or a row that only its words decide. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <uninorm.h>
#include <unistr.h>

#include "core/encode/encoder.h"
#include "tests/fuzz/fuzz.h"

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void check_row(struct feature_row row)
{
	double square = 0;

	for (size_t i = 0; i < row.n_values; i++) {
		require(row.index[i] < row.dim && (i == 0 || row.index[i] > row.index[i - 1]));
		require(isfinite(row.value[i]) && row.value[i] != 0);
		square += (double)row.value[i] * (double)row.value[i];
	}
	require(row.n_values == 0 || fabs(square - 1) <= 1e-5);
}

static void check_equal(struct feature_row a, struct feature_row b)
{
	require(a.n_values == b.n_values);
	require(memcmp(a.index, b.index, a.n_values * sizeof(*a.index)) == 0);
	require(memcmp(a.value, b.value, a.n_values * sizeof(*a.value)) == 0);
}

/* The same text, decomposed: a new array. */
static uint8_t *decompose(const uint8_t *bytes, size_t len, size_t *len_out)
{
	uint8_t *out = u8_normalize(UNINORM_NFD, bytes, len, NULL, len_out);

	require(out != NULL || len == 0);
	return out;
}

static void check_text(const struct encoder *encoder, const uint8_t *bytes, size_t len)
{
	struct text texts[2] = {{(const char *)bytes, len}};
	uint8_t *decomposed = decompose(bytes, len, &texts[1].len);
	struct features rows;

	texts[1].bytes = (const char *)decomposed;
	features_init(&rows, encoder_dim(encoder), true);
	require(encoder_encode(encoder, texts, 2, &rows, NULL) == STATUS_OK);
	require(rows.n_rows == 2);
	check_row(features_row(&rows, 0));
	check_equal(features_row(&rows, 0), features_row(&rows, 1));
	features_free(&rows);
	free(decomposed);
}

static void check_refusal(const struct encoder *encoder, const uint8_t *bytes, size_t len)
{
	const struct text text = {(const char *)bytes, len};
	struct features rows;
	struct err err = {.msg = ""};

	features_init(&rows, encoder_dim(encoder), true);
	require(encoder_encode(encoder, &text, 1, &rows, &err) == STATUS_MALFORMED);
	require(rows.n_rows == 0 && err.msg[0] != '\0');
	features_free(&rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const char *const specs[] = {"hash:3", "hash:4096"};

	for (size_t i = 0; i < sizeof(specs) / sizeof(*specs); i++) {
		struct encoder *encoder;

		require(encoder_open(specs[i], &encoder, NULL) == STATUS_OK);
		if (u8_check(bytes, len) == NULL)
			check_text(encoder, bytes, len);
		else
			check_refusal(encoder, bytes, len);
		encoder_close(encoder);
	}
	return 0;
}
