/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_sqlite_open.c - which files are made, opened and refused, and store_check(). */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/mem.h"
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

/* ---- helpers ---- */

static enum status open_path(const char *path, bool check, struct store **store_out,
			     struct err *err)
{
	const struct store_sqlite_options options = {.path = path,
						     .busy_timeout_ms = 50,
						     .n_readers = 1,
						     .cache_bytes = STORE_CACHE,
						     .check = check};

	return store_sqlite_open(&options, store_out, err);
}

/* path must be refused with this status and a message that names it and has both fragments. */
static void refuse(const char *path, bool check, enum status status, const char *what,
		   const char *want)
{
	struct store *store;
	struct err err = {0};

	ck_assert_msg(open_path(path, check, &store, &err) == status, "%d: %s", (int)err.code,
		      err.msg);
	ck_assert_ptr_null(store);
	ck_assert_msg(strstr(err.msg, path) != NULL && strstr(err.msg, what) != NULL &&
			  strstr(err.msg, want) != NULL,
		      "got \"%s\", want \"%s\" and \"%s\"", err.msg, what, want);
}

static void write_file(const char *path, const char *bytes, size_t len)
{
	FILE *file = fopen(path, "wb");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
	fclose(file);
}

static char *read_file(const char *path, size_t *len_out)
{
	FILE *file = fopen(path, "rb");
	struct stat info;
	char *bytes;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fstat(fileno(file), &info), 0);
	*len_out = (size_t)info.st_size;
	bytes = mem_array(*len_out + 1, 1);
	ck_assert_uint_eq(fread(bytes, 1, *len_out, file), *len_out);
	fclose(file);
	return bytes;
}

/* A database with a few hundred events, closed. */
static void make_state(void)
{
	struct store *store = store_folder_open(&folder);
	char id[STORE_MAX_ID + 1];

	for (unsigned i = 0; i < 200; i++) {
		snprintf(id, sizeof(id), "%0200u", i);
		store_give(store, "ada", "", id, i);
	}
	store_close(store);
}

/* ---- open ---- */

START_TEST(open_makes_a_private_file_and_finds_it_again)
{
	struct store *store = store_folder_open(&folder);
	struct stat info;

	ck_assert_int_eq(stat(folder.file, &info), 0);
	ck_assert_uint_eq(info.st_mode & 0777, 0600);
	ck_assert_uint_eq(store_give(store, "ada", "", "e1", 1), 1);
	store_close(store);
	store = store_folder_open(&folder);
	ck_assert_uint_eq(store_give(store, "ada", "", "e2", 2), 2);
	store_close(store);
	ck_assert_int_eq(store_folder_int(&folder, "PRAGMA application_id"), 0x4D694352);
	ck_assert_int_eq(store_folder_int(&folder, "PRAGMA user_version"), 3);
	ck_assert_int_eq(store_folder_int(&folder, "SELECT count(*) FROM pragma_journal_mode"
						   " WHERE journal_mode = 'wal'"),
			 1);
}
END_TEST

START_TEST(open_takes_an_empty_file)
{
	write_file(folder.file, "", 0);
	store_close(store_folder_open(&folder));
	ck_assert_int_eq(store_folder_int(&folder, "PRAGMA user_version"), 3);
}
END_TEST

START_TEST(open_gives_no_special_meaning_to_a_path)
{
	static const char *const paths[] = {":memory:", "file:state?mode=memory", "a b", "%41"};

	ck_assert_int_eq(chdir(folder.path), 0);
	for (size_t i = 0; i < LENGTH(paths); i++) {
		struct store *store;
		struct err err = {0};

		ck_assert_msg(open_path(paths[i], true, &store, &err) == STATUS_OK, "%s", err.msg);
		store_give(store, "ada", "", "e1", 1);
		store_close(store);
		ck_assert_msg(access(paths[i], F_OK) == 0, "%s", paths[i]);
	}
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

static void *open_in_thread(void *context)
{
	struct store **store = context;
	const struct store_sqlite_options options = {.path = folder.file,
						     .busy_timeout_ms = 5000,
						     .n_readers = 1,
						     .cache_bytes = STORE_CACHE,
						     .check = true};
	struct err err = {0};
	enum status status = store_sqlite_open(&options, store, &err);

	ck_assert_msg(status == STATUS_OK || status == STATUS_STATE_BUSY, "%s", err.msg);
	return NULL;
}

START_TEST(open_by_many_at_once_lets_one_in)
{
	struct store *stores[4];
	pthread_t threads[LENGTH(stores)];
	size_t n_open = 0;

	for (size_t i = 0; i < LENGTH(stores); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, open_in_thread, &stores[i]), 0);
	for (size_t i = 0; i < LENGTH(stores); i++) {
		pthread_join(threads[i], NULL);
		n_open += stores[i] != NULL;
	}
	ck_assert_uint_eq(n_open, 1);
	refuse(folder.file, true, STATUS_STATE_BUSY, "another microd", "want it stopped");
	for (size_t i = 0; i < LENGTH(stores); i++) {
		if (stores[i] != NULL)
			ck_assert_uint_eq(store_give(stores[i], "ada", "", "e", 1), 1);
		store_close(stores[i]);
	}
	store_close(store_folder_open(&folder));
}
END_TEST

START_TEST(close_of_nothing_does_nothing)
{
	store_close(NULL);
}
END_TEST

/* ---- refused ---- */

START_TEST(open_refuses_a_file_that_is_no_database)
{
	static const char *const contents[] = {
	    "short", "these are notes, and they should still be here when all is over; they are "
		     "longer than the header of a database, which has one hundred bytes"};

	for (size_t i = 0; i < LENGTH(contents); i++) {
		size_t len;
		char *after;

		write_file(folder.file, contents[i], strlen(contents[i]));
		refuse(folder.file, false, STATUS_STATE_CORRUPT, "not a database", "want a state");
		after = read_file(folder.file, &len);
		ck_assert_str_eq(after, contents[i]);
		mem_free(after);
	}
}
END_TEST

/* Also with content that lies in a write-ahead log only. */
START_TEST(open_refuses_and_spares_the_database_of_another_application)
{
	static const char *const contents[] = {
	    "CREATE TABLE bookmarks (url TEXT)",
	    "PRAGMA application_id = 77",
	    "PRAGMA user_version = 1",
	    "PRAGMA journal_mode = WAL; CREATE TABLE bookmarks (url TEXT)",
	};
	char log[sizeof(folder.file) + 4];
	char *before, *after;
	size_t len, len_after;
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(folder.file, &db), SQLITE_OK);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	ck_assert_int_eq(sqlite3_exec(db, contents[_i], NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	snprintf(log, sizeof(log), "%s-wal", folder.file);
	const char *main_content = access(log, F_OK) == 0 ? log : folder.file;

	before = read_file(main_content, &len);
	refuse(folder.file, true, STATUS_STATE_SCHEMA, "another application", "want a path");
	after = read_file(main_content, &len_after);
	ck_assert_uint_eq(len, len_after);
	ck_assert_mem_eq(before, after, len);
	mem_free(before);
	mem_free(after);
}
END_TEST

START_TEST(open_refuses_another_schema_version)
{
	make_state();
	store_folder_sql(&folder, "PRAGMA user_version = 999");
	refuse(folder.file, true, STATUS_STATE_SCHEMA, "schema version 999", "version 3");
	store_folder_sql(&folder, "PRAGMA user_version = 0");
	refuse(folder.file, true, STATUS_STATE_SCHEMA, "schema version 0", "version 3");
}
END_TEST

START_TEST(open_refuses_what_deletion_cannot_rely_on)
{
	make_state();
	store_folder_sql(&folder, "PRAGMA auto_vacuum = FULL; VACUUM");
	refuse(folder.file, true, STATUS_IO, "PRAGMA auto_vacuum is 1", "want 0");
}
END_TEST

START_TEST(open_refuses_tables_that_are_not_as_they_should_be)
{
	static const struct {
		const char *sql;
		const char *message;
	} cases[] = {
	    {"DROP TABLE events", "events"},
	    {"DROP TABLE states", "states"},
	    {"DROP TABLE events; DROP TABLE states; DROP TABLE models", "events"},
	    {"ALTER TABLE events DROP COLUMN input", "input"},
	    {"ALTER TABLE states RENAME COLUMN updates TO steps", "updates"},
	};

	store_close(store_folder_open(&folder));
	store_folder_sql(&folder, cases[_i].sql);
	refuse(folder.file, true, STATUS_STATE_SCHEMA, cases[_i].message, "want the tables");
}
END_TEST

/* All pages but the first and that of the table folded. */
static void damage_pages(char *bytes, size_t len)
{
	int64_t folded = store_folder_int(&folder, "SELECT rootpage FROM sqlite_schema"
						   " WHERE name = 'folded'");

	for (size_t page = 1; page * 4096 + 64 <= len; page++) {
		if (page + 1 != (size_t)folded)
			memset(bytes + page * 4096, 0xa5, 64);
	}
}

START_TEST(open_refuses_a_damaged_database)
{
	size_t len;
	char *bytes;

	make_state();
	bytes = read_file(folder.file, &len);
	damage_pages(bytes, len);
	write_file(folder.file, bytes, len);
	refuse(folder.file, true, STATUS_STATE_CORRUPT, "", "want it restored");
	write_file(folder.file, bytes, len / 2);
	refuse(folder.file, false, STATUS_STATE_CORRUPT, "malformed", "want it restored");
	mem_free(bytes);
}
END_TEST

/* Without the check the damage shows when the damaged page is read. */
START_TEST(damage_that_was_not_looked_for_is_reported_when_met)
{
	struct store *store;
	struct store_step step;
	struct store_op *op = &step.op;
	struct err err = {0};
	size_t len;
	char *bytes;
	int64_t page;
	double s[STORE_HEADS];
	uint64_t updates;

	make_state();
	page =
	    store_folder_int(&folder, "SELECT rootpage FROM sqlite_schema WHERE name = 'states'");
	bytes = read_file(folder.file, &len);
	memset(bytes + (page - 1) * 4096, 0xa5, 64);
	write_file(folder.file, bytes, len);
	mem_free(bytes);
	ck_assert_msg(open_path(folder.file, false, &store, &err) == STATUS_OK, "%s", err.msg);
	ck_assert_int_eq(
	    store_read_state(store, "ada", "", "model", STORE_HEADS, s, &updates, &err),
	    STATUS_STATE_CORRUPT);
	ck_assert_int_eq(store_check(store, &err), STATUS_STATE_CORRUPT);
	store_step_set(&step, "ada", "", "new", 1);
	store_apply(store, &op, 1, &err);
	ck_assert_int_eq(op->err.code, STATUS_STATE_CORRUPT);
	store_close(store);
}
END_TEST

START_TEST(open_refuses_what_is_not_a_regular_file)
{
	struct store_folder other;

	refuse(folder.path, true, STATUS_IO, "not a regular file", "want one");
	snprintf(other.file, sizeof(other.file), "%.60s/nowhere/a.db", folder.path);
	refuse(other.file, true, STATUS_IO, "No such file or directory", "want a folder");
	refuse("", true, STATUS_IO, "No such file or directory", "want a folder");
	ck_assert_int_eq(symlink("nowhere/a.db", folder.file), 0);
	refuse(folder.file, true, STATUS_IO, "cannot be opened", "No such file");
}
END_TEST

START_TEST(open_refuses_a_file_that_it_may_not_write)
{
	store_close(store_folder_open(&folder));
	ck_assert_int_eq(chmod(folder.file, 0444), 0);
	ck_assert_int_eq(chmod(folder.path, 0755), 0);
	/* root may write everything: go on as nobody, in this process that ends with the test */
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	refuse(folder.file, true, STATUS_IO, "read-only", "may write");
	/* the write-ahead log stands beside the file */
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(chmod(folder.file, 0666), 0);
	ck_assert_int_eq(chmod(folder.path, 0555), 0);
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	refuse(folder.file, true, STATUS_IO, "readonly", "a folder that this user may write");
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(chmod(folder.path, 0700), 0);
}
END_TEST

START_TEST(open_refuses_a_locked_database)
{
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(folder.file, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
	refuse(folder.file, true, STATUS_STATE_BUSY, "locked", "try again");
	sqlite3_close(db);
}
END_TEST

/* ---- check ---- */

START_TEST(check_of_a_good_store_is_ok)
{
	struct store *store = store_folder_open(&folder);

	ck_assert_int_eq(store_check(store, NULL), STATUS_OK);
	store_give(store, "ada", "", "e1", 1);
	ck_assert_int_eq(store_check(store, NULL), STATUS_OK);
	store_close(store);
}
END_TEST

START_TEST(check_notices_that_the_file_was_taken_away)
{
	struct store *store = store_folder_open(&folder);
	struct err err = {0};

	ck_assert_int_eq(unlink(folder.file), 0);
	ck_assert_int_eq(store_check(store, &err), STATUS_IO);
	ck_assert_ptr_nonnull(strstr(err.msg, "gone"));
	write_file(folder.file, "", 0);
	ck_assert_int_eq(store_check(store, &err), STATUS_IO);
	ck_assert_ptr_nonnull(strstr(err.msg, "another file"));
	store_close(store);
}
END_TEST

START_TEST(locked_database_is_busy_until_it_is_free)
{
	struct store *store = store_folder_open(&folder);
	struct store_step step;
	struct store_op *op = &step.op;
	struct err err = {0};
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(folder.file, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	store_step_set(&step, "ada", "", "e1", 1);
	ck_assert_int_eq(store_apply(store, &op, 1, &err), STATUS_STATE_BUSY);
	ck_assert_int_eq(op->err.code, STATUS_STATE_BUSY);
	ck_assert_str_eq(op->err.msg, err.msg);
	ck_assert_int_eq(store_check(store, &err), STATUS_STATE_BUSY);
	sqlite3_close(db);
	ck_assert_int_eq(store_check(store, &err), STATUS_OK);
	ck_assert_int_eq(store_apply_one(store, op), STATUS_OK);
	store_close(store);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_sqlite_open");
	TCase *open = tcase_create("open");
	TCase *refused = tcase_create("refused");
	TCase *check = tcase_create("check");
	TCase *const all[] = {open, refused, check};

	for (size_t i = 0; i < LENGTH(all); i++) {
		tcase_add_checked_fixture(all[i], set_up, tear_down);
		tcase_set_timeout(all[i], 60);
		suite_add_tcase(suite, all[i]);
	}
	tcase_add_test(open, open_makes_a_private_file_and_finds_it_again);
	tcase_add_test(open, open_takes_an_empty_file);
	tcase_add_test(open, open_gives_no_special_meaning_to_a_path);
	tcase_add_test(open, open_by_many_at_once_lets_one_in);
	tcase_add_test(open, close_of_nothing_does_nothing);
	tcase_add_test(refused, open_refuses_a_file_that_is_no_database);
	tcase_add_loop_test(refused, open_refuses_and_spares_the_database_of_another_application, 0,
			    4);
	tcase_add_test(refused, open_refuses_another_schema_version);
	tcase_add_test(refused, open_refuses_what_deletion_cannot_rely_on);
	tcase_add_loop_test(refused, open_refuses_tables_that_are_not_as_they_should_be, 0, 5);
	tcase_add_test(refused, open_refuses_a_damaged_database);
	tcase_add_test(refused, damage_that_was_not_looked_for_is_reported_when_met);
	tcase_add_test(refused, open_refuses_what_is_not_a_regular_file);
	tcase_add_test(refused, open_refuses_a_file_that_it_may_not_write);
	tcase_add_test(refused, open_refuses_a_locked_database);
	tcase_add_test(check, check_of_a_good_store_is_ok);
	tcase_add_test(check, check_notices_that_the_file_was_taken_away);
	tcase_add_test(check, locked_database_is_busy_until_it_is_free);
	return unit_run(suite);
}
