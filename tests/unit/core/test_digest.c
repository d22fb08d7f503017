/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/base/digest.h"
#include "core/base/mem.h"
#include "tests/unit/core/golden_fixture.h"
#include "tests/unit/unit.h"

#define MAX_FLOATS 64

/* ---- digest ---- */

START_TEST(hex_is_sha256)
{
	static const struct {
		const char *text, *want; /* FIPS 180-4, examples of NIST */
	} cases[] = {
	    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct digest digest;
		char hex[DIGEST_HEX_LEN + 1];
		size_t half = strlen(cases[i].text) / 2;

		digest_init(&digest);
		digest_add(&digest, cases[i].text, half);
		digest_add(&digest, cases[i].text + half, strlen(cases[i].text) - half);
		digest_hex(&digest, hex);
		ck_assert_msg(strcmp(hex, cases[i].want) == 0, "case %zu: %s", i, hex);
	}
}
END_TEST

START_TEST(add_string_keeps_strings_apart)
{
	struct digest a, b;
	char hex_a[DIGEST_HEX_LEN + 1], hex_b[DIGEST_HEX_LEN + 1];

	digest_init(&a);
	digest_add_string(&a, "ab");
	digest_add_string(&a, "c");
	digest_hex(&a, hex_a);
	digest_init(&b);
	digest_add_string(&b, "a");
	digest_add_string(&b, "bc");
	digest_hex(&b, hex_b);
	ck_assert_str_ne(hex_a, hex_b);
}
END_TEST

/* ---- base64 ---- */

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
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

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

int main(void)
{
	Suite *suite = suite_create("digest");
	TCase *digest = tcase_create("digest");
	TCase *base64 = tcase_create("base64");

	tcase_add_test(digest, hex_is_sha256);
	tcase_add_test(digest, add_string_keeps_strings_apart);
	suite_add_tcase(suite, digest);
	tcase_add_test(base64, base64_agrees_with_the_reference);
	tcase_add_test(base64, encode_of_nothing_is_the_empty_text);
	tcase_add_test(base64, encode_refuses_a_size_that_overflows);
	tcase_add_test(base64, decode_refuses);
	tcase_add_test(base64, decode_knows_every_byte_in_every_place);
	suite_add_tcase(suite, base64);
	return unit_run(suite);
}
