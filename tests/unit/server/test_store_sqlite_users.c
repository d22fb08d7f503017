/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_sqlite_users.c - who is listed, and what a context is without which the rest is
 * learnt again; also while events are being folded. */
#include <stdio.h>
#include <string.h>

#include "core/base/rng.h"
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

/* ---- list ---- */

static size_t list(struct store *store, const char *after, size_t n_max, bool *more_out,
		   struct store_listed *users)
{
	struct err err = {0};
	size_t n;

	ck_assert_msg(store_list_users(store, after, n_max, users, &n, more_out, &err) == STATUS_OK,
		      "%s", err.msg);
	return n;
}

START_TEST(list_of_an_empty_store_is_empty)
{
	struct store *store = store_folder_open(&folder);
	struct store_listed users[2];
	bool more;

	ck_assert_uint_eq(list(store, "", 2, &more, users), 0);
	ck_assert(!more);
	store_close(store);
}
END_TEST

START_TEST(list_tells_the_last_feedback_and_how_many)
{
	struct store *store = store_folder_open(&folder);
	struct store_listed users[2];
	bool more;

	store_give(store, "ada", "work", "e1", 1);
	store_give(store, "ada", "", "e2", 7);
	store_close(store);
	store = store_folder_open(&folder);
	store_give(store, "ada", "home", "e3", 9);
	store_give(store, "bob", "", "e1", 3);
	ck_assert_uint_eq(list(store, "", 1, &more, users), 1);
	ck_assert(more);
	ck_assert_str_eq(users[0].user, "ada");
	ck_assert_uint_eq(users[0].n_events, 3);
	ck_assert_int_eq(users[0].updated_us, STORE_TIME_US + 9);
	ck_assert_uint_eq(list(store, "ada", 1, &more, users), 1);
	ck_assert(!more);
	ck_assert_str_eq(users[0].user, "bob");
	ck_assert_uint_eq(users[0].n_events, 1);
	store_close(store);
}
END_TEST

/* All users, two at a time, against how many feedbacks each has given. */
static void check_list(struct store *store, const unsigned *n_given, unsigned n_users)
{
	struct store_listed users[2];
	char after[STORE_MAX_ID + 1] = "", wanted[16];
	bool more = true;
	unsigned user = 0;

	while (more) {
		size_t n = list(store, after, 2, &more, users);

		for (size_t i = 0; i < n; i++, user++) {
			while (user < n_users && n_given[user] == 0)
				user++;
			snprintf(wanted, sizeof(wanted), "user %03u", user);
			ck_assert_str_eq(users[i].user, wanted);
			ck_assert_uint_eq(users[i].n_events, n_given[user]);
			strcpy(after, users[i].user);
		}
	}
	while (user < n_users && n_given[user] == 0)
		user++;
	ck_assert_uint_eq(user, n_users);
}

START_TEST(list_is_right_at_every_moment_of_a_fold)
{
	enum { N_USERS = 40, N_STEPS = 600 };
	struct store *store = store_folder_open_small(&folder);
	unsigned n_given[N_USERS] = {0};
	struct store_stats stats;
	struct rng rng;

	rng_init(&rng, 8);
	for (unsigned i = 0; i < N_STEPS; i++) {
		unsigned user = (unsigned)(rng_next(&rng) % N_USERS);
		char name[16], id[16], context[16];

		snprintf(name, sizeof(name), "user %03u", user);
		snprintf(id, sizeof(id), "e%u", i);
		snprintf(context, sizeof(context), "c%u", (unsigned)(rng_next(&rng) % 3));
		if (rng_next(&rng) % 20 == 0) {
			ck_assert_uint_eq(store_delete(store, name), n_given[user]);
			n_given[user] = 0;
		} else {
			store_give(store, name, context, id, i);
			n_given[user]++;
		}
		check_list(store, n_given, N_USERS);
	}
	store_stats(store, &stats);
	ck_assert_uint_gt(stats.folds, 1);
	store_close(store);
}
END_TEST

/* ---- one context ---- */

START_TEST(one_context_is_read_with_its_own_feedbacks)
{
	struct store *store = store_folder_open(&folder);
	struct store_user user;

	for (int part = 0; part < 2; part++) {
		store_give(store, "ada", "work", part == 0 ? "e1" : "e4", 1);
		store_give(store, "ada", "", part == 0 ? "e2" : "e5", 2);
		store_give(store, "ada", "home", part == 0 ? "e3" : "e6", 3);
		/* the rest from the tables */
		if (part == 0) {
			store_close(store);
			store = store_folder_open(&folder);
		}
	}
	ck_assert_int_eq(store_read_user(store, "ada", "work", &user, NULL), STATUS_OK);
	ck_assert_uint_eq(user.n_states, 1);
	ck_assert_uint_eq(user.n_events, 2);
	ck_assert_str_eq(user.states[0].context, "work");
	store_user_free(&user);
	ck_assert_int_eq(store_read_user(store, "ada", "", &user, NULL), STATUS_OK);
	ck_assert_uint_eq(user.n_states, 1);
	ck_assert_uint_eq(user.n_events, 6);
	store_user_free(&user);
	ck_assert_int_eq(store_read_user(store, "ada", "nowhere", &user, NULL), STATUS_NOT_FOUND);
	store_close(store);
}
END_TEST

/* ---- reset ---- */

static struct store_op reset_of(const char *user, const char *context)
{
	return (struct store_op){.kind = STORE_DELETE_USER,
				 .delete_user = {.user = user, .context = context}};
}

static uint64_t reset(struct store *store, const char *user, const char *context)
{
	struct store_op op = reset_of(user, context);

	ck_assert_int_eq(store_apply_one(store, &op), STATUS_OK);
	return op.delete_user.events_out;
}

/* The same states to the bit; when each was changed may differ. */
static void check_same(struct store *store, const char *user, struct store *other,
		       const char *other_user)
{
	struct store_user a = {0}, b = {0};
	enum status status = store_read_user(store, user, NULL, &a, NULL);

	ck_assert_int_eq(store_read_user(other, other_user, NULL, &b, NULL), status);
	ck_assert_uint_eq(a.n_states, b.n_states);
	ck_assert_uint_eq(a.n_events, b.n_events);
	for (size_t i = 0; i < a.n_states; i++) {
		ck_assert_str_eq(a.states[i].context, b.states[i].context);
		ck_assert_str_eq(a.states[i].model_id, b.states[i].model_id);
		ck_assert_uint_eq(a.states[i].updates, b.states[i].updates);
		ck_assert_mem_eq(a.states[i].log_weight, b.states[i].log_weight,
				 a.states[i].n_heads * sizeof(double));
	}
	store_user_free(&a);
	store_user_free(&b);
}

START_TEST(reset_of_a_context_leaves_what_was_learnt_without_it)
{
	struct store *store = store_folder_open(&folder);
	struct store_step step;
	struct store_op op = reset_of("ada", "work");

	store_give(store, "ada", "work", "e1", 1);
	store_give(store, "ada", "home", "e2", 2);
	store_give(store, "bob", "home", "e2", 2);
	store_give(store, "ada", "work", "e3", 3);
	/* another model's too */
	for (int i = 0; i < 2; i++) {
		store_step_set(&step, i == 0 ? "ada" : "bob", i == 0 ? "work" : "home", "e4", 4);
		store_step_resize(&step, "other", 2);
		ck_assert_int_eq(store_apply_one(store, &step.op), STATUS_OK);
	}
	ck_assert_int_eq(store_apply_one(store, &op), STATUS_OK);
	ck_assert_uint_eq(op.delete_user.events_out, 3);
	/* of 3 and 2: without its feedback the other model has no overall state either */
	ck_assert_uint_eq(op.delete_user.states_out, 3);
	ck_assert_uint_eq(store_folder_int(&folder, "SELECT count(*) FROM events"), 3);
	store_give(store, "ada", "work", "e4", 5);
	reset(store, "ada", "work");
	store_delete(store, "bob");
	store_give(store, "bob", "home", "e2", 2);
	check_same(store, "ada", store, "bob");
	store_close(store);
}
END_TEST

START_TEST(reset_sees_what_came_before_it_in_its_transaction)
{
	struct store *store = store_folder_open(&folder);
	struct store_step steps[3];
	struct store_op drop = reset_of("ada", NULL), take_back = reset_of("ada", "work");
	struct store_op *ops[] = {&drop, &steps[0].op, &steps[1].op, &take_back, &steps[2].op};
	struct err err = {0};

	store_give(store, "ada", "work", "old", 9);
	store_step_set(&steps[0], "ada", "work", "e1", 1);
	store_step_set(&steps[1], "ada", "home", "e2", 2);
	store_step_set(&steps[2], "ada", "work", "e1", 3);
	ck_assert_msg(store_apply(store, ops, LENGTH(ops), &err) == STATUS_OK, "%s", err.msg);
	ck_assert_uint_eq(drop.delete_user.events_out, 1);
	ck_assert_uint_eq(take_back.delete_user.events_out, 1);
	ck_assert_uint_eq(take_back.delete_user.states_out, 1);
	ck_assert_int_eq(steps[2].op.err.code, STATUS_OK);
	ck_assert(!steps[2].op.feedback.duplicate_out);
	store_give(store, "bob", "home", "e2", 2);
	store_give(store, "bob", "work", "e1", 3);
	check_same(store, "ada", store, "bob");
	store_close(store);
}
END_TEST

START_TEST(reset_that_fails_changes_nothing)
{
	struct store *store = store_folder_open(&folder);
	struct store_op op = reset_of("ada", "work"), *ops = &op;
	struct store_user before, after;
	sqlite3 *db;

	store_give(store, "ada", "work", "e1", 1);
	store_give(store, "ada", "", "e2", 2);
	ck_assert_int_eq(store_read_user(store, "ada", NULL, &before, NULL), STATUS_OK);
	ck_assert_int_eq(sqlite3_open(folder.file, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(store_apply(store, &ops, 1, NULL), STATUS_STATE_BUSY);
	sqlite3_close(db);
	ck_assert_int_eq(store_read_user(store, "ada", NULL, &after, NULL), STATUS_OK);
	ck_assert_uint_eq(after.n_states, before.n_states);
	ck_assert_uint_eq(after.n_events, before.n_events);
	store_user_free(&before);
	store_user_free(&after);
	ck_assert_uint_eq(reset(store, "ada", "work"), 1);
	store_close(store);
}
END_TEST

/* A user of one store whose context is reset now and then, and in another store the same one
 * without that context's feedbacks. */
struct pair_of_users {
	char name[16];
	unsigned n_work; /* feedbacks that a reset would take back */
};

static void step_pair(struct store *store, struct store *without, struct pair_of_users *user,
		      struct rng *rng, unsigned i)
{
	static const char *const contexts[] = {"", "home", "work"};
	const char *context = contexts[rng_next(rng) % LENGTH(contexts)];
	char id[16];

	snprintf(id, sizeof(id), "e%u", i);
	store_give(store, user->name, context, id, i);
	if (strcmp(context, "work") == 0)
		user->n_work++;
	else
		store_give(without, user->name, context, id, i);
}

static void reset_pair(struct store *store, struct store *without, struct pair_of_users *user)
{
	ck_assert_uint_eq(reset(store, user->name, "work"), user->n_work);
	user->n_work = 0;
	check_same(store, user->name, without, user->name);
}

START_TEST(reset_is_right_at_every_moment_of_a_fold)
{
	enum { N_USERS = 30, N_STEPS = 1500 };
	struct store_folder other;
	struct pair_of_users users[N_USERS] = {0};
	struct store *store = store_folder_open_small(&folder), *without;
	struct store_stats stats;
	struct rng rng;

	store_folder_make(&other);
	without = store_folder_open(&other);
	rng_init(&rng, 11);
	for (unsigned i = 0; i < N_USERS; i++)
		snprintf(users[i].name, sizeof(users[i].name), "user %u", i);
	for (unsigned i = 0; i < N_STEPS; i++) {
		struct pair_of_users *user = &users[rng_next(&rng) % N_USERS];

		if (rng_next(&rng) % 8 == 0)
			reset_pair(store, without, user);
		else
			step_pair(store, without, user, &rng, i);
	}
	store_stats(store, &stats);
	ck_assert_uint_gt(stats.folds, 1);
	store_close(store);
	store = store_folder_open_small(&folder);
	for (unsigned i = 0; i < N_USERS; i++)
		reset_pair(store, without, &users[i]);
	ck_assert_int_eq(store_folder_int(&folder, "SELECT count(*) FROM event_keys k LEFT JOIN"
						   " events e USING (seq) WHERE e.seq IS NULL"),
			 0);
	store_close(store);
	store_close(without);
	store_folder_remove(&other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_sqlite_users");
	TCase *lists = tcase_create("store_list_users");
	TCase *contexts = tcase_create("contexts");

	tcase_add_checked_fixture(lists, set_up, tear_down);
	tcase_set_timeout(lists, 120);
	tcase_add_test(lists, list_of_an_empty_store_is_empty);
	tcase_add_test(lists, list_tells_the_last_feedback_and_how_many);
	tcase_add_test(lists, list_is_right_at_every_moment_of_a_fold);
	suite_add_tcase(suite, lists);
	tcase_add_checked_fixture(contexts, set_up, tear_down);
	tcase_set_timeout(contexts, 120);
	tcase_add_test(contexts, one_context_is_read_with_its_own_feedbacks);
	tcase_add_test(contexts, reset_of_a_context_leaves_what_was_learnt_without_it);
	tcase_add_test(contexts, reset_sees_what_came_before_it_in_its_transaction);
	tcase_add_test(contexts, reset_that_fails_changes_nothing);
	tcase_add_test(contexts, reset_is_right_at_every_moment_of_a_fold);
	suite_add_tcase(suite, contexts);
	return unit_run(suite);
}
