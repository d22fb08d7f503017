/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_sqlite_delete.c - of a deleted user no byte stays in the files. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "server/store_sqlite_vfs.h"
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

/* NULL if there is no such file. */
static unsigned char *read_file(const char *path, size_t *len_out)
{
	FILE *file = fopen(path, "rb");
	struct stat info;
	unsigned char *bytes;

	*len_out = 0;
	if (file == NULL)
		return NULL;
	ck_assert_int_eq(fstat(fileno(file), &info), 0);
	*len_out = (size_t)info.st_size;
	bytes = mem_array(*len_out, 1);
	ck_assert_uint_eq(fread(bytes, 1, *len_out, file), *len_out);
	fclose(file);
	return bytes;
}

/* ---- the file layer ---- */

/* Bytes other than 0 in the unallocated space of B-tree pages, of 4096 bytes each. */
static size_t count_left_over(const unsigned char *bytes, size_t len)
{
	size_t n = 0;

	for (size_t page = 0; page + 4096 <= len; page += 4096) {
		const unsigned char *header = bytes + page + (page == 0 ? 100 : 0);
		size_t header_len = *header == 2 || *header == 5 ? 12 : 8;
		size_t n_cells = (size_t)header[3] << 8 | header[4];
		size_t first_cell = (size_t)header[5] << 8 | header[6];

		if (*header != 2 && *header != 5 && *header != 10 && *header != 13)
			continue;
		for (const unsigned char *byte = header + header_len + 2 * n_cells;
		     byte < bytes + page + first_cell; byte++)
			n += *byte != 0;
	}
	return n;
}

/* Rows in random order, some deleted again; what is left over in the file. */
static size_t write_and_count_left_over(const char *vfs, const char *journal)
{
	sqlite3 *db;
	unsigned char *bytes;
	size_t len, n;
	char sql[512];

	unlink(folder.file);
	ck_assert_int_eq(
	    sqlite3_open_v2(folder.file, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs),
	    SQLITE_OK);
	snprintf(sql, sizeof(sql),
		 "PRAGMA page_size = 4096; PRAGMA journal_mode = %s; PRAGMA secure_delete = ON;"
		 "CREATE TABLE t (a TEXT PRIMARY KEY, b BLOB) WITHOUT ROWID;"
		 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000)"
		 " INSERT INTO t SELECT printf('%%08x', i * 2654435761 %% 4294967296),"
		 " zeroblob(i * 7919 %% 300) FROM n;"
		 "DELETE FROM t WHERE a LIKE '%%7'; INSERT INTO t VALUES ('x', zeroblob(10000));"
		 "PRAGMA wal_checkpoint(TRUNCATE)",
		 journal);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s",
		      sqlite3_errmsg(db));
	sqlite3_close(db);
	ck_assert_int_eq(store_folder_int(&folder, "SELECT count(*) FROM pragma_integrity_check"
						   " WHERE integrity_check = 'ok'"),
			 1);
	bytes = read_file(folder.file, &len);
	n = count_left_over(bytes, len);
	mem_free(bytes);
	return n;
}

START_TEST(file_layer_leaves_nothing_in_unallocated_space)
{
	ck_assert(vfs_register());
	/* otherwise this test would show nothing */
	ck_assert_uint_gt(write_and_count_left_over(NULL, "WAL"), 0);
	ck_assert_uint_eq(write_and_count_left_over(VFS_NAME, "WAL"), 0);
	ck_assert_uint_eq(write_and_count_left_over(VFS_NAME, "DELETE"), 0);
}
END_TEST

/* ---- delete ---- */

static bool file_has(const char *path, const char *text)
{
	size_t len;
	unsigned char *bytes = read_file(path, &len);
	bool found = bytes != NULL && memmem(bytes, len, text, strlen(text)) != NULL;

	mem_free(bytes);
	return found;
}

static bool files_have(const char *text)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	char path[sizeof(folder.file) + 4];
	bool found = false;

	for (size_t i = 0; i < LENGTH(ends); i++) {
		snprintf(path, sizeof(path), "%s%s", folder.file, ends[i]);
		found |= file_has(path, text);
	}
	return found;
}

/* Everything of a user carries the user's mark. */
static void give_marked(struct store *store, unsigned user, struct rng *rng)
{
	static char input[8192];
	struct store_step step;
	char name[32], context[48], id[64];
	size_t len = (size_t)(rng_next(rng) % 6000);

	snprintf(name, sizeof(name), "mark-%u-", user);
	snprintf(context, sizeof(context), "c%u %s", (unsigned)(rng_next(rng) % 3), name);
	/* the index on events is written at random places */
	snprintf(id, sizeof(id), "%08x %s", (unsigned)rng_next(rng), name);
	store_step_set(&step, name, context, id, user);
	memset(input, 0, sizeof(input));
	for (size_t at = 0; at < len; at += strlen(name))
		memcpy(input + at, name, strlen(name));
	step.op.feedback.input = input;
	ck_assert_int_eq(store_apply_one(store, &step.op), STATUS_OK);
}

START_TEST(delete_leaves_no_byte_of_the_user)
{
	enum { N_USERS = 12 };
	struct store *store = store_folder_open(&folder);
	struct rng rng;
	char mark[32];

	rng_init(&rng, 5);
	for (unsigned user = 0; user < N_USERS; user++) {
		for (unsigned i = 0; i < 60; i++) {
			give_marked(store, user, &rng);
			give_marked(store, (unsigned)(user + rng_next(&rng) % (N_USERS - user)),
				    &rng);
		}
		snprintf(mark, sizeof(mark), "mark-%u-", user);
		ck_assert(files_have(mark));
		ck_assert_uint_ge(store_delete(store, mark), 60);
		ck_assert_msg(!files_have(mark), "%s", mark);
		if (user + 1 < N_USERS) {
			snprintf(mark, sizeof(mark), "mark-%u-", N_USERS - 1);
			ck_assert(files_have(mark));
		}
	}
	store_close(store);
}
END_TEST

START_TEST(delete_waits_for_no_long_reader_and_is_complete_later)
{
	struct store *store = store_folder_open(&folder);
	sqlite3 *db;

	store_give(store, "mark-1-", "", "e1", 1);
	ck_assert_int_eq(sqlite3_open(folder.file, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM events", NULL, NULL, NULL),
			 SQLITE_OK);
	ck_assert_uint_eq(store_delete(store, "mark-1-"), 1);
	ck_assert(files_have("mark-1-"));
	sqlite3_close(db);
	store_give(store, "bob", "", "e1", 1);
	ck_assert(!files_have("mark-1-"));
	store_close(store);
}
END_TEST

static void delete_and_stop(void)
{
	struct store *store = store_folder_open(&folder);
	sqlite3 *db;

	/* a reader keeps the log from being emptied, then the power fails */
	ck_assert_int_eq(sqlite3_open(folder.file, &db), SQLITE_OK);
	sqlite3_exec(db, "BEGIN; SELECT count(*) FROM events", NULL, NULL, NULL);
	store_delete(store, "mark-1-");
	_exit(0);
}

START_TEST(open_completes_the_deletion_of_a_killed_process)
{
	struct store *store = store_folder_open(&folder);
	pid_t child;
	int status;

	store_give(store, "mark-1-", "", "e1", 1);
	store_close(store);
	child = fork();
	if (child == 0)
		delete_and_stop();
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert(files_have("mark-1-"));
	store = store_folder_open(&folder);
	ck_assert(!files_have("mark-1-"));
	store_close(store);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_sqlite_delete");
	TCase *tcase = tcase_create("delete");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, file_layer_leaves_nothing_in_unallocated_space);
	tcase_add_test(tcase, delete_leaves_no_byte_of_the_user);
	tcase_add_test(tcase, delete_waits_for_no_long_reader_and_is_complete_later);
	tcase_add_test(tcase, open_completes_the_deletion_of_a_killed_process);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
