/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_sqlite_migrate.c - databases of older schema versions are taken over, whole or not at
 * all.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "server/store_sqlite_offline.h"
#include "tests/unit/server/store_fixture.h"
#include "tests/unit/unit.h"

#define N_USERS	 40
#define N_EVENTS 600
#define N_KILLS	 20

/* As version 1 of schema/sqlite.sql had it. */
static const char make_version_1[] =
    "PRAGMA application_id = 0x4D694352; PRAGMA user_version = 1; PRAGMA journal_mode = WAL;"
    "CREATE TABLE models (model INTEGER PRIMARY KEY,"
    " id TEXT NOT NULL UNIQUE CHECK (id <> ''),"
    " n_heads INTEGER NOT NULL CHECK (n_heads > 0)) STRICT;"
    "CREATE TABLE states (user TEXT NOT NULL CHECK (user <> ''), context TEXT NOT NULL,"
    " model INTEGER NOT NULL REFERENCES models, log_weights BLOB NOT NULL,"
    " updates INTEGER NOT NULL CHECK (updates > 0), updated_us INTEGER NOT NULL,"
    " PRIMARY KEY (user, context, model)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE events (seq INTEGER PRIMARY KEY, user TEXT NOT NULL CHECK (user <> ''),"
    " id TEXT NOT NULL CHECK (id <> ''), context TEXT NOT NULL,"
    " model INTEGER NOT NULL REFERENCES models, time_us INTEGER NOT NULL,"
    " temperature REAL NOT NULL CHECK (temperature > 0),"
    " strength REAL NOT NULL CHECK (strength >= 0),"
    " drift REAL NOT NULL CHECK (drift >= 0 AND drift < 1),"
    " digest BLOB NOT NULL CHECK (length(digest) = 16),"
    " losses BLOB NOT NULL CHECK (length(losses) = length(weights)),"
    " weights BLOB NOT NULL CHECK (length(weights) > 0),"
    " updates INTEGER NOT NULL CHECK (updates > 0), input TEXT,"
    " UNIQUE (user, id)) STRICT;";

static const char copy_to_version_1[] =
    "INSERT INTO old.models SELECT * FROM models;"
    "INSERT INTO old.states SELECT user, context, model, log_weights, updates, updated_us"
    " FROM states;"
    "INSERT INTO old.events SELECT * FROM events;";

static struct store_folder folder;
static char original[96]; /* a database of version 1 */

static void set_up(void)
{
	store_folder_make(&folder);
	snprintf(original, sizeof(original), "%s/version1", folder.path);
}

static void tear_down(void)
{
	store_folder_remove(&folder);
}

/* ---- helpers ---- */

static void give(struct store *store, unsigned i)
{
	static const char *const contexts[] = {"", "work"};
	static const char input[] = "{\"prompt\": \"mark of a pair\"}";
	struct store_step step;
	char user[32], id[32];

	snprintf(user, sizeof(user), "user-%u-", i % N_USERS);
	snprintf(id, sizeof(id), "event %u", i);
	store_step_set(&step, user, contexts[i / N_USERS % 2], id, i);
	if (i % 7 == 0)
		store_step_resize(&step, "other", 5);
	step.op.feedback.input = input;
	ck_assert_int_eq(store_apply_one(store, &step.op), STATUS_OK);
	ck_assert_int_eq(step.op.feedback.duplicate_out, false);
}

static void run_sql(const char *path, const char *sql)
{
	struct store_folder other = {0};

	snprintf(other.file, sizeof(other.file), "%.79s", path);
	store_folder_sql(&other, sql);
}

/* The states of a store, but in a database as version 1 made it. */
static void make_original(void)
{
	struct store *store = store_folder_open(&folder);
	char sql[2048];

	for (unsigned i = 0; i < N_EVENTS; i++)
		give(store, i);
	store_close(store);
	run_sql(original, make_version_1);
	snprintf(sql, sizeof(sql), "ATTACH '%s' AS old; %s", original, copy_to_version_1);
	run_sql(folder.file, sql);
}

static void copy_file(const char *from, const char *to)
{
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
	char bytes[65536];
	size_t n;

	ck_assert_ptr_nonnull(in);
	ck_assert_ptr_nonnull(out);
	while ((n = fread(bytes, 1, sizeof(bytes), in)) > 0)
		ck_assert_uint_eq(fwrite(bytes, 1, n, out), n);
	fclose(in);
	ck_assert_int_eq(fclose(out), 0);
}

/* The original in the place of the store's file. */
static void put_original(void)
{
	char side[sizeof(folder.file) + 4];

	copy_file(original, folder.file);
	snprintf(side, sizeof(side), "%s-wal", folder.file);
	unlink(side);
	snprintf(side, sizeof(side), "%s-shm", folder.file);
	unlink(side);
}

static int64_t count_with_original(const char *sql)
{
	char attached[1024];
	struct store_folder both = folder;
	sqlite3 *db;
	sqlite3_stmt *stmt;
	int64_t n;

	snprintf(attached, sizeof(attached), "ATTACH '%s' AS old", original);
	ck_assert_int_eq(sqlite3_open(both.file, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, attached, NULL, NULL, NULL), SQLITE_OK);
	ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK, "%s",
		      sqlite3_errmsg(db));
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return n;
}

/* Everything that the original has is there, bit for bit, and nothing else. */
static void assert_taken_over(void)
{
	ck_assert_int_eq(store_folder_int(&folder, "PRAGMA user_version"), 3);
	ck_assert_int_eq(
	    count_with_original("SELECT count(*) FROM (SELECT user, context, model, log_weights,"
				" updates, updated_us FROM main.states"
				" EXCEPT SELECT * FROM old.states)"),
	    0);
	ck_assert_int_eq(count_with_original("SELECT count(*) FROM (SELECT * FROM main.events"
					     " EXCEPT SELECT * FROM old.events)"),
			 0);
	ck_assert_int_eq(count_with_original("SELECT (SELECT count(*) FROM old.states) ="
					     " (SELECT count(*) FROM main.states)"),
			 1);
	ck_assert_int_eq(store_folder_int(&folder, "SELECT count(*) FROM events"), N_EVENTS);
	ck_assert_int_eq(store_folder_int(&folder, "SELECT count(*) FROM event_keys"), N_EVENTS);
	ck_assert_int_eq(store_folder_int(&folder, "SELECT count(*) FROM sqlite_schema"
						   " WHERE name LIKE '%\\_1' ESCAPE '\\'"
						   " AND name NOT LIKE 'sqlite_autoindex%'"),
			 0);
	ck_assert_int_eq(store_folder_int(&folder, "SELECT count(*) FROM pragma_integrity_check"
						   " WHERE integrity_check = 'ok'"),
			 1);
}

/* ---- tests ---- */

START_TEST(version_1_is_taken_over_bit_for_bit)
{
	struct store *store;

	make_original();
	put_original();
	store_close(store_folder_open(&folder));
	assert_taken_over();
	/* and learning goes on where it was: each id is known, a new one is not */
	store = store_folder_open(&folder);
	for (unsigned i = 0; i < N_EVENTS; i += 41) {
		struct store_step step;
		char user[32], id[32];

		snprintf(user, sizeof(user), "user-%u-", i % N_USERS);
		snprintf(id, sizeof(id), "event %u", i);
		store_step_set(&step, user, "", id, i);
		ck_assert_int_eq(store_apply_one(store, &step.op), STATUS_OK);
		ck_assert(step.op.feedback.duplicate_out);
	}
	ck_assert_uint_eq(store_give(store, "user-1-", "", "new", 1),
			  1 + (uint64_t)count_with_original(
				  "SELECT updates FROM old.states JOIN old.models USING (model)"
				  " WHERE user = 'user-1-' AND context = '' AND id = 'model'"));
	store_close(store);
}
END_TEST

START_TEST(tables_are_those_of_a_new_database)
{
	struct store *store;

	make_original();
	store = store_folder_open(&folder); /* new from the start */
	store_close(store);
	ck_assert_int_eq(rename(folder.file, original), 0);
	run_sql(folder.file, make_version_1);
	store_close(store_folder_open(&folder));
	ck_assert_int_eq(
	    count_with_original(
		"SELECT count(*) FROM (SELECT type, name, tbl_name, replace(sql, '\"', '')"
		" FROM main.sqlite_schema"
		" EXCEPT SELECT type, name, tbl_name, sql FROM old.sqlite_schema)"),
	    0);
}
END_TEST

static bool file_has(const char *path, const char *text)
{
	FILE *file = fopen(path, "rb");
	struct stat info;
	char *bytes;
	bool found;

	if (file == NULL)
		return false;
	ck_assert_int_eq(fstat(fileno(file), &info), 0);
	bytes = mem_array((size_t)info.st_size + 1, 1);
	ck_assert_uint_eq(fread(bytes, 1, (size_t)info.st_size, file), (size_t)info.st_size);
	fclose(file);
	found = memmem(bytes, (size_t)info.st_size, text, strlen(text)) != NULL;
	mem_free(bytes);
	return found;
}

START_TEST(nothing_of_a_deleted_user_stays_in_what_the_old_tables_were)
{
	char log[sizeof(folder.file) + 4];
	struct store *store;

	make_original();
	put_original();
	snprintf(log, sizeof(log), "%s-wal", folder.file);
	store = store_folder_open(&folder);
	for (unsigned user = 0; user < N_USERS; user += 3) {
		char name[32];

		snprintf(name, sizeof(name), "user-%u-", user);
		ck_assert_uint_eq(store_delete(store, name), N_EVENTS / N_USERS);
		ck_assert(!file_has(folder.file, name) && !file_has(log, name));
	}
	for (unsigned user = 0; user < N_USERS; user++) {
		char name[32];

		snprintf(name, sizeof(name), "user-%u-", user);
		if (user % 3 != 0)
			ck_assert_uint_eq(store_delete(store, name), N_EVENTS / N_USERS);
	}
	ck_assert(!file_has(folder.file, "mark of a pair") && !file_has(log, "mark of a pair"));
	store_close(store);
}
END_TEST

static void open_and_be_killed(unsigned delay_us)
{
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		store_close(store_folder_open(&folder));
		_exit(0);
	}
	usleep(delay_us);
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

START_TEST(kill_leaves_the_old_database_or_the_new_one)
{
	struct rng rng;

	make_original();
	rng_init(&rng, 6);
	for (unsigned i = 0; i < N_KILLS; i++) {
		struct store_facts facts;
		struct err err = {0};

		put_original();
		open_and_be_killed((unsigned)(rng_next(&rng) % 30000));
		/* whichever it is, it is whole, and microd check can tell */
		ck_assert_msg(store_sqlite_inspect(folder.file, &facts, &err) == STATUS_OK, "%s",
			      err.msg);
		ck_assert_int_eq(facts.n_users, N_USERS);
		ck_assert_int_eq(facts.n_events, N_EVENTS);
		store_close(store_folder_open(&folder));
		assert_taken_over();
	}
}
END_TEST

START_TEST(damaged_version_1_is_left_as_it_is)
{
	const struct store_sqlite_options options = {.path = folder.file,
						     .busy_timeout_ms = 50,
						     .n_readers = 1,
						     .cache_bytes = STORE_CACHE,
						     .check = false};
	struct err err = {0};
	struct store *store;

	make_original();
	put_original();
	store_folder_sql(&folder, "UPDATE events SET digest = zeroblob(16);"
				  "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql ="
				  " replace(sql, 'input TEXT', 'inputs TEXT')");
	ck_assert_int_eq(store_sqlite_open(&options, &store, &err), STATUS_STATE_SCHEMA);
	ck_assert_msg(strstr(err.msg, "from schema version 1 to 3") != NULL &&
			  strstr(err.msg, "input") != NULL,
		      "%s", err.msg);
	ck_assert_int_eq(store_folder_int(&folder, "PRAGMA user_version"), 1);
	ck_assert_int_eq(store_folder_int(&folder, "SELECT count(*) FROM events"), N_EVENTS);
}
END_TEST

/* Version 2 is version 3 without the table leaving. */
START_TEST(version_2_is_taken_over_with_everything_in_it)
{
	struct store *store = store_folder_open(&folder);
	struct store_user user;

	store_close(store);
	ck_assert_int_eq(rename(folder.file, original), 0);
	store = store_folder_open(&folder);
	store_give(store, "ada", "work", "e1", 1);
	store_close(store);
	store_folder_sql(&folder, "DROP TABLE leaving; PRAGMA user_version = 2");
	store = store_folder_open(&folder);
	ck_assert_int_eq(store_read_user(store, "ada", NULL, &user, NULL), STATUS_OK);
	ck_assert_uint_eq(user.n_states, 2);
	store_user_free(&user);
	store_close(store);
	ck_assert_int_eq(store_folder_int(&folder, "PRAGMA user_version"), 3);
	ck_assert_int_eq(store_folder_int(&folder, "SELECT count(*) FROM events"), 1);
	ck_assert_int_eq(
	    count_with_original("SELECT count(*) FROM (SELECT type, name, tbl_name, sql"
				" FROM main.sqlite_schema EXCEPT"
				" SELECT type, name, tbl_name, sql FROM old.sqlite_schema)"),
	    0);
	ck_assert_int_eq(count_with_original("SELECT (SELECT count(*) FROM main.sqlite_schema) ="
					     " (SELECT count(*) FROM old.sqlite_schema)"),
			 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_sqlite_migrate");
	TCase *tcase = tcase_create("version 1");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, version_1_is_taken_over_bit_for_bit);
	tcase_add_test(tcase, tables_are_those_of_a_new_database);
	tcase_add_test(tcase, nothing_of_a_deleted_user_stays_in_what_the_old_tables_were);
	tcase_add_test(tcase, kill_leaves_the_old_database_or_the_new_one);
	tcase_add_test(tcase, damaged_version_1_is_left_as_it_is);
	tcase_add_test(tcase, version_2_is_taken_over_with_everything_in_it);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
