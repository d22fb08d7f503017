/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_sqlite_import.c - export and import, through the lines that they are sent as, at
 * every moment of a fold. */
#include <stdio.h>
#include <string.h>

#include "core/base/rng.h"
#include "server/wire_lines.h"
#include "tests/unit/server/lines_fixture.h"
#include "tests/unit/unit.h"

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

START_TEST(export_of_nobody_is_not_found)
{
	struct store *store = store_folder_open(&folder);
	struct buffer lines = {0};
	struct err err = {0};

	store_give(store, "ada", "", "e1", 1);
	store_delete(store, "ada");
	ck_assert_int_eq(lines_export(store, "ada", &lines, &err), STATUS_NOT_FOUND);
	buffer_free(&lines);
	store_close(store);
}
END_TEST

START_TEST(only_so_many_exports_are_open_at_once)
{
	struct store *store = store_folder_open(&folder);
	struct store_export *exports[STORE_MAX_EXPORTS], *more;
	struct err err = {0};

	store_give(store, "ada", "", "e1", 1);
	for (size_t i = 0; i < LENGTH(exports); i++)
		ck_assert_int_eq(store_export(store, "ada", &exports[i], NULL), STATUS_OK);
	ck_assert_int_eq(store_export(store, "ada", &more, &err), STATUS_OVERLOADED);
	/* one that fails is none */
	store_export_close(exports[0]);
	ck_assert_int_eq(store_export(store, "bob", &more, &err), STATUS_NOT_FOUND);
	ck_assert_int_eq(store_export(store, "ada", &exports[0], NULL), STATUS_OK);
	for (size_t i = 0; i < LENGTH(exports); i++)
		store_export_close(exports[i]);
	store_close(store);
}
END_TEST

START_TEST(export_is_of_the_moment_in_which_it_began)
{
	struct store *store = store_folder_open_small(&folder);
	struct store_export *export;
	struct store_record record;
	size_t n_states = 0, n_events = 0;
	char id[16];

	store_give(store, "ada", "work", "e1", 1);
	store_give(store, "ada", "home", "e2", 2);
	ck_assert_int_eq(store_export(store, "ada", &export, NULL), STATUS_OK);
	/* what comes now is folded, and then all of it deleted */
	for (unsigned i = 0; i < 200; i++) {
		snprintf(id, sizeof(id), "more %u", i);
		store_give(store, "ada", id, id, i);
	}
	store_delete(store, "ada");
	do {
		ck_assert_int_eq(store_export_next(export, &record, NULL), STATUS_OK);
		n_states += record.kind == STORE_RECORD_STATE;
		n_events += record.kind == STORE_RECORD_EVENT;
	} while (record.kind != STORE_RECORD_NONE);
	ck_assert_uint_eq(n_states, 3);
	ck_assert_uint_eq(n_events, 2);
	store_export_close(export);
	store_close(store);
}
END_TEST

/* Users of several contexts learn; now and then one is exported, forgotten and imported again, or
 * imported once more, or brought up to date in another store. */
static void take_over(struct store *store, struct store *copy, const char *user, unsigned n_given,
		      unsigned *n_copied)
{
	struct buffer before = {0}, after = {0}, copied = {0};

	lines_must_export(store, user, &before);
	ck_assert_uint_eq(store_delete(store, user), n_given);
	lines_must_import(store, user, &before, n_given, 0);
	lines_must_import(store, user, &before, 0, n_given);
	lines_must_export(store, user, &after);
	lines_check_same(&before, &after);
	lines_must_import(copy, user, &before, n_given - *n_copied, *n_copied);
	*n_copied = n_given;
	lines_must_export(copy, user, &copied);
	lines_check_same(&before, &copied);
	buffer_free(&before);
	buffer_free(&after);
	buffer_free(&copied);
}

START_TEST(import_is_right_at_every_moment_of_a_fold)
{
	enum { N_USERS = 12, N_STEPS = 900 };
	struct store *store = store_folder_open_small(&folder);
	struct store *copy = store_folder_open_small(&other);
	unsigned n_given[N_USERS] = {0}, n_copied[N_USERS] = {0};
	struct store_stats stats;
	struct rng rng;
	char name[16], id[16], context[16];

	rng_init(&rng, 21);
	for (unsigned i = 0; i < N_STEPS; i++) {
		unsigned user = (unsigned)(rng_next(&rng) % N_USERS);

		snprintf(name, sizeof(name), "user %u", user);
		if (rng_next(&rng) % 12 == 0 && n_given[user] > 0) {
			take_over(store, copy, name, n_given[user], &n_copied[user]);
			continue;
		}
		snprintf(id, sizeof(id), "e%u", i);
		snprintf(context, sizeof(context), "c%u", (unsigned)(rng_next(&rng) % 4));
		store_give(store, name, rng_next(&rng) % 3 == 0 ? "" : context, id, i);
		n_given[user]++;
	}
	store_stats(store, &stats);
	ck_assert_uint_gt(stats.folds, 1);
	store_close(store);
	store = store_folder_open_small(&folder);
	for (unsigned user = 0; user < N_USERS; user++) {
		snprintf(name, sizeof(name), "user %u", user);
		if (n_given[user] > 0)
			take_over(store, copy, name, n_given[user], &n_copied[user]);
	}
	store_close(store);
	store_close(copy);
}
END_TEST

START_TEST(import_sees_what_came_before_it_in_its_transaction)
{
	struct store *store = store_folder_open(&folder);
	struct buffer lines = {0}, after = {0}, body = {0};
	struct arena arena = {0};
	struct store_step step;
	struct store_op drop = {.kind = STORE_DELETE_USER, .delete_user = {.user = "ada"}};
	struct store_op import = {.kind = STORE_IMPORT}, again = {.kind = STORE_IMPORT};
	struct store_op *ops[] = {&step.op, &drop, &import, &again};
	struct err err = {0};

	store_give(store, "ada", "work", "e1", 1);
	store_give(store, "ada", "", "e2", 2);
	lines_must_export(store, "ada", &lines);
	buffer_add(&body, lines.bytes, lines.len);
	buffer_terminate(&body);
	ck_assert_int_eq(wire_lines_read(body.bytes, body.len, "ada", &arena, &import.import, &err),
			 STATUS_OK);
	import.import.model_id = "model";
	import.import.n_heads = STORE_HEADS;
	again.import = import.import;
	store_step_set(&step, "ada", "home", "e3", 3);
	ck_assert_msg(store_apply(store, ops, LENGTH(ops), &err) == STATUS_OK, "%s", err.msg);
	ck_assert_int_eq(import.err.code, STATUS_OK);
	ck_assert_uint_eq(drop.delete_user.events_out, 3);
	ck_assert_uint_eq(import.import.events_out, 2);
	ck_assert_uint_eq(again.import.events_out, 0);
	ck_assert_uint_eq(again.import.duplicates_out, 2);
	lines_must_export(store, "ada", &after);
	lines_check_same(&lines, &after);
	buffer_free(&lines);
	buffer_free(&after);
	buffer_free(&body);
	arena_free(&arena);
	store_close(store);
}
END_TEST

/* A model of two heads comes along with one of three. */
START_TEST(import_of_no_known_model_is_refused)
{
	struct store *store = store_folder_open(&folder), *copy = store_folder_open(&other);
	struct buffer lines = {0}, both = {0}, after = {0};
	struct store_step step;
	struct store_op op;
	struct err err = {0};

	store_step_set(&step, "ada", "work", "e1", 1);
	store_step_resize(&step, "old", 2);
	ck_assert_int_eq(store_apply_one(store, &step.op), STATUS_OK);
	lines_must_export(store, "ada", &lines);
	ck_assert_int_eq(lines_import(copy, "ada", &lines, &op, &err), STATUS_MODEL_MISMATCH);
	ck_assert_str_eq(err.param, "/2/model");
	ck_assert_int_eq(store_folder_int(&other, "SELECT count(*) FROM models"), 0);
	store_give(store, "ada", "work", "e2", 2);
	lines_must_export(store, "ada", &both);
	lines_must_import(copy, "ada", &both, 2, 0);
	lines_must_export(copy, "ada", &after);
	lines_check_same(&both, &after);
	/* known by now, but as one of two heads */
	store_step_set(&step, "bob", "", "e1", 1);
	store_step_resize(&step, "old", 3);
	store_close(store);
	store_folder_sql(&folder, "UPDATE models SET n_heads = 3 WHERE id = 'old';"
				  "DELETE FROM states; DELETE FROM events");
	store = store_folder_open(&folder);
	ck_assert_int_eq(store_apply_one(store, &step.op), STATUS_OK);
	after.len = 0;
	lines_must_export(store, "bob", &after);
	ck_assert_int_eq(lines_import(copy, "bob", &after, &op, &err), STATUS_MODEL_MISMATCH);
	ck_assert_str_eq(err.param, "/2/log_weights");
	buffer_free(&lines);
	buffer_free(&both);
	buffer_free(&after);
	store_close(store);
	store_close(copy);
}
END_TEST

START_TEST(import_of_a_reused_id_changes_nothing)
{
	struct store *store = store_folder_open(&folder);
	struct buffer lines = {0}, before = {0}, after = {0};
	struct store_op op;
	struct err err = {0};

	store_give(store, "ada", "", "e1", 1);
	store_give(store, "ada", "", "e2", 2);
	lines_must_export(store, "ada", &lines);
	store_delete(store, "ada");
	store_give(store, "ada", "", "e2", 3);
	lines_must_export(store, "ada", &before);
	ck_assert_int_eq(lines_import(store, "ada", &lines, &op, &err), STATUS_EVENT_ID_REUSED);
	ck_assert_str_eq(err.param, "/4/id");
	lines_must_export(store, "ada", &after);
	lines_check_same(&before, &after);
	buffer_free(&lines);
	buffer_free(&before);
	buffer_free(&after);
	store_close(store);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_sqlite_import");
	TCase *tcase = tcase_create("import");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, export_of_nobody_is_not_found);
	tcase_add_test(tcase, only_so_many_exports_are_open_at_once);
	tcase_add_test(tcase, export_is_of_the_moment_in_which_it_began);
	tcase_add_test(tcase, import_is_right_at_every_moment_of_a_fold);
	tcase_add_test(tcase, import_sees_what_came_before_it_in_its_transaction);
	tcase_add_test(tcase, import_of_no_known_model_is_refused);
	tcase_add_test(tcase, import_of_a_reused_id_changes_nothing);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
