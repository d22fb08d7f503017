/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_sqlite_import_oom.c - every allocation of an export and of an import fails in turn. */
#include <stdio.h>

#include "tests/unit/mem_failing.h"
#include "tests/unit/server/lines_fixture.h"
#include "tests/unit/unit.h"

#define MAX_ALLOCATIONS 20000

static struct store_folder folder, other;

static void set_up(void)
{
	store_folder_make(&folder);
	store_folder_make(&other);
}

static void tear_down(void)
{
	store_folder_remove(&folder);
	store_folder_remove(&other);
}

static void assert_no_memory(enum status status, long n, const struct err *err)
{
	ck_assert_msg(status == STATUS_NO_MEMORY, "allocation %ld: %d: %s", n, (int)status,
		      err->msg);
}

START_TEST(export_survives_any_failed_allocation)
{
	struct store *store = store_folder_open(&folder);
	struct buffer want = {0}, got = {0};
	enum status status = STATUS_NO_MEMORY;

	store_give(store, "ada", "work", "e1", 1);
	lines_must_export(store, "ada", &want);
	for (long n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		struct err err = {0};

		buffer_free(&got);
		mem_fail_after(n);
		status = lines_export(store, "ada", &got, &err);
		mem_fail_after(-1);
		if (status != STATUS_OK)
			assert_no_memory(status, n, &err);
	}
	ck_assert_int_eq(status, STATUS_OK);
	lines_check_same(&want, &got);
	buffer_free(&want);
	buffer_free(&got);
	store_close(store);
}
END_TEST

/* Of a user of whom nothing is stored, and of one who has learnt more: the loop test's index. */
START_TEST(import_survives_any_failed_allocation)
{
	struct store *store = store_folder_open(&folder), *copy = store_folder_open(&other);
	struct buffer lines = {0}, before = {0}, after = {0};
	enum status status = STATUS_NO_MEMORY;
	struct store_op op;

	for (unsigned i = 0; i < 20; i++) {
		char id[16];

		snprintf(id, sizeof(id), "e%u", i);
		store_give(store, "ada", i % 2 == 0 ? "work" : id, id, i);
	}
	lines_must_export(store, "ada", &lines);
	if (_i == 1) {
		store_give(copy, "ada", "work", "e0", 0);
		store_give(copy, "ada", "elsewhere", "x", 9);
	}
	for (long n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		struct err err = {0};

		mem_fail_after(n);
		status = lines_import(copy, "ada", &lines, &op, &err);
		mem_fail_after(-1);
		if (status == STATUS_OK)
			break;
		assert_no_memory(status, n, &err);
		ck_assert_int_eq(store_folder_int(&other, "SELECT count(*) FROM events"),
				 _i == 1 ? 2 : 0);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_uint_eq(op.import.events_out, _i == 1 ? 19 : 20);
	lines_must_export(store, "ada", &before);
	lines_must_export(copy, "ada", &after);
	if (_i == 0)
		lines_check_same(&before, &after);
	lines_must_import(copy, "ada", &lines, 0, 20);
	buffer_free(&lines);
	buffer_free(&before);
	buffer_free(&after);
	store_close(store);
	store_close(copy);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_sqlite_import_oom");
	TCase *tcase = tcase_create("sweep");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, export_survives_any_failed_allocation);
	tcase_add_loop_test(tcase, import_survives_any_failed_allocation, 0, 2);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
