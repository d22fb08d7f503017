/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/base/digest.h"
#include "tests/unit/unit.h"

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

int main(void)
{
	Suite *suite = suite_create("digest");
	TCase *digest = tcase_create("digest");

	tcase_add_test(digest, hex_is_sha256);
	tcase_add_test(digest, add_string_keeps_strings_apart);
	suite_add_tcase(suite, digest);
	return unit_run(suite);
}
