/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/base/base64.h"
#include "core/base/base64_impl.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "tests/unit/core/golden_fixture.h"
#include "tests/unit/unit.h"

#define MAX_FLOATS 64
#define MAX_TEXT   400

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

START_TEST(base64_agrees_with_the_reference)
{
	json_t *golden = golden_open(TESTS_DIR "/golden/encoder.json");
	const json_t *cases = golden_get(golden, "base64");

	ck_assert_uint_gt(json_array_size(cases), 0);
	for (size_t i = 0; i < json_array_size(cases); i++) {
		const json_t *item = json_array_get(cases, i);
		const char *want = json_string_value(golden_get(item, "base64"));
		size_t n = golden_rows(item, "numbers");
		float numbers[MAX_FLOATS], decoded[MAX_FLOATS];
		char *text;

		golden_floats(golden_get(item, "numbers"), numbers, n);
		text = base64_encode_floats(numbers, n);
		ck_assert_str_eq(text, want);
		ck_assert_int_eq(base64_decode_floats(text, strlen(text), n, decoded, NULL),
				 STATUS_OK);
		ck_assert_msg(memcmp(numbers, decoded, n * sizeof(float)) == 0, "case %zu", i);
		mem_free(text);
	}
	json_decref(golden);
}
END_TEST

START_TEST(encode_of_nothing_is_the_empty_text)
{
	char *text = base64_encode_floats(NULL, 0);

	ck_assert_str_eq(text, "");
	mem_free(text);
}
END_TEST

START_TEST(encode_refuses_a_size_that_overflows)
{
	static const size_t sizes[] = {SIZE_MAX, SIZE_MAX / 4, SIZE_MAX / 8 + 1};
	const float x = 0;

	for (size_t i = 0; i < LENGTH(sizes); i++)
		ck_assert_msg(base64_encode_floats(&x, sizes[i]) == NULL, "case %zu", i);
}
END_TEST

START_TEST(decode_refuses)
{
	static const struct {
		const char *text;
		size_t dim;
		enum status status;
		const char *message;
	} cases[] = {
	    {"", 1, STATUS_WRONG_DIMENSION, "vector of 0 numbers, want 1"},
	    {"AACAPw==", 2, STATUS_WRONG_DIMENSION, "vector of 1 numbers, want 2"},
	    {"AACAPwAAgD8=", 1, STATUS_WRONG_DIMENSION, "vector of 2 numbers, want 1"},
	    {"AAAA", 1, STATUS_WRONG_DIMENSION, "base64 of 3 bytes, want 1 numbers of 4 bytes"},
	    {"AACAPw=", 1, STATUS_INVALID_BASE64,
	     "base64 of 7 characters, want a multiple of 4 (with padding)"},
	    {"AACAPw", 1, STATUS_INVALID_BASE64,
	     "base64 of 6 characters, want a multiple of 4 (with padding)"},
	    {"AA-APw==", 1, STATUS_INVALID_BASE64, "character 2 (byte 0x2d) is not base64"},
	    {"AACAP.==", 1, STATUS_INVALID_BASE64, "character 5 (byte 0x2e) is not base64"},
	    {"AAC=Pw==", 1, STATUS_INVALID_BASE64, "character 3 (byte 0x3d) is not base64"},
	    {"AACAP===", 1, STATUS_INVALID_BASE64, "character 5 (byte 0x3d) is not base64"},
	    {"====", 1, STATUS_INVALID_BASE64, "character 0 (byte 0x3d) is not base64"},
	    {"hello, world", 1, STATUS_INVALID_BASE64, "character 5 (byte 0x2c) is not base64"},
	    {"AACAPx==", 1, STATUS_INVALID_BASE64,
	     "character 5, the last before the padding, has stray bits"},
	    {"AACAPwAAgD9=", 2, STATUS_INVALID_BASE64,
	     "character 10, the last before the padding, has stray bits"},
	    {"AADAfw==", 1, STATUS_NOT_FINITE, "number 0 of the vector is not finite"},
	    {"AACAPwAAgP8=", 2, STATUS_NOT_FINITE, "number 1 of the vector is not finite"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		float out[2];
		struct err err;
		enum status status = base64_decode_floats(cases[i].text, strlen(cases[i].text),
							  cases[i].dim, out, &err);

		ck_assert_msg(status == cases[i].status, "case %zu: %s", i, status_code(status));
		ck_assert_msg(strcmp(err.msg, cases[i].message) == 0, "case %zu: \"%s\"", i,
			      err.msg);
	}
}
END_TEST

/* Each byte in each place of a group: of the alphabet, or refused by its place. */
START_TEST(decode_knows_every_byte_in_every_place)
{
	for (int place = 0; place < 15; place++) {
		for (int byte = 0; byte < 256; byte++) {
			char text[] = "AAAAAAAAAAAAAAAA"; /* three numbers */
			const char *found = byte == 0 ? NULL : strchr(alphabet, byte);
			float out[3];
			unsigned char got[sizeof(out)];
			unsigned bits = 0;

			text[place] = (char)byte;
			if (base64_decode_floats(text, 16, 3, out, NULL) != STATUS_OK) {
				ck_assert_msg(found == NULL, "byte %d at %d", byte, place);
				continue;
			}
			ck_assert_msg(found != NULL, "byte %d at %d", byte, place);
			memcpy(got, out, sizeof(got));
			for (int i = place / 4 * 3; i < place / 4 * 3 + 3; i++)
				bits = bits << 8 | got[i];
			ck_assert_uint_eq(bits, (unsigned)(found - alphabet)
						    << (6 * (3 - place % 4)));
		}
	}
}
END_TEST

/* The blocks of the wide decoder, then the rest as base64.c takes it. */
static bool decode_both_ways(const char *text, size_t n, unsigned char *out)
{
	bool valid;
	size_t n_wide = base64_decode_avx2(text, n, out, &valid);

	ck_assert_msg(n_wide <= n && n_wide % 4 == 0, "%zu of %zu", n_wide, n);
	return base64_decode_portable(text + n_wide, n - n_wide, out + n_wide / 4 * 3) && valid;
}

static void random_text(struct rng *rng, char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		text[i] = alphabet[rng_below(rng, 64)];
}

START_TEST(wide_decoder_is_the_portable_one)
{
	struct rng rng;

	rng_init(&rng, 1);
	for (size_t n = 0; n <= MAX_TEXT; n += 4) {
		/* as long as the bytes are: a sanitizer sees a write past them */
		unsigned char *got = mem_array(n / 4 * 3, 1), want[MAX_TEXT];
		char text[MAX_TEXT];

		random_text(&rng, text, n);
		ck_assert(base64_decode_portable(text, n, want));
		ck_assert(decode_both_ways(text, n, got));
		ck_assert_msg(memcmp(got, want, n / 4 * 3) == 0, "%zu characters", n);
		mem_free(got);
	}
}
END_TEST

START_TEST(wide_decoder_refuses_every_byte_that_is_none)
{
	char text[128];
	unsigned char out[96];
	struct rng rng;

	rng_init(&rng, 2);
	random_text(&rng, text, sizeof(text));
	for (size_t place = 0; place < sizeof(text); place++) {
		char kept = text[place];

		for (int byte = 0; byte < 256; byte++) {
			bool known = byte != 0 && strchr(alphabet, byte) != NULL;

			text[place] = (char)byte;
			ck_assert_msg(decode_both_ways(text, sizeof(text), out) == known,
				      "byte %d at %zu", byte, place);
		}
		text[place] = kept;
	}
}
END_TEST

START_TEST(long_vector_is_what_was_encoded)
{
	enum { N = 1000 };
	float x[N], got[N];
	struct rng rng;
	struct err err;

	rng_init(&rng, 3);
	for (size_t i = 0; i < N; i++)
		x[i] = (float)rng_normal(&rng);
	for (size_t n = 1; n <= N; n += 37) {
		char *text = base64_encode_floats(x, n);

		ck_assert_int_eq(base64_decode_floats(text, strlen(text), n, got, &err), STATUS_OK);
		ck_assert_mem_eq(got, x, n * sizeof(*x));
		text[strlen(text) / 2] = '\n';
		ck_assert_int_eq(base64_decode_floats(text, strlen(text), n, got, &err),
				 STATUS_INVALID_BASE64);
		mem_free(text);
	}
	x[700] = INFINITY;
	char *text = base64_encode_floats(x, N);
	ck_assert_int_eq(base64_decode_floats(text, strlen(text), N, got, &err), STATUS_NOT_FINITE);
	ck_assert_str_eq(err.msg, "number 700 of the vector is not finite");
	mem_free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base64");
	TCase *tcase = tcase_create("base64");

	tcase_add_test(tcase, base64_agrees_with_the_reference);
	tcase_add_test(tcase, encode_of_nothing_is_the_empty_text);
	tcase_add_test(tcase, encode_refuses_a_size_that_overflows);
	tcase_add_test(tcase, decode_refuses);
	tcase_add_test(tcase, decode_knows_every_byte_in_every_place);
	tcase_add_test(tcase, wide_decoder_is_the_portable_one);
	tcase_add_test(tcase, wide_decoder_refuses_every_byte_that_is_none);
	tcase_add_test(tcase, long_vector_is_what_was_encoded);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
