/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "core/tool/usage.h"
#include "tests/unit/core/folder_fixture.h"
#include "tests/unit/unit.h"

START_TEST(invalid_value_is_a_wrong_option)
{
	struct err err;
	enum status status = err_set(&err, STATUS_INVALID_VALUE, "want 1");

	ck_assert_int_eq(usage_of_option(status, "heads", &err), STATUS_USAGE);
	ck_assert_int_eq(err.code, STATUS_USAGE);
	ck_assert_str_eq(err.msg, "--heads: want 1");
}
END_TEST

START_TEST(other_outcomes_stay_what_they_are)
{
	struct err err;
	enum status status = err_no_memory(&err, "x");

	ck_assert_int_eq(usage_of_option(status, "heads", &err), STATUS_NO_MEMORY);
	ck_assert_str_eq(err.msg, "out of memory for x");
	ck_assert_int_eq(usage_of_option(STATUS_OK, "heads", &err), STATUS_OK);
}
END_TEST

START_TEST(output_is_not_an_input_by_any_name)
{
	const char *data = folder_write("data", "x", 1), *link = folder_path("link");
	char wanted[600];
	struct err err;

	ck_assert_int_eq(symlink(data, link), 0);
	ck_assert_int_eq(usage_keep(link, data, "data", &err), STATUS_USAGE);
	snprintf(wanted, sizeof(wanted), "--out %s is the file of --data", link);
	ck_assert_str_eq(err.msg, wanted);
}
END_TEST

START_TEST(other_files_and_files_not_there_are_no_fault)
{
	const char *data = folder_write("data", "x", 1), *other = folder_write("other", "x", 1);

	ck_assert_int_eq(usage_keep(other, data, "data", NULL), STATUS_OK);
	ck_assert_int_eq(usage_keep(folder_path("new"), data, "data", NULL), STATUS_OK);
	ck_assert_int_eq(usage_keep(other, folder_path("gone"), "data", NULL), STATUS_OK);
}
END_TEST

START_TEST(text_is_utf8_or_absent)
{
	struct err err;

	ck_assert_int_eq(usage_utf8("é", "out", &err), STATUS_OK);
	ck_assert_int_eq(usage_utf8(NULL, "out", &err), STATUS_OK);
	ck_assert_int_eq(usage_utf8("\xff", "out", &err), STATUS_USAGE);
	ck_assert_str_eq(err.msg, "--out: want valid UTF-8");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("usage");
	TCase *tcase = tcase_create("usage");

	tcase_add_checked_fixture(tcase, folder_make, folder_remove);
	tcase_add_test(tcase, invalid_value_is_a_wrong_option);
	tcase_add_test(tcase, other_outcomes_stay_what_they_are);
	tcase_add_test(tcase, output_is_not_an_input_by_any_name);
	tcase_add_test(tcase, other_files_and_files_not_there_are_no_fault);
	tcase_add_test(tcase, text_is_utf8_or_absent);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
