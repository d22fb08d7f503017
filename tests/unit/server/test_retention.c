/* SPDX-License-Identifier: Apache-2.0 */
/* test_retention.c - the thread that asks for the steps. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server/log.h"
#include "server/retention.h"
#include "tests/unit/server/expire_fixture.h"
#include "tests/unit/unit.h"

#define DAY_US	 86400000000
#define MAX_NAPS 20000 /* of a millisecond */

static struct store_folder folder;
static struct store *store;
static struct writer *writer;
static int log_ends[2];

static void set_up(void)
{
	ck_assert_int_eq(pipe2(log_ends, O_NONBLOCK), 0);
	log_open(LOG_INFO, log_ends[1]);
	store_folder_make(&folder);
	store = store_folder_open(&folder);
	ck_assert_int_eq(writer_start(store, 16, 16, &writer, NULL), STATUS_OK);
}

static void tear_down(void)
{
	writer_stop(writer);
	store_close(store);
	store_folder_remove(&folder);
	close(log_ends[0]);
	close(log_ends[1]);
}

/* Two days and a half after all that the fixtures give. */
static int64_t now_us(void)
{
	return STORE_TIME_US + 5 * DAY_US / 2;
}

static struct retention *start(double days)
{
	const struct retention_options options = {.days = days, .now_us = now_us, .writer = writer};
	struct retention *retention;

	ck_assert_int_eq(retention_start(&options, &retention, NULL), STATUS_OK);
	return retention;
}

static void nap(void)
{
	const struct timespec ms = {.tv_nsec = 1000000};

	nanosleep(&ms, NULL);
}

static struct retention_stats wait_for(struct retention *retention)
{
	struct retention_stats stats = {0};

	for (int i = 0; i < MAX_NAPS && stats.passes + stats.failures == 0; i++) {
		nap();
		retention_stats(retention, &stats);
	}
	return stats;
}

START_TEST(users_older_than_the_days_are_deleted_and_told_by_number)
{
	struct retention *retention;
	struct retention_stats stats;
	char text[2048];
	ssize_t n;

	expire_give_many(store, "secret", STORE_EXPIRE_EVENTS + 10);
	store_give(store, "another", "", "e", 1);
	retention = start(2);
	stats = wait_for(retention);
	retention_stop(retention);
	ck_assert_double_eq(stats.seconds, 2 * 86400);
	ck_assert_uint_eq(stats.passes, 1);
	ck_assert_uint_eq(stats.failures, 0);
	ck_assert_uint_eq(stats.users, 2);
	ck_assert_uint_eq(stats.events, STORE_EXPIRE_EVENTS + 11);
	ck_assert_int_eq(store_folder_int(&folder, "SELECT count(*) FROM events"), 0);
	n = read(log_ends[0], text, sizeof(text) - 1);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	ck_assert_ptr_nonnull(strstr(text, "event=retention days=2 users=2 events=523 "));
	ck_assert_ptr_null(strstr(text, "secret"));
}
END_TEST

START_TEST(younger_users_stay_and_nothing_is_told)
{
	struct retention *retention;
	struct retention_stats stats;
	char byte;

	store_give(store, "ada", "", "e", 1);
	retention = start(3);
	stats = wait_for(retention);
	retention_stop(retention);
	ck_assert_uint_eq(stats.passes, 1);
	ck_assert_uint_eq(stats.users, 0);
	ck_assert_int_eq(store_folder_int(&folder, "SELECT count(*) FROM events"), 1);
	ck_assert_int_lt(read(log_ends[0], &byte, 1), 0);
}
END_TEST

START_TEST(pass_that_breaks_off_is_counted_and_told)
{
	struct retention *retention;
	struct retention_stats stats;
	char text[2048];
	sqlite3 *db;
	ssize_t n;

	store_give(store, "ada", "", "e", 1);
	ck_assert_int_eq(sqlite3_open(folder.file, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	retention = start(2);
	stats = wait_for(retention);
	retention_stop(retention);
	sqlite3_close(db);
	ck_assert_uint_eq(stats.failures, 1);
	ck_assert_uint_eq(stats.passes, 0);
	n = read(log_ends[0], text, sizeof(text) - 1);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	ck_assert_ptr_nonnull(strstr(text, "event=retention_failed"));
	ck_assert_ptr_nonnull(strstr(text, "code=state_busy"));
}
END_TEST

START_TEST(stop_does_not_wait_for_the_end_of_a_pass)
{
	struct retention *retention;

	expire_give_many(store, "many", 3 * STORE_EXPIRE_EVENTS);
	retention = start(2);
	retention_stop(retention);
	retention_stop(NULL);
}
END_TEST

START_TEST(without_retention_all_is_zero)
{
	struct retention_stats stats;

	retention_stats(NULL, &stats);
	ck_assert_double_eq(stats.seconds, 0);
	ck_assert_uint_eq(stats.passes, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("retention");
	TCase *tcase = tcase_create("retention");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, users_older_than_the_days_are_deleted_and_told_by_number);
	tcase_add_test(tcase, younger_users_stay_and_nothing_is_told);
	tcase_add_test(tcase, pass_that_breaks_off_is_counted_and_told);
	tcase_add_test(tcase, stop_does_not_wait_for_the_end_of_a_pass);
	tcase_add_test(tcase, without_retention_all_is_zero);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
