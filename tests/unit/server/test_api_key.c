/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "server/api_key.h"
#include "tests/unit/unit.h"

/* sha256 of "abc", FIPS 180-2, appendix B.1 */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void zeros(void *bytes, size_t n)
{
	memset(bytes, 0, n);
}

START_TEST(key_is_a_prefix_and_32_random_bytes)
{
	char key[API_KEY_LEN + 1], other[API_KEY_LEN + 1];

	api_key_random(zeros, key);
	ck_assert_str_eq(key, "micro-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	api_key_random(randombytes_buf, key);
	api_key_random(randombytes_buf, other);
	ck_assert_uint_eq(strlen(key), API_KEY_LEN);
	ck_assert_str_ne(key, other);
}
END_TEST

START_TEST(line_comes_back_as_it_was)
{
	struct api_key key, back;
	char line[API_KEY_LINE_MAX];

	for (unsigned scopes = 0; scopes <= SCOPE_ALL; scopes++) {
		memset(&key, 0, sizeof(key));
		ck_assert_int_eq(api_key_set_name(&key, "Ada.1_x-y", 9, NULL), STATUS_OK);
		key.scopes = scopes;
		api_key_hash("abc", 3, key.hash);
		api_key_line(&key, line);
		ck_assert_int_eq(api_key_parse(line, strlen(line), &back, NULL), STATUS_OK);
		ck_assert_str_eq(back.name, key.name);
		ck_assert_uint_eq(back.scopes, scopes);
		ck_assert_mem_eq(back.hash, key.hash, sizeof(key.hash));
	}
	ck_assert_str_eq(line, "Ada.1_x-y score,feedback,admin sha256:" ABC);
}
END_TEST

START_TEST(longest_line_fits)
{
	struct api_key key = {.scopes = SCOPE_ALL};
	char name[API_KEY_NAME_MAX + 1], line[API_KEY_LINE_MAX];

	memset(name, 'n', API_KEY_NAME_MAX + 1);
	ck_assert_int_eq(api_key_set_name(&key, name, API_KEY_NAME_MAX, NULL), STATUS_OK);
	ck_assert_int_ne(api_key_set_name(&key, name, API_KEY_NAME_MAX + 1, NULL), STATUS_OK);
	api_key_line(&key, line);
	ck_assert_int_eq(api_key_parse(line, strlen(line), &key, NULL), STATUS_OK);
}
END_TEST

START_TEST(scopes_are_read_in_any_order_each_once)
{
	static const struct {
		const char *text;
		int scopes; /* -1: refused */
	} cases[] = {
	    {"none", 0},
	    {"score", SCOPE_SCORE},
	    {"admin,feedback", SCOPE_ADMIN | SCOPE_FEEDBACK},
	    {"admin,score,feedback", SCOPE_ALL},
	    {"", -1},
	    {",", -1},
	    {"score,", -1},
	    {",score", -1},
	    {"score,score", -1},
	    {"score,none", -1},
	    {"none,score", -1},
	    {"Score", -1},
	    {"scor", -1},
	    {"scores", -1},
	    {"score feedback", -1},
	    {"score,feedback", SCOPE_SCORE | SCOPE_FEEDBACK},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct err err = {0};
		unsigned scopes;
		enum status status =
		    scopes_parse(cases[i].text, strlen(cases[i].text), &scopes, &err);

		ck_assert_msg((status == STATUS_OK) == (cases[i].scopes >= 0), "case %zu", i);
		if (status == STATUS_OK)
			ck_assert_int_eq((int)scopes, cases[i].scopes);
		else
			ck_assert_ptr_nonnull(strstr(err.msg, "score,feedback,admin"));
	}
}
END_TEST

START_TEST(wrong_line_says_which_word_and_is_not_quoted)
{
	static const struct {
		const char *line, *part;
	} cases[] = {
	    {"", "three words"},
	    {"micro-secret", "three words"},
	    {"a score", "three words"},
	    {"a score sha256:" ABC " micro-secret", "three words"},
	    {"a$ score sha256:" ABC, "want a name"},
	    {"a secret sha256:" ABC, "want scopes"},
	    {"a score " ABC, "want a hash"},
	    {"a score md5:" ABC, "want a hash"},
	    {"a score sha256:" ABC "00", "want a hash"},
	    {"a score sha256:secret", "want a hash"},
	    {"a score sha256:zz7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	     "want a hash"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct api_key key;
		struct err err = {0};

		ck_assert_msg(api_key_parse(cases[i].line, strlen(cases[i].line), &key, &err) ==
				  STATUS_INVALID_VALUE,
			      "case %zu", i);
		ck_assert_msg(strstr(err.msg, cases[i].part) != NULL, "case %zu: %s", i, err.msg);
		ck_assert_msg(strstr(err.msg, "secret") == NULL, "case %zu: %s", i, err.msg);
	}
}
END_TEST

START_TEST(words_are_apart_by_any_blanks)
{
	static const char line[] = "\t a \t score   sha256:" ABC "  ";
	struct api_key key;

	ck_assert_int_eq(api_key_parse(line, strlen(line), &key, NULL), STATUS_OK);
	ck_assert_str_eq(key.name, "a");
	ck_assert_uint_eq(key.scopes, SCOPE_SCORE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("api_key");
	TCase *tcase = tcase_create("api_key");

	tcase_add_test(tcase, key_is_a_prefix_and_32_random_bytes);
	tcase_add_test(tcase, line_comes_back_as_it_was);
	tcase_add_test(tcase, longest_line_fits);
	tcase_add_test(tcase, scopes_are_read_in_any_order_each_once);
	tcase_add_test(tcase, wrong_line_says_which_word_and_is_not_quoted);
	tcase_add_test(tcase, words_are_apart_by_any_blanks);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
