/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <unistr.h>

#include "core/base/err.h"
#include "tests/unit/unit.h"

/* ---- err_set, err_at ---- */

START_TEST(set_formats_and_returns_the_code)
{
	struct err err = {.param = "/old"};

	ck_assert_int_eq(err_set(&err, STATUS_BAD_FILE, "shape [%d, %d]", 64, 12), STATUS_BAD_FILE);
	ck_assert_int_eq(err.code, STATUS_BAD_FILE);
	ck_assert_str_eq(err.msg, "shape [64, 12]");
	ck_assert_str_eq(err.param, "");
}
END_TEST

START_TEST(at_keeps_the_json_pointer)
{
	struct err err;

	ck_assert_int_eq(err_at(&err, STATUS_INVALID_TYPE, "/responses/1", "want a string"),
			 STATUS_INVALID_TYPE);
	ck_assert_str_eq(err.param, "/responses/1");
	ck_assert_str_eq(err.msg, "want a string");
}
END_TEST

START_TEST(null_keeps_only_the_code)
{
	ck_assert_int_eq(err_set(NULL, STATUS_IO, "x"), STATUS_IO);
	ck_assert_int_eq(err_at(NULL, STATUS_INVALID_TYPE, "/a", "x"), STATUS_INVALID_TYPE);
	ck_assert_int_eq(err_no_memory(NULL, "x"), STATUS_NO_MEMORY);
	ck_assert_int_eq(err_errno(NULL, STATUS_IO, "x"), STATUS_IO);
	ck_assert_int_ne(err_wrap(NULL, "x"), STATUS_OK);
}
END_TEST

START_TEST(long_text_is_cut_not_overrun)
{
	struct err err;
	char text[2000];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_at(&err, STATUS_INTERNAL, text, "%s", text);
	ck_assert_uint_eq(strlen(err.msg), sizeof(err.msg) - 1);
	ck_assert_uint_eq(strlen(err.param), sizeof(err.param) - 1);
}
END_TEST

START_TEST(text_is_cut_between_characters)
{
	static const char *const characters[] = {"é", "語", "👍"};

	for (size_t i = 0; i < LENGTH(characters); i++) {
		for (size_t shift = 0; shift < 4; shift++) {
			char text[1200] = "aaa";
			struct err err;

			text[shift] = '\0';
			while (strlen(text) < 1100)
				strcat(text, characters[i]);
			err_at(&err, STATUS_INTERNAL, text, "%s", text);
			ck_assert(u8_check((const uint8_t *)err.msg, strlen(err.msg)) == NULL);
			ck_assert(u8_check((const uint8_t *)err.param, strlen(err.param)) == NULL);
			ck_assert_uint_ge(strlen(err.msg), sizeof(err.msg) - 4);
			err_wrap(&err, "b");
			ck_assert(u8_check((const uint8_t *)err.msg, strlen(err.msg)) == NULL);
			ck_assert_uint_ge(strlen(err.msg), sizeof(err.msg) - 4);
		}
	}
}
END_TEST

START_TEST(control_characters_do_not_reach_the_message)
{
	struct err err;

	err_set(&err, STATUS_BAD_FILE, "a\n\033[31m\x7f%s",
		"\xc2\x9b"
		"é");
	ck_assert_str_eq(err.msg, "a??[31m???é");
	err_wrap(&err, "b\tc");
	ck_assert_str_eq(err.msg, "b?c: a??[31m???é");
}
END_TEST

START_TEST(append_keeps_the_rest_and_is_cut)
{
	char text[1200];
	struct err err;

	err_append(NULL, "x");
	err_at(&err, STATUS_ENCODER_DOWN, "/a", "a");
	err_retry_after(&err, 3);
	err_append(&err, ": %s", "b\n");
	ck_assert_str_eq(err.msg, "a: b?");
	ck_assert_str_eq(err.param, "/a");
	ck_assert_int_eq(err.code, STATUS_ENCODER_DOWN);
	ck_assert_uint_eq(err.retry_after, 3);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_append(&err, "%s", text);
	ck_assert_uint_eq(strlen(err.msg), sizeof(err.msg) - 1);
	err_append(&err, "y");
	ck_assert_uint_eq(strlen(err.msg), sizeof(err.msg) - 1);
}
END_TEST

START_TEST(time_to_try_again_is_of_this_fault_alone)
{
	struct err err;

	err_set(&err, STATUS_ENCODER_DOWN, "a");
	ck_assert_uint_eq(err.retry_after, 0);
	err_retry_after(&err, 6.01);
	err_wrap(&err, "b");
	ck_assert_uint_eq(err.retry_after, 7);
	err_retry_after(&err, -3);
	ck_assert_uint_eq(err.retry_after, 1);
	err_retry_after(NULL, 1);
	err_at(&err, STATUS_INVALID_TYPE, "/a", "x");
	ck_assert_uint_eq(err.retry_after, 0);
	err_retry_after(&err, 2);
	err_set(&err, STATUS_ENCODER_DOWN, "a");
	ck_assert_uint_eq(err.retry_after, 0);
}
END_TEST

/* ---- err_wrap ---- */

START_TEST(wrap_says_what_was_being_done)
{
	struct err err;

	err_at(&err, STATUS_BAD_FILE, "/p", "heads.weight: want 2 dimensions");
	ck_assert_int_eq(err_wrap(&err, "load model %s", "m.safetensors"), STATUS_BAD_FILE);
	ck_assert_str_eq(err.msg, "load model m.safetensors: heads.weight: want 2 dimensions");
	ck_assert_str_eq(err.param, "/p");
}
END_TEST

START_TEST(wrap_with_a_long_prefix_is_cut)
{
	struct err err;
	char text[2000];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&err, STATUS_IO, "inner");
	ck_assert_int_eq(err_wrap(&err, "%s", text), STATUS_IO);
	ck_assert_uint_eq(strlen(err.msg), sizeof(err.msg) - 1);
}
END_TEST

/* ---- err_no_memory, err_errno ---- */

START_TEST(no_memory_names_the_thing)
{
	struct err err;

	ck_assert_int_eq(err_no_memory(&err, "heads"), STATUS_NO_MEMORY);
	ck_assert_str_eq(err.msg, "out of memory for heads");
}
END_TEST

START_TEST(errno_becomes_words)
{
	struct err err;

	errno = ENOENT;
	ck_assert_int_eq(err_errno(&err, STATUS_IO, "open"), STATUS_IO);
	ck_assert_str_eq(err.msg, "open: No such file or directory");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("err");
	TCase *tcase = tcase_create("err");

	tcase_add_test(tcase, set_formats_and_returns_the_code);
	tcase_add_test(tcase, at_keeps_the_json_pointer);
	tcase_add_test(tcase, null_keeps_only_the_code);
	tcase_add_test(tcase, long_text_is_cut_not_overrun);
	tcase_add_test(tcase, text_is_cut_between_characters);
	tcase_add_test(tcase, control_characters_do_not_reach_the_message);
	tcase_add_test(tcase, time_to_try_again_is_of_this_fault_alone);
	tcase_add_test(tcase, wrap_says_what_was_being_done);
	tcase_add_test(tcase, wrap_with_a_long_prefix_is_cut);
	tcase_add_test(tcase, no_memory_names_the_thing);
	tcase_add_test(tcase, errno_becomes_words);
	tcase_add_test(tcase, append_keeps_the_rest_and_is_cut);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
