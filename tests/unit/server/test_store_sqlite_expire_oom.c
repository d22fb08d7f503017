/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_sqlite_expire_oom.c - every allocation of a pass, of an end at open and of the thread
 * fails in turn. */
#include "server/retention.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/server/expire_fixture.h"
#include "tests/unit/unit.h"

#define MAX_ALLOCATIONS 20000
#define N_MANY		(STORE_EXPIRE_EVENTS + 50)
#define BEFORE		(STORE_TIME_US + 1000)

static struct store_folder folder;

static void set_up(void)
{
	store_folder_make(&folder);
}

static void tear_down(void)
{
	store_folder_remove(&folder);
}

static void assert_no_memory(enum status status, long n, const struct err *err)
{
	ck_assert_msg(status == STATUS_NO_MEMORY, "allocation %ld: %d: %s", n, (int)status,
		      err->msg);
}

/* A failed step changes nothing, and can be taken again with a new pass. */
START_TEST(pass_survives_any_failed_allocation)
{
	struct store *store = store_folder_open(&folder);
	struct expire_pass pass;
	struct store_op op = {.kind = STORE_EXPIRE, .expire = &pass.expire}, *ops = &op;
	long n = 0;

	expire_give_many(store, "many", N_MANY);
	store_close(store);
	store = store_folder_open(&folder);
	expire_begin(&pass, BEFORE);
	while (!pass.expire.done_out && n < MAX_ALLOCATIONS) {
		struct err err = {0};
		enum status status;

		mem_fail_after(n);
		status = store_apply(store, &ops, 1, &err);
		mem_fail_after(-1);
		if (status != STATUS_OK) {
			assert_no_memory(status, n++, &err);
			expire_begin(&pass, BEFORE);
		}
	}
	ck_assert_int_lt(n, MAX_ALLOCATIONS);
	ck_assert_int_ge(n, 3);
	ck_assert_int_eq(store_folder_int(&folder, "SELECT count(*) FROM events"), 0);
	ck_assert_int_eq(store_folder_int(&folder, "SELECT count(*) FROM leaving"), 0);
	store_close(store);
}
END_TEST

/* What cannot be ended for now is left for later; nobody sees it. */
START_TEST(end_at_open_survives_any_failed_allocation)
{
	const struct store_sqlite_options options = {
	    .path = folder.file, .busy_timeout_ms = 50, .n_readers = 1, .cache_bytes = STORE_CACHE};
	struct store *store = store_folder_open(&folder);
	struct expire_pass pass;
	enum status status = STATUS_NO_MEMORY;

	expire_give_many(store, "many", N_MANY);
	expire_begin(&pass, BEFORE);
	while (pass.expire.users_out == 0)
		expire_step(store, &pass);
	store_close(store);
	for (long n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		struct err err = {0};

		mem_fail_after(n);
		status = store_sqlite_open(&options, &store, &err);
		mem_fail_after(-1);
		if (status != STATUS_OK)
			assert_no_memory(status, n, &err);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_uint_eq(store_give(store, "many", "", "many 1", 5), 1);
	ck_assert_int_eq(store_folder_int(&folder, "SELECT count(*) FROM events"), 1);
	store_close(store);
}
END_TEST

static int64_t now_us(void)
{
	return STORE_TIME_US;
}

START_TEST(start_survives_any_failed_allocation)
{
	struct store *store = store_folder_open(&folder);
	struct retention_options options = {.days = 1, .now_us = now_us};
	enum status status = STATUS_NO_MEMORY;
	struct retention *retention;
	long n;

	ck_assert_int_eq(writer_start(store, 4, 4, &options.writer, NULL), STATUS_OK);
	for (n = 0; n < 10 && status != STATUS_OK; n++) {
		struct err err = {0};

		mem_fail_after(n);
		status = retention_start(&options, &retention, &err);
		mem_fail_after(-1);
		ck_assert((retention != NULL) == (status == STATUS_OK));
		if (status != STATUS_OK)
			assert_no_memory(status, n, &err);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_gt(n, 2);
	retention_stop(retention);
	writer_stop(options.writer);
	store_close(store);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_sqlite_expire_oom");
	TCase *tcase = tcase_create("sweep");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, pass_survives_any_failed_allocation);
	tcase_add_test(tcase, end_at_open_survives_any_failed_allocation);
	tcase_add_test(tcase, start_survives_any_failed_allocation);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
