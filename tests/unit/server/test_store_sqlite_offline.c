/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store_sqlite_offline.h"
#include "tests/unit/server/store_fixture.h"
#include "tests/unit/unit.h"

static struct store_folder folder, copies;
static char copy[96];
static struct store_facts facts;
static struct err err;

static void set_up(void)
{
	store_folder_make(&folder);
	store_folder_make(&copies);
	snprintf(copy, sizeof(copy), "%s/copy.db", copies.path);
}

static void tear_down(void)
{
	store_folder_remove(&folder);
	store_folder_remove(&copies);
}

static size_t count_copies(void)
{
	DIR *entries = opendir(copies.path);
	const struct dirent *entry;
	size_t n = 0;

	while ((entry = readdir(entries)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(entries);
	return n;
}

static enum status back_up(void)
{
	return store_sqlite_backup(folder.file, copy, &facts, &err);
}

START_TEST(facts_count_users_and_events_while_it_is_open)
{
	struct store *store = store_folder_open(&folder);

	store_give(store, "ada", "", "1", 1);
	store_give(store, "ada", "c", "2", 2);
	store_give(store, "bob", "c", "1", 3);
	ck_assert_msg(store_sqlite_inspect(folder.file, &facts, &err) == STATUS_OK, "%s", err.msg);
	ck_assert_int_eq(facts.n_users, 2);
	ck_assert_int_eq(facts.n_events, 3);
	store_close(store);
}
END_TEST

START_TEST(empty_file_is_a_state_to_come)
{
	close(open(folder.file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	ck_assert_int_eq(store_sqlite_inspect(folder.file, &facts, &err), STATUS_OK);
	ck_assert_int_eq(facts.n_events, 0);
}
END_TEST

START_TEST(what_is_no_state_is_refused)
{
	ck_assert_int_eq(store_sqlite_inspect(folder.file, &facts, &err), STATUS_IO);
	ck_assert_int_eq(back_up(), STATUS_IO);
	ck_assert_ptr_nonnull(strstr(err.msg, folder.file));
	store_folder_sql(&folder, "CREATE TABLE t (x)");
	ck_assert_int_eq(store_sqlite_inspect(folder.file, &facts, &err), STATUS_STATE_SCHEMA);
	ck_assert_int_eq(back_up(), STATUS_STATE_SCHEMA);
	ck_assert_uint_eq(count_copies(), 0);
}
END_TEST

START_TEST(copy_is_a_state_of_the_moment)
{
	struct store *store = store_folder_open(&folder);
	struct store_folder copied = copies;
	struct stat info;

	store_give(store, "ada", "c", "1", 1);
	ck_assert_msg(back_up() == STATUS_OK, "%s", err.msg);
	ck_assert_int_eq(facts.n_events, 1);
	store_give(store, "ada", "c", "2", 2);
	store_close(store);
	ck_assert_int_eq(stat(copy, &info), 0);
	ck_assert_uint_eq(info.st_mode & 0777, 0600);
	ck_assert_uint_eq(count_copies(), 1);

	strcpy(copied.file, copy);
	store = store_folder_open(&copied);
	ck_assert_uint_eq(store_give(store, "ada", "c", "2", 2), 2);
	store_close(store);
}
END_TEST

START_TEST(name_that_is_taken_stays_as_it_is)
{
	struct store *store = store_folder_open(&folder);

	store_give(store, "ada", "", "1", 1);
	ck_assert_int_eq(store_sqlite_backup(folder.file, folder.file, &facts, &err), STATUS_IO);
	ck_assert_ptr_nonnull(strstr(err.msg, "there already"));
	ck_assert_int_eq(store_folder_int(&folder, "SELECT count(*) FROM events"), 1);
	store_close(store);
}
END_TEST

START_TEST(damaged_source_gives_no_copy)
{
	struct store *store = store_folder_open(&folder);
	char junk[4096];
	int fd;

	for (unsigned i = 0; i < 200; i++) {
		char user[16];

		snprintf(user, sizeof(user), "user %u", i);
		store_give(store, user, "", "1", i);
	}
	store_close(store);
	fd = open(folder.file, O_WRONLY | O_CLOEXEC);
	memset(junk, 0xff, sizeof(junk));
	for (off_t page = 3; page < 6; page++)
		ck_assert_int_eq(pwrite(fd, junk, sizeof(junk), page * 4096), sizeof(junk));
	close(fd);
	ck_assert_int_eq(store_sqlite_inspect(folder.file, &facts, &err), STATUS_STATE_CORRUPT);
	ck_assert_int_eq(back_up(), STATUS_STATE_CORRUPT);
	ck_assert_uint_eq(count_copies(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_sqlite_offline");
	TCase *tcase = tcase_create("offline");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, facts_count_users_and_events_while_it_is_open);
	tcase_add_test(tcase, empty_file_is_a_state_to_come);
	tcase_add_test(tcase, what_is_no_state_is_refused);
	tcase_add_test(tcase, copy_is_a_state_of_the_moment);
	tcase_add_test(tcase, name_that_is_taken_stays_as_it_is);
	tcase_add_test(tcase, damaged_source_gives_no_copy);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
