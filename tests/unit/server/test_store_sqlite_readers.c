/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/store_sqlite_readers.h"
#include "tests/unit/server/store_fixture.h"
#include "tests/unit/unit.h"

static struct store_folder folder;

static void set_up(void)
{
	store_folder_make(&folder);
}

static void tear_down(void)
{
	store_folder_remove(&folder);
}

static void *give_later(void *context)
{
	struct readers *readers = context;

	usleep(20000);
	readers_give(readers, &readers->conns[0]);
	return NULL;
}

START_TEST(readers_are_lent_one_by_one_and_waited_for)
{
	struct readers readers;
	struct conn *first, *second;
	struct err err = {0};
	char path[PATH_MAX];
	pthread_t thread;

	store_close(store_folder_open(&folder));
	ck_assert_ptr_nonnull(realpath(folder.file, path));
	ck_assert_int_eq(readers_open(&readers, 1, "state", path, 1100, &err), STATUS_OK);
	ck_assert_int_eq(readers_take(&readers, &first, &err), STATUS_OK);
	ck_assert_int_eq(pthread_create(&thread, NULL, give_later, &readers), 0);
	ck_assert_int_eq(readers_take(&readers, &second, &err), STATUS_OK);
	ck_assert_ptr_eq(first, second);
	pthread_join(thread, NULL);
	ck_assert_int_eq(readers_take(&readers, &first, &err), STATUS_STATE_BUSY);
	ck_assert_ptr_nonnull(strstr(err.msg, "all 1 read connections"));
	readers_give(&readers, second);
	readers_close(&readers);
}
END_TEST

START_TEST(readers_cannot_write)
{
	struct readers readers;
	struct conn *conn;
	struct err err = {0};

	store_close(store_folder_open(&folder));
	ck_assert_int_eq(readers_open(&readers, 1, "state", folder.file, 50, &err), STATUS_OK);
	ck_assert_int_eq(readers_take(&readers, &conn, &err), STATUS_OK);
	ck_assert_int_eq(conn_exec(conn, "DELETE FROM states", &err), STATUS_IO);
	readers_give(&readers, conn);
	readers_close(&readers);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_sqlite_readers");
	TCase *tcase = tcase_create("readers");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, readers_are_lent_one_by_one_and_waited_for);
	tcase_add_test(tcase, readers_cannot_write);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
