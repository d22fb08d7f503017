/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_sqlite_vfs.c - a log that is longer than what is in it; what the layer does to
 * databases is in test_store_sqlite_delete.c */
#include "server/store_sqlite_vfs.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "tests/unit/server/store_fixture.h"
#include "tests/unit/unit.h"

#define STEP	(1 << 20) /* of the log */
#define N_FILLS 3	  /* rows of a STEP each */

static struct store_folder folder;

static void set_up(void)
{
	store_folder_make(&folder);
	unlink(folder.file);
	ck_assert(vfs_register());
}

static void tear_down(void)
{
	store_folder_remove(&folder);
}

static void exec(sqlite3 *db, const char *sql)
{
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql,
		      sqlite3_errmsg(db));
}

/* The log stays when it is closed, as when a process is killed. */
static sqlite3 *open_database(const char *path)
{
	sqlite3 *db;

	ck_assert_int_eq(
	    sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, VFS_NAME),
	    SQLITE_OK);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		 "PRAGMA wal_autocheckpoint = 0; CREATE TABLE IF NOT EXISTS t (a)");
	return db;
}

static int64_t read_int(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt;
	int64_t value;

	ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return value;
}

static int64_t log_size(void)
{
	char path[sizeof(folder.file) + 4];
	struct stat info;

	snprintf(path, sizeof(path), "%s-wal", folder.file);
	return stat(path, &info) == 0 ? (int64_t)info.st_size : -1;
}

/* Rows are whole and the file is sound. */
static void check(sqlite3 *db, int64_t n_rows)
{
	ck_assert_int_eq(read_int(db, "SELECT count(*) FROM t"), n_rows);
	ck_assert_int_eq(read_int(db, "SELECT count(*) FROM pragma_integrity_check"
				      " WHERE integrity_check = 'ok'"),
			 1);
}

START_TEST(log_grows_by_steps)
{
	sqlite3 *db = open_database(folder.file);
	int64_t size = log_size();

	ck_assert_int_eq(size, STEP);
	for (int i = 0; i < N_FILLS; i++)
		exec(db, "INSERT INTO t VALUES (1)");
	ck_assert_int_eq(log_size(), STEP);
	exec(db, "INSERT INTO t VALUES (zeroblob(1 << 20))");
	ck_assert_int_gt(log_size(), STEP);
	check(db, N_FILLS + 1);
	sqlite3_close(db);
}
END_TEST

START_TEST(what_is_committed_is_found_after_a_kill)
{
	sqlite3 *db = open_database(folder.file);

	for (int i = 0; i < N_FILLS; i++)
		exec(db, "INSERT INTO t VALUES (zeroblob(1 << 20))");
	sqlite3_close(db);
	ck_assert_int_gt(log_size(), (int64_t)N_FILLS * STEP);
	db = open_database(folder.file);
	check(db, N_FILLS);
	/* behind what is there */
	for (int i = 0; i < N_FILLS; i++)
		exec(db, "INSERT INTO t VALUES (zeroblob(1 << 20))");
	check(db, 2 * (int64_t)N_FILLS);
	sqlite3_close(db);
	db = open_database(folder.file);
	check(db, 2 * (int64_t)N_FILLS);
	sqlite3_close(db);
}
END_TEST

/* Each believes the log to be as long as when it last wrote. */
START_TEST(connections_write_by_turns)
{
	sqlite3 *a = open_database(folder.file), *b = open_database(folder.file);

	for (int i = 0; i < 2 * N_FILLS; i++)
		exec(i % 2 == 0 ? a : b, "INSERT INTO t VALUES (zeroblob(1 << 20))");
	check(a, 2 * (int64_t)N_FILLS);
	check(b, 2 * (int64_t)N_FILLS);
	sqlite3_close(a);
	sqlite3_close(b);
	a = open_database(folder.file);
	check(a, 2 * (int64_t)N_FILLS);
	sqlite3_close(a);
}
END_TEST

START_TEST(emptied_log_is_empty_and_grows_again)
{
	sqlite3 *db = open_database(folder.file);

	for (int i = 0; i < N_FILLS; i++)
		exec(db, "INSERT INTO t VALUES (zeroblob(1 << 20))");
	exec(db, "PRAGMA wal_checkpoint(TRUNCATE)");
	ck_assert_int_eq(log_size(), 0);
	exec(db, "INSERT INTO t VALUES (1)");
	ck_assert_int_eq(log_size(), STEP);
	check(db, N_FILLS + 1);
	sqlite3_close(db);
}
END_TEST

/* A connection does not know what others wrote; of a log that is long enough nothing is taken. */
START_TEST(log_that_is_long_enough_stays_as_it_is)
{
	sqlite3 *db = open_database(folder.file);
	int64_t size;

	exec(db, "INSERT INTO t VALUES (1)");
	size = log_size();
	for (int i = 0; i < N_FILLS; i++) {
		sqlite3_close(db);
		db = open_database(folder.file);
		exec(db, "INSERT INTO t VALUES (1)");
		ck_assert_int_eq(log_size(), size);
	}
	check(db, N_FILLS + 1);
	sqlite3_close(db);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_sqlite_vfs");
	TCase *tcase = tcase_create("store_sqlite_vfs");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, log_grows_by_steps);
	tcase_add_test(tcase, what_is_committed_is_found_after_a_kill);
	tcase_add_test(tcase, connections_write_by_turns);
	tcase_add_test(tcase, emptied_log_is_empty_and_grows_again);
	tcase_add_test(tcase, log_that_is_long_enough_stays_as_it_is);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
