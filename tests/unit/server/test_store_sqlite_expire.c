/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_sqlite_expire.c - who is old goes, whole, whatever happens between two steps. */
#include <stdio.h>
#include <string.h>

#include "core/base/rng.h"
#include "tests/unit/server/expire_fixture.h"
#include "tests/unit/server/lines_fixture.h"
#include "tests/unit/unit.h"

#define N_MANY (STORE_EXPIRE_EVENTS * 2 + 100)
/* Seeds from here on are young. */
#define YOUNG  1000
#define BEFORE (STORE_TIME_US + YOUNG)

static struct store_folder folder, other;

static void set_up(void)
{
	store_folder_make(&folder);
	store_folder_make(&other);
}

static void tear_down(void)
{
	store_folder_remove(&folder);
	store_folder_remove(&other);
}

static enum status status_of(struct store *store, const char *user)
{
	struct store_user shown;
	enum status status = store_read_user(store, user, NULL, &shown, NULL);

	store_user_free(&shown);
	return status;
}

static int64_t n_events(const char *user)
{
	char sql[128];

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM events WHERE user = '%s'", user);
	return store_folder_int(&folder, sql);
}

static void assert_nobody_leaves(void)
{
	ck_assert_int_eq(store_folder_int(&folder, "SELECT count(*) FROM leaving"), 0);
	ck_assert_int_eq(store_folder_int(&folder, "SELECT count(*) FROM event_keys k LEFT JOIN"
						   " events e USING (seq) WHERE e.seq IS NULL"),
			 0);
}

START_TEST(old_users_go_and_young_ones_stay)
{
	struct store *store = store_folder_open(&folder);

	store_give(store, "old", "work", "e1", 1);
	store_give(store, "old", "", "e2", YOUNG - 1);
	store_give(store, "back", "work", "e1", 1);
	store_give(store, "back", "home", "e2", YOUNG);
	store_give(store, "young", "", "e1", YOUNG + 1);
	ck_assert_uint_eq(expire_all(store, BEFORE), 1);
	ck_assert_int_eq(status_of(store, "old"), STATUS_NOT_FOUND);
	ck_assert_int_eq(n_events("old"), 0);
	ck_assert_int_eq(n_events("back"), 2);
	ck_assert_int_eq(status_of(store, "young"), STATUS_OK);
	ck_assert_uint_eq(expire_all(store, BEFORE), 0);
	assert_nobody_leaves();
	store_close(store);
}
END_TEST

START_TEST(more_users_than_a_step_takes_all_go)
{
	enum { N_USERS = 3 * STORE_EXPIRE_USERS };
	struct store *store = store_folder_open_small(&folder);
	char name[16];

	for (unsigned i = 0; i < N_USERS; i++) {
		snprintf(name, sizeof(name), "user %u", i);
		store_give(store, name, "work", "e", i % 3 == 0 ? YOUNG : 1);
	}
	ck_assert_uint_eq(expire_all(store, BEFORE), N_USERS - N_USERS / 3);
	ck_assert_int_eq(store_folder_int(&folder, "SELECT count(*) FROM events"), N_USERS / 3);
	store_close(store);
}
END_TEST

/* ---- of many events ---- */

/* Up to the step in which many begins to leave, and no farther. */
static struct store *open_half_way(struct expire_pass *pass)
{
	struct store *store = store_folder_open(&folder);

	expire_give_many(store, "many", N_MANY);
	store_give(store, "young", "", "e", YOUNG);
	expire_begin(pass, BEFORE);
	while (pass->expire.users_out == 0)
		ck_assert(!expire_step(store, pass));
	ck_assert_int_eq(status_of(store, "many"), STATUS_NOT_FOUND);
	ck_assert_int_eq(n_events("many"), N_MANY - STORE_EXPIRE_EVENTS);
	ck_assert_int_eq(store_folder_int(&folder, "SELECT count(*) FROM leaving"), 1);
	return store;
}

START_TEST(many_events_go_some_at_a_time)
{
	struct expire_pass pass;
	struct store *store = open_half_way(&pass);
	unsigned n_steps = 1;

	while (!expire_step(store, &pass))
		n_steps++;
	ck_assert_uint_ge(n_steps, 3);
	ck_assert_uint_eq(pass.expire.users_out, 1);
	ck_assert_uint_eq(pass.expire.events_out, N_MANY);
	ck_assert_int_eq(n_events("many"), 0);
	ck_assert_int_eq(n_events("young"), 1);
	assert_nobody_leaves();
	store_close(store);
}
END_TEST

START_TEST(a_restart_ends_what_was_begun)
{
	struct expire_pass pass;

	store_close(open_half_way(&pass));
	ck_assert_int_eq(n_events("many"), N_MANY - STORE_EXPIRE_EVENTS);
	store_close(store_folder_open(&folder));
	ck_assert_int_eq(n_events("many"), 0);
	ck_assert_int_eq(n_events("young"), 1);
	assert_nobody_leaves();
}
END_TEST

START_TEST(who_comes_back_half_way_begins_anew)
{
	struct expire_pass pass;
	struct store *store = open_half_way(&pass);

	/* an id of before is free again */
	ck_assert_uint_eq(store_give(store, "many", "work", "many 0", 1), 1);
	ck_assert_int_eq(n_events("many"), 1);
	assert_nobody_leaves();
	while (!expire_step(store, &pass))
		continue;
	ck_assert_int_eq(n_events("many"), 1);
	store_close(store);
}
END_TEST

START_TEST(half_of_a_user_is_deleted_as_a_whole_one)
{
	struct expire_pass pass;
	struct store *store = open_half_way(&pass);

	ck_assert_uint_eq(store_delete(store, "many"), 0);
	ck_assert_int_eq(n_events("many"), 0);
	assert_nobody_leaves();
	store_close(store);
}
END_TEST

START_TEST(who_is_imported_half_way_is_as_imported)
{
	struct store *copy = store_folder_open(&other), *store;
	struct buffer lines = {0}, after = {0};
	struct expire_pass pass;

	store_give(copy, "many", "work", "many 1", 7);
	store_give(copy, "many", "", "new", 8);
	lines_must_export(copy, "many", &lines);
	store_close(copy);
	store = open_half_way(&pass);
	lines_must_import(store, "many", &lines, 2, 0);
	lines_must_export(store, "many", &after);
	lines_check_same(&lines, &after);
	/* what came in this pass is left for the next one, old as it is */
	while (!expire_step(store, &pass))
		continue;
	ck_assert_int_eq(n_events("many"), 2);
	ck_assert_uint_eq(expire_all(store, BEFORE), 1);
	ck_assert_int_eq(n_events("many"), 0);
	buffer_free(&lines);
	buffer_free(&after);
	store_close(store);
}
END_TEST

START_TEST(step_that_fails_leaves_all_as_it_was)
{
	struct store *store = store_folder_open(&folder);
	struct expire_pass pass;
	struct store_op op = {.kind = STORE_EXPIRE, .expire = &pass.expire}, *ops = &op;
	sqlite3 *db;

	expire_give_many(store, "many", N_MANY);
	store_close(store);
	store = store_folder_open(&folder); /* all is in the tables: the first step deletes */
	expire_begin(&pass, BEFORE);
	ck_assert_int_eq(sqlite3_open(folder.file, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(store_apply(store, &ops, 1, NULL), STATUS_STATE_BUSY);
	sqlite3_close(db);
	ck_assert_int_eq(status_of(store, "many"), STATUS_OK);
	ck_assert_int_eq(n_events("many"), N_MANY);
	ck_assert_uint_eq(expire_all(store, BEFORE), 1);
	ck_assert_int_eq(n_events("many"), 0);
	store_close(store);
}
END_TEST

/* ---- at random ---- */

START_TEST(pass_is_right_at_every_moment_of_a_fold)
{
	enum { N_USERS = 40, N_STEPS = 1500 };
	struct store *store = store_folder_open_small(&folder);
	unsigned last[N_USERS] = {0}, n_given[N_USERS] = {0};
	struct rng rng;
	char name[16], id[16];

	rng_init(&rng, 31);
	for (unsigned i = 1; i <= N_STEPS; i++) {
		/* few learn, so that some are old again and again */
		unsigned user = (unsigned)(rng_next(&rng) % N_USERS * (rng_next(&rng) % 10) / 9);

		if (i % 100 == 0) {
			uint64_t n_old = 0;

			for (user = 0; user < N_USERS; user++) {
				if (n_given[user] == 0 || last[user] >= i - 60)
					continue;
				n_old++;
				n_given[user] = 0;
			}
			ck_assert_uint_eq(expire_all(store, STORE_TIME_US + i - 60), n_old);
			continue;
		}
		snprintf(name, sizeof(name), "user %u", user);
		snprintf(id, sizeof(id), "e%u", i);
		/* the one context is enough: the states are told by their count */
		ck_assert_uint_eq(store_give(store, name, "", id, i), ++n_given[user]);
		last[user] = i;
	}
	for (unsigned user = 0; user < N_USERS; user++) {
		snprintf(name, sizeof(name), "user %u", user);
		ck_assert_int_eq(n_events(name), n_given[user]);
	}
	assert_nobody_leaves();
	store_close(store);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_sqlite_expire");
	TCase *tcase = tcase_create("expire");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, old_users_go_and_young_ones_stay);
	tcase_add_test(tcase, more_users_than_a_step_takes_all_go);
	tcase_add_test(tcase, many_events_go_some_at_a_time);
	tcase_add_test(tcase, a_restart_ends_what_was_begun);
	tcase_add_test(tcase, who_comes_back_half_way_begins_anew);
	tcase_add_test(tcase, half_of_a_user_is_deleted_as_a_whole_one);
	tcase_add_test(tcase, who_is_imported_half_way_is_as_imported);
	tcase_add_test(tcase, step_that_fails_leaves_all_as_it_was);
	tcase_add_test(tcase, pass_is_right_at_every_moment_of_a_fold);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
