/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store_sqlite_faults.c - a disk that fails or is full: each write and each
 * sync in turn. This program's own pwrite64() and fdatasync() stand before libc's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/server/store_fixture.h"
#include "tests/unit/unit.h"

#define MAX_CALLS 500

static struct store_folder folder;

/* ---- the disk ---- */

enum call { CALL_WRITE, CALL_SYNC, N_CALLS };

static long calls_left[N_CALLS] = {-1, -1}; /* from then on calls fail; -1: never */
static int fault_errno;

static bool fails_now(enum call call)
{
	if (calls_left[call] < 0)
		return false;
	if (calls_left[call] > 0) {
		calls_left[call]--;
		return false;
	}
	errno = fault_errno;
	return true;
}

static void disk_fail_after(enum call call, long n, int error)
{
	calls_left[call] = n;
	fault_errno = error;
}

static void disk_mend(void)
{
	calls_left[CALL_WRITE] = calls_left[CALL_SYNC] = -1;
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t offset)
{
	return fails_now(CALL_WRITE) ? -1 : syscall(SYS_pwrite64, fd, bytes, n, offset);
}

int fdatasync(int fd)
{
	return fails_now(CALL_SYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
	return fails_now(CALL_SYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

static void set_up(void)
{
	store_folder_make(&folder);
}

static void tear_down(void)
{
	disk_mend();
	store_folder_remove(&folder);
}

static const struct {
	enum call call;
	int error;
	enum status status;
} faults[] = {
    {CALL_WRITE, ENOSPC, STATUS_STATE_FULL},
    {CALL_WRITE, EIO, STATUS_IO},
    {CALL_SYNC, EIO, STATUS_IO},
};

/* ---- apply ---- */

/* Two steps and a deletion: what a transaction may hold. */
struct batch {
	struct store_step steps[2];
	struct store_op drop;
	struct store_op *ops[3];
};

static void batch_set(struct batch *batch)
{
	store_step_set(&batch->steps[0], "ada", "work", "new", 1);
	store_step_set(&batch->steps[1], "bob", "", "new", 2);
	batch->drop = (struct store_op){.kind = STORE_DELETE_USER, .delete_user = {.user = "eve"}};
	batch->ops[0] = &batch->steps[0].op;
	batch->ops[1] = &batch->drop;
	batch->ops[2] = &batch->steps[1].op;
}

static uint64_t n_events(struct store *store, const char *user)
{
	struct store_user shown;
	uint64_t n;
	enum status status = store_read_user(store, user, NULL, &shown, NULL);

	ck_assert(status == STATUS_OK || status == STATUS_NOT_FOUND);
	n = shown.n_events;
	store_user_free(&shown);
	return n;
}

static void assert_events(struct store *store, uint64_t ada, uint64_t bob, uint64_t eve)
{
	ck_assert_uint_eq(n_events(store, "ada"), ada);
	ck_assert_uint_eq(n_events(store, "bob"), bob);
	ck_assert_uint_eq(n_events(store, "eve"), eve);
}

static void assert_all_failed(const struct batch *batch, enum status status, const struct err *err)
{
	ck_assert_msg(err->code == status, "%d: %s", (int)err->code, err->msg);
	ck_assert_ptr_nonnull(strstr(err->msg, folder.file));
	ck_assert_ptr_nonnull(strstr(err->msg, "want"));
	for (size_t i = 0; i < LENGTH(batch->ops); i++) {
		ck_assert_int_eq(batch->ops[i]->err.code, status);
		ck_assert_str_eq(batch->ops[i]->err.msg, err->msg);
	}
}

/* On a new database, with a disk that fails from the n-th call on; false if it was not hit. */
static bool apply_with_fault(size_t fault, long n)
{
	struct store *store = store_folder_open(&folder);
	struct batch batch;
	struct err err = {0};
	enum status status;
	bool hit;

	store_give(store, "ada", "", "old", 1);
	store_give(store, "eve", "", "old", 1);
	batch_set(&batch);
	disk_fail_after(faults[fault].call, n, faults[fault].error);
	status = store_apply(store, batch.ops, LENGTH(batch.ops), &err);
	hit = calls_left[faults[fault].call] == 0;
	if (status == STATUS_OK) {
		/* then only the emptying of the log may have failed */
		assert_events(store, 2, 1, 0);
	} else {
		assert_all_failed(&batch, faults[fault].status, &err);
		assert_events(store, 1, 0, 1);
		ck_assert_int_eq(store_check(store, &err), faults[fault].status);
	}
	disk_mend();
	ck_assert_int_eq(store_check(store, &err), STATUS_OK);
	store_close(store);

	store = store_folder_open(&folder);
	if (status != STATUS_OK)
		ck_assert_int_eq(store_apply(store, batch.ops, LENGTH(batch.ops), &err), STATUS_OK);
	assert_events(store, 2, 1, 0);
	store_close(store);
	return hit || status != STATUS_OK;
}

START_TEST(apply_on_a_failing_disk_is_all_or_nothing)
{
	long n = 0;

	while (n < MAX_CALLS && apply_with_fault((size_t)_i, n)) {
		ck_assert_int_eq(unlink(folder.file), 0);
		n++;
	}
	ck_assert_int_lt(n, MAX_CALLS);
	ck_assert_int_gt(n, faults[_i].call == CALL_SYNC ? 1 : 5);
}
END_TEST

START_TEST(apply_works_again_when_the_disk_does)
{
	struct store *store = store_folder_open(&folder);
	struct batch batch;
	struct err err = {0};

	batch_set(&batch);
	for (int i = 0; i < 3; i++) {
		disk_fail_after(faults[_i].call, 0, faults[_i].error);
		ck_assert_int_eq(store_apply(store, batch.ops, LENGTH(batch.ops), &err),
				 faults[_i].status);
	}
	disk_mend();
	ck_assert_int_eq(store_apply(store, batch.ops, LENGTH(batch.ops), &err), STATUS_OK);
	assert_events(store, 1, 1, 0);
	ck_assert_int_eq(store_check(store, &err), STATUS_OK);
	store_close(store);
}
END_TEST

/* ---- open ---- */

START_TEST(open_on_a_failing_disk_says_so_and_leaves_a_usable_path)
{
	const struct store_sqlite_options options = {.path = folder.file,
						     .busy_timeout_ms = 50,
						     .n_readers = 2,
						     .cache_bytes = STORE_CACHE,
						     .check = true};
	enum status status = STATUS_IO;
	struct store *store;
	long n;

	for (n = 0; n < MAX_CALLS && status != STATUS_OK; n++) {
		struct err err = {0};

		disk_fail_after(faults[_i].call, n, faults[_i].error);
		status = store_sqlite_open(&options, &store, &err);
		disk_mend();
		if (status == STATUS_OK)
			break;
		ck_assert_msg(status == faults[_i].status, "%ld: %s", n, err.msg);
		ck_assert_ptr_nonnull(strstr(err.msg, folder.file));
		ck_assert_ptr_null(store);
	}
	ck_assert_int_lt(n, MAX_CALLS);
	ck_assert_int_gt(n, 0);
	store_close(store);
	store = store_folder_open(&folder);
	store_give(store, "ada", "", "e1", 1);
	store_close(store);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_sqlite_faults");
	TCase *tcase = tcase_create("disk");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, apply_on_a_failing_disk_is_all_or_nothing, 0, LENGTH(faults));
	tcase_add_loop_test(tcase, apply_works_again_when_the_disk_does, 0, LENGTH(faults));
	tcase_add_loop_test(tcase, open_on_a_failing_disk_says_so_and_leaves_a_usable_path, 0,
			    LENGTH(faults));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
