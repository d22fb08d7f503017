/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_sqlite_oom.c - every allocation fails in turn: ours, and SQLite's own. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/mem_failing.h"
#include "tests/unit/server/store_fixture.h"
#include "tests/unit/unit.h"

#define MAX_ALLOCATIONS 20000

static struct store_folder folder;

/* ---- SQLite's allocations ---- */

static sqlite3_mem_methods libc_methods;
static long sqlite_left = -1; /* the one after them fails, once; -1: none */

static bool sqlite_fails_now(void)
{
	return sqlite_left >= 0 && sqlite_left-- == 0;
}

static void *failing_malloc(int size)
{
	return sqlite_fails_now() ? NULL : libc_methods.xMalloc(size);
}

static void *failing_realloc(void *block, int size)
{
	return sqlite_fails_now() ? NULL : libc_methods.xRealloc(block, size);
}

static void sqlite_fail_after(long n)
{
	sqlite_left = n;
}

static void replace_sqlite_allocator(void)
{
	sqlite3_mem_methods methods;

	ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &libc_methods), SQLITE_OK);
	methods = libc_methods;
	methods.xMalloc = failing_malloc;
	methods.xRealloc = failing_realloc;
	ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods), SQLITE_OK);
	/* each of its allocations is one of ours */
	ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
}

static void set_up(void)
{
	replace_sqlite_allocator();
	store_folder_make(&folder);
}

static void tear_down(void)
{
	store_folder_remove(&folder);
}

static void (*const fail_after[])(long n) = {mem_fail_after, sqlite_fail_after};

/* ---- sweeps: the loop test's index says whose allocations fail ---- */

static void assert_no_memory(enum status status, long n, const struct err *err)
{
	ck_assert_msg(status == STATUS_NO_MEMORY, "allocation %ld: %d: %s", n, (int)status,
		      err->msg);
}

/* Both on a new file and on one that is there. */
START_TEST(open_survives_any_failed_allocation)
{
	const struct store_sqlite_options options = {.path = folder.file,
						     .busy_timeout_ms = 50,
						     .n_readers = 2,
						     .cache_bytes = STORE_CACHE,
						     .check = true};

	for (int existing = 0; existing < 2; existing++) {
		enum status status = STATUS_NO_MEMORY;
		struct store *store = NULL;
		long n;

		for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
			struct err err = {0};

			if (existing == 0)
				unlink(folder.file);
			fail_after[_i](n);
			status = store_sqlite_open(&options, &store, &err);
			fail_after[_i](-1);
			if (status != STATUS_OK)
				assert_no_memory(status, n, &err);
		}
		ck_assert_int_eq(status, STATUS_OK);
		ck_assert_int_gt(n, 3);
		store_close(store);
	}
}
END_TEST

START_TEST(apply_survives_any_failed_allocation)
{
	struct store *store = store_folder_open(&folder);
	enum status status = STATUS_NO_MEMORY;
	struct store_step step;
	struct store_op drop = {.kind = STORE_DELETE_USER, .delete_user = {.user = "bob"}};
	struct store_op *ops[] = {&step.op, &drop};
	long n;

	for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		struct err err = {0};

		store_give(store, "bob", "", "e1", 1);
		store_step_set(&step, "ada", "work", "new", 1);
		fail_after[_i](n);
		status = store_apply(store, ops, LENGTH(ops), &err);
		fail_after[_i](-1);
		if (status == STATUS_OK)
			status = step.op.err.code;
		if (status != STATUS_OK) {
			assert_no_memory(status, n, &step.op.err);
			ck_assert_int_eq(
			    store_folder_int(&folder,
					     "SELECT count(*) FROM events WHERE user = 'ada'"),
			    0);
		}
		store_delete(store, "bob");
	}
	ck_assert_int_eq(status, STATUS_OK);
	store_step_set(&step, "ada", "work", "new", 1);
	ck_assert_int_eq(store_apply_one(store, &step.op), STATUS_OK);
	ck_assert(step.op.feedback.duplicate_out);
	store_close(store);
}
END_TEST

static void give_states(struct store *store)
{
	char context[8];

	for (unsigned i = 0; i < 5; i++) {
		snprintf(context, sizeof(context), "c%u", i);
		store_give(store, "ada", context, context, i);
	}
}

START_TEST(read_user_survives_any_failed_allocation)
{
	struct store *store = store_folder_open(&folder);
	enum status status = STATUS_NO_MEMORY;
	struct store_user user;
	long n;

	give_states(store);
	for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		struct err err = {0};

		fail_after[_i](n);
		status = store_read_user(store, "ada", NULL, &user, &err);
		fail_after[_i](-1);
		if (status != STATUS_OK)
			assert_no_memory(status, n, &err);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_uint_eq(user.n_states, 6);
	store_user_free(&user);
	store_close(store);
}
END_TEST

START_TEST(list_users_survives_any_failed_allocation)
{
	struct store *store = store_folder_open(&folder);
	enum status status = STATUS_NO_MEMORY;
	struct store_listed users[2];
	size_t n_users;
	bool more;
	long n;

	give_states(store);
	for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		struct err err = {0};

		fail_after[_i](n);
		status = store_list_users(store, "", LENGTH(users), users, &n_users, &more, &err);
		fail_after[_i](-1);
		if (status != STATUS_OK)
			assert_no_memory(status, n, &err);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_uint_eq(n_users, 1);
	ck_assert_uint_eq(users[0].n_events, 5);
	store_close(store);
}
END_TEST

/* Some of the events are in the tables. A failed reset changes nothing. */
START_TEST(reset_survives_any_failed_allocation)
{
	struct store *store = store_folder_open(&folder);
	struct store_op op = {.kind = STORE_DELETE_USER,
			      .delete_user = {.user = "ada", .context = "c1"}};
	struct store_op *ops = &op;
	enum status status = STATUS_NO_MEMORY;
	struct store_user user;
	long n;

	give_states(store);
	store_close(store);
	store = store_folder_open(&folder);
	store_give(store, "ada", "c1", "e1", 1);
	store_give(store, "ada", "c2", "e2", 2);
	for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		struct err err = {0};

		fail_after[_i](n);
		status = store_apply(store, &ops, 1, &err);
		fail_after[_i](-1);
		if (status == STATUS_OK)
			break;
		assert_no_memory(status, n, &err);
		ck_assert_int_eq(store_read_user(store, "ada", NULL, &user, NULL), STATUS_OK);
		ck_assert_uint_eq(user.n_states, 6);
		ck_assert_uint_eq(user.n_events, 7);
		store_user_free(&user);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_uint_eq(op.delete_user.events_out, 2);
	ck_assert_int_eq(store_read_user(store, "ada", NULL, &user, NULL), STATUS_OK);
	ck_assert_uint_eq(user.n_states, 5);
	ck_assert_uint_eq(user.n_events, 5);
	store_user_free(&user);
	store_close(store);
}
END_TEST

START_TEST(read_state_survives_any_failed_allocation)
{
	struct store *store = store_folder_open(&folder);
	enum status status = STATUS_NO_MEMORY;
	double s[STORE_HEADS];
	uint64_t updates;
	long n;

	give_states(store);
	for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		struct err err = {0};

		fail_after[_i](n);
		status =
		    store_read_state(store, "ada", "c1", "model", STORE_HEADS, s, &updates, &err);
		fail_after[_i](-1);
		if (status != STATUS_OK)
			assert_no_memory(status, n, &err);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_uint_eq(updates, 1);
	store_close(store);
}
END_TEST

START_TEST(check_survives_any_failed_allocation)
{
	struct store *store = store_folder_open(&folder);
	enum status status = STATUS_NO_MEMORY;
	struct store_step step;
	struct store_op *op = &step.op;
	sqlite3 *db;
	long n;

	/* a failed write makes the check try one itself */
	store_step_set(&step, "ada", "", "e1", 1);
	ck_assert_int_eq(sqlite3_open(folder.file, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(store_apply(store, &op, 1, NULL), STATUS_STATE_BUSY);
	sqlite3_close(db);
	for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		struct err err = {0};

		fail_after[_i](n);
		status = store_check(store, &err);
		fail_after[_i](-1);
		if (status != STATUS_OK)
			assert_no_memory(status, n, &err);
	}
	ck_assert_int_eq(status, STATUS_OK);
	store_close(store);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_sqlite_oom");
	TCase *tcase = tcase_create("sweep");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, open_survives_any_failed_allocation, 0, LENGTH(fail_after));
	tcase_add_loop_test(tcase, apply_survives_any_failed_allocation, 0, LENGTH(fail_after));
	tcase_add_loop_test(tcase, read_user_survives_any_failed_allocation, 0, LENGTH(fail_after));
	tcase_add_loop_test(tcase, list_users_survives_any_failed_allocation, 0,
			    LENGTH(fail_after));
	tcase_add_loop_test(tcase, reset_survives_any_failed_allocation, 0, LENGTH(fail_after));
	tcase_add_loop_test(tcase, read_state_survives_any_failed_allocation, 0,
			    LENGTH(fail_after));
	tcase_add_loop_test(tcase, check_survives_any_failed_allocation, 0, LENGTH(fail_after));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
