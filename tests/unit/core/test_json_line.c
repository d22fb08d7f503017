/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/json_line.h"
#include "tests/unit/core/capture_fixture.h"
#include "tests/unit/unit.h"

static struct capture capture;

static void setup(void)
{
	capture_start(&capture, false, false);
}

static void teardown(void)
{
	capture_end(&capture);
}

START_TEST(value_is_printed_on_a_line_of_its_own)
{
	ck_assert_int_eq(
	    json_line_print(json_pack("{s:i, s:f}", "b", 1, "a", 0.1), capture.terminal.out, NULL),
	    STATUS_OK);
	ck_assert_str_eq(capture_text(&capture), "{\"b\":1,\"a\":0.10000000000000001}\n");
}
END_TEST

START_TEST(missing_value_is_lack_of_memory_and_prints_nothing)
{
	struct err err;

	ck_assert_int_eq(json_line_print(NULL, capture.terminal.out, &err), STATUS_NO_MEMORY);
	ck_assert_str_eq(err.msg, "out of memory for JSON");
	ck_assert_str_eq(capture_text(&capture), "");
}
END_TEST

static void *no_memory(size_t size)
{
	(void)size;
	return NULL;
}

/* The JSON library allocates while it prints, too. */
START_TEST(printing_without_memory_is_no_success)
{
	json_t *value = json_pack("{s:{s:i}}", "a", "b", 1);
	enum status status;

	json_set_alloc_funcs(no_memory, free);
	status = json_line_print(value, capture.terminal.out, NULL);
	json_set_alloc_funcs(malloc, free);
	ck_assert_int_eq(status, STATUS_NO_MEMORY);
}
END_TEST

START_TEST(append_keeps_order)
{
	json_t *array = json_array();

	json_line_append(&array, json_integer(1));
	json_line_append(&array, json_integer(2));
	ck_assert_int_eq(json_line_print(array, capture.terminal.out, NULL), STATUS_OK);
	ck_assert_str_eq(capture_text(&capture), "[1,2]\n");
}
END_TEST

START_TEST(append_of_a_missing_value_loses_the_array_for_good)
{
	json_t *array = json_array();

	json_line_append(&array, NULL);
	ck_assert_ptr_null(array);
	json_line_append(&array, json_integer(1));
	ck_assert_ptr_null(array);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json_line");
	TCase *tcase = tcase_create("json_line");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, value_is_printed_on_a_line_of_its_own);
	tcase_add_test(tcase, missing_value_is_lack_of_memory_and_prints_nothing);
	tcase_add_test(tcase, printing_without_memory_is_no_success);
	tcase_add_test(tcase, append_keeps_order);
	tcase_add_test(tcase, append_of_a_missing_value_loses_the_array_for_good);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
