/* SPDX-License-Identifier: Apache-2.0 */
/* test_table_oom.c - every allocation of a table fails in turn. */
#include "core/tool/table.h"
#include "tests/unit/core/capture_fixture.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/unit.h"

static enum status print_table(struct capture *capture, struct err *err)
{
	static const struct table_column columns[] = {{"a", ALIGN_LEFT}, {"b", ALIGN_RIGHT}};
	struct table table;
	enum status status;

	table_init(&table, columns, 2);
	for (int i = 0; i < 40; i++)
		table_add(&table, "%d", i);
	status = table_print(&table, &capture->terminal, err);
	table_free(&table);
	return status;
}

START_TEST(missing_cell_is_an_error_and_prints_nothing)
{
	enum status status = STATUS_NO_MEMORY;
	long n;

	for (n = 0; status != STATUS_OK; n++) {
		struct capture capture;
		struct err err;

		capture_start(&capture, false, false);
		mem_fail_after(n);
		status = print_table(&capture, &err);
		mem_fail_after(-1);
		if (status != STATUS_OK) {
			ck_assert_int_eq(status, STATUS_NO_MEMORY);
			ck_assert_str_eq(err.msg, "out of memory for a table");
			ck_assert_str_eq(capture_text(&capture), "");
		}
		capture_end(&capture);
	}
	ck_assert_int_ge(n, 80);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("table out of memory");
	TCase *tcase = tcase_create("sweep");

	tcase_add_test(tcase, missing_cell_is_an_error_and_prints_nothing);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
