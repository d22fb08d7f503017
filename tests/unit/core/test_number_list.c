/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "core/tool/number_list.h"
#include "tests/unit/unit.h"

START_TEST(ascending_numbers_are_read)
{
	struct number_list list;

	ck_assert_int_eq(number_list_read("shots", "0,1,8", 0, 8, &list, NULL), STATUS_OK);
	ck_assert_uint_eq(list.n, 3);
	ck_assert_uint_eq(list.number[0], 0);
	ck_assert_uint_eq(list.number[1], 1);
	ck_assert_uint_eq(list.number[2], 8);
	ck_assert_int_eq(number_list_read("shots", "7", 2, 8, &list, NULL), STATUS_OK);
	ck_assert_uint_eq(list.n, 1);
}
END_TEST

static const char *const wrong[] = {"",
				    ",",
				    "2,",
				    ",2",
				    "2,2",
				    "3,2",
				    "1",
				    "9",
				    "2;3",
				    " 2",
				    "2, 3",
				    "-2",
				    "+2",
				    "2.5",
				    "x",
				    "2,9",
				    "99999999999999999999"};

START_TEST(anything_else_is_refused)
{
	struct number_list list;
	struct err err;
	char text[128];

	ck_assert_int_eq(number_list_read("shots", wrong[_i], 2, 8, &list, &err), STATUS_USAGE);
	snprintf(text, sizeof(text), "--shots %s: want ascending whole numbers from 2 up to 8",
		 wrong[_i]);
	ck_assert_msg(strstr(err.msg, text) == err.msg, "%s", err.msg);
}
END_TEST

START_TEST(as_many_as_there_is_room_for)
{
	char text[4 * NUMBER_LIST_MAX + 8] = "10";
	struct number_list list;
	struct err err;

	for (int i = 1; i < NUMBER_LIST_MAX; i++)
		snprintf(text + strlen(text), 8, ",%d", 10 + i);
	ck_assert_int_eq(number_list_read("heads", text, 0, 1000, &list, NULL), STATUS_OK);
	ck_assert_uint_eq(list.n, NUMBER_LIST_MAX);
	strcat(text, ",500");
	ck_assert_int_eq(number_list_read("heads", text, 0, 1000, &list, &err), STATUS_USAGE);
	ck_assert_str_eq(err.msg, "--heads: want at most 32 numbers");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("number_list");
	TCase *tcase = tcase_create("number_list");

	tcase_add_test(tcase, ascending_numbers_are_read);
	tcase_add_loop_test(tcase, anything_else_is_refused, 0, (int)LENGTH(wrong));
	tcase_add_test(tcase, as_many_as_there_is_room_for);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
