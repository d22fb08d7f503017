/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_sqlite.c - what learning steps and deletions do to the states. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/model/hedge.h"
#include "core/model/mixture.h"
#include "tests/unit/server/store_fixture.h"
#include "tests/unit/unit.h"

#define K STORE_HEADS

static struct store_folder folder;
static struct store *store;

static void set_up(void)
{
	store_folder_make(&folder);
	store = store_folder_open(&folder);
}

static void tear_down(void)
{
	store_close(store);
	store_folder_remove(&folder);
}

/* ---- helpers ---- */

/* What a step makes of s. */
static void learn(double *s, const struct store_feedback *f)
{
	ck_assert_int_eq(hedge_update(s, f->loss, f->n_heads, f->temperature, f->strength, NULL),
			 STATUS_OK);
	if (f->drift > 0)
		hedge_share(s, f->n_heads, f->drift);
}

static void assert_same(const double *a, const double *b, size_t n)
{
	ck_assert_mem_eq(a, b, n * sizeof(double));
}

static void assert_state(const char *user, const char *context, const double *s, uint64_t updates)
{
	double got[K];
	uint64_t got_updates;
	struct err err = {0};

	ck_assert_msg(store_read_state(store, user, context, "model", K, got, &got_updates, &err) ==
			  STATUS_OK,
		      "%s", err.msg);
	assert_same(got, s, K);
	ck_assert_uint_eq(got_updates, updates);
}

static void assert_answer(const struct store_feedback *f, const double *s)
{
	double weights[HEADS_MAX];

	mixture_log_weights(f->logits, s, f->mask, f->n_heads, weights);
	for (size_t k = 0; k < f->n_heads; k++)
		weights[k] = exp(weights[k]);
	ck_assert_uint_eq(f->n_weights_out, f->n_heads);
	assert_same(f->weights_out, weights, f->n_heads);
	ck_assert_str_eq(f->model_id_out, f->model_id);
}

/* The tables of a store that is closed say it all. */
static void reopen(void)
{
	store_close(store);
	store = store_folder_open(&folder);
}

static int64_t count(const char *table)
{
	char sql[64];

	reopen();
	snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
	return store_folder_int(&folder, sql);
}

/* ---- feedback: the learning step ---- */

START_TEST(first_feedback_starts_from_equal_weights)
{
	struct store_step step;
	double s[K];

	store_step_set(&step, "ada", "", "e1", 1);
	ck_assert_int_eq(store_apply_one(store, &step.op), STATUS_OK);
	hedge_start(s, K);
	learn(s, &step.op.feedback);
	assert_answer(&step.op.feedback, s);
	assert_state("ada", "", s, 1);
	ck_assert_uint_eq(step.op.feedback.updates_out, 1);
	ck_assert(!step.op.feedback.duplicate_out);
	ck_assert_int_eq(count("states"), 1);
}
END_TEST

START_TEST(new_context_starts_from_the_overall_state)
{
	struct store_step step;
	double overall[K], work[K];

	store_step_set(&step, "ada", "", "e1", 1);
	ck_assert_int_eq(store_apply_one(store, &step.op), STATUS_OK);
	hedge_start(overall, K);
	learn(overall, &step.op.feedback);

	memcpy(work, overall, sizeof(work));
	store_step_set(&step, "ada", "work", "e2", 2);
	ck_assert_int_eq(store_apply_one(store, &step.op), STATUS_OK);
	learn(overall, &step.op.feedback);
	learn(work, &step.op.feedback);
	assert_answer(&step.op.feedback, work);
	ck_assert_uint_eq(step.op.feedback.updates_out, 1);
	assert_state("ada", "work", work, 1);
	assert_state("ada", "", overall, 2);

	store_step_set(&step, "ada", "", "e3", 3);
	ck_assert_int_eq(store_apply_one(store, &step.op), STATUS_OK);
	learn(overall, &step.op.feedback);
	assert_answer(&step.op.feedback, overall);
	assert_state("ada", "work", work, 1);
	assert_state("ada", "", overall, 3);
}
END_TEST

START_TEST(first_feedback_in_a_context_teaches_both_states)
{
	struct store_step step;
	double s[K];

	store_step_set(&step, "ada", "work", "e1", 1);
	ck_assert_int_eq(store_apply_one(store, &step.op), STATUS_OK);
	hedge_start(s, K);
	learn(s, &step.op.feedback);
	assert_state("ada", "work", s, 1);
	assert_state("ada", "", s, 1);
	ck_assert_int_eq(count("states"), 2);
}
END_TEST

START_TEST(temperature_strength_drift_and_mask_are_obeyed)
{
	static const bool mask[K] = {false, true, false};
	struct store_step step;
	double s[K];

	hedge_start(s, K);
	for (unsigned i = 0; i < 4; i++) {
		char id[8];

		snprintf(id, sizeof(id), "e%u", i);
		store_step_set(&step, "ada", "", id, i);
		step.op.feedback.temperature = 0.25;
		step.op.feedback.strength = 0.5 * i;
		step.op.feedback.drift = i % 2 == 0 ? 0 : 0.125;
		step.op.feedback.mask = mask;
		ck_assert_int_eq(store_apply_one(store, &step.op), STATUS_OK);
		learn(s, &step.op.feedback);
		assert_answer(&step.op.feedback, s);
		ck_assert(step.op.feedback.weights_out[1] == 0);
	}
	assert_state("ada", "", s, 4);
}
END_TEST

START_TEST(models_do_not_share_states)
{
	struct store_step step;
	struct store_user user;
	double s[K];

	store_give(store, "ada", "", "e1", 1);
	store_step_set(&step, "ada", "", "e2", 2);
	store_step_resize(&step, "other", 7);
	ck_assert_int_eq(store_apply_one(store, &step.op), STATUS_OK);
	ck_assert_uint_eq(step.op.feedback.updates_out, 1);
	ck_assert_uint_eq(step.op.feedback.n_weights_out, 7);
	ck_assert_int_eq(store_read_user(store, "ada", NULL, &user, NULL), STATUS_OK);
	ck_assert_uint_eq(user.n_states, 2);
	ck_assert_str_eq(user.states[0].model_id, "model");
	ck_assert_uint_eq(user.states[0].n_heads, K);
	ck_assert_str_eq(user.states[1].model_id, "other");
	ck_assert_uint_eq(user.states[1].n_heads, 7);
	store_user_free(&user);

	hedge_start(s, K);
	store_step_set(&step, "ada", "", "e1", 1);
	learn(s, &step.op.feedback);
	assert_state("ada", "", s, 1);
}
END_TEST

START_TEST(most_heads_of_a_model_fit)
{
	struct store_step *step = mem_array(1, sizeof(*step));
	double *s = mem_array(HEADS_MAX, sizeof(*s));
	uint64_t updates;

	store_step_set(step, "ada", "", "e1", 1);
	store_step_resize(step, "large", HEADS_MAX);
	ck_assert_int_eq(store_apply_one(store, &step->op), STATUS_OK);
	ck_assert_uint_eq(step->op.feedback.n_weights_out, HEADS_MAX);
	ck_assert_int_eq(store_read_state(store, "ada", "", "large", HEADS_MAX, s, &updates, NULL),
			 STATUS_OK);
	assert_answer(&step->op.feedback, s);
	mem_free(s);
	mem_free(step);
}
END_TEST

START_TEST(event_keeps_what_happened)
{
	struct store_step step;

	store_step_set(&step, "ada", "work", "e1", 7);
	step.op.feedback.temperature = 0.5;
	step.op.feedback.strength = 2;
	step.op.feedback.drift = 0.25;
	step.op.feedback.input = "{\"prompt\":\"p\"}";
	ck_assert_int_eq(store_apply_one(store, &step.op), STATUS_OK);
	store_give(store, "ada", "", "e2", 8);
	ck_assert_int_eq(store_folder_int(&folder,
					  "SELECT count(*) FROM events JOIN models USING (model)"
					  " WHERE seq = 1 AND user = 'ada' AND events.id = 'e1'"
					  " AND context = 'work' AND models.id = 'model'"
					  " AND time_us = 1767225600000007 AND temperature = 0.5"
					  " AND strength = 2 AND drift = 0.25 AND updates = 1"
					  " AND length(losses) = 24 AND length(weights) = 24"
					  " AND input = '{\"prompt\":\"p\"}'"),
			 1);
	ck_assert_int_eq(
	    store_folder_int(&folder, "SELECT count(*) FROM events WHERE input IS NULL"), 1);
}
END_TEST

/* ---- feedback: event ids ---- */

START_TEST(repeat_gives_the_first_answer_and_changes_nothing)
{
	struct store_step first, again;

	store_step_set(&first, "ada", "work", "e1", 1);
	ck_assert_int_eq(store_apply_one(store, &first.op), STATUS_OK);
	store_give(store, "ada", "work", "e2", 2);
	store_step_set(&again, "ada", "work", "e1", 1);
	again.op.feedback.time_us += 1000;
	ck_assert_int_eq(store_apply_one(store, &again.op), STATUS_OK);
	ck_assert(again.op.feedback.duplicate_out);
	ck_assert_uint_eq(again.op.feedback.updates_out, 1);
	ck_assert_uint_eq(again.op.feedback.n_weights_out, K);
	assert_same(again.weights, first.weights, K);
	ck_assert_int_eq(count("events"), 2);
	ck_assert_int_eq(count("event_keys"), 2);
	ck_assert_int_eq(store_folder_int(&folder, "SELECT max(updates) FROM states"), 2);
}
END_TEST

START_TEST(repeat_in_one_batch_is_a_duplicate_of_the_first)
{
	struct store_step steps[3];

	store_step_set(&steps[0], "ada", "", "e1", 1);
	store_step_set(&steps[1], "ada", "", "e2", 2);
	store_step_set(&steps[2], "ada", "", "e1", 1);
	store_apply_steps(store, steps, LENGTH(steps));
	ck_assert(!steps[0].op.feedback.duplicate_out);
	ck_assert(steps[2].op.feedback.duplicate_out);
	assert_same(steps[2].weights, steps[0].weights, K);
	ck_assert_uint_eq(steps[2].op.feedback.updates_out, 1);
	ck_assert_int_eq(count("events"), 2);
}
END_TEST

START_TEST(repeat_under_another_model_gives_the_answer_of_the_first)
{
	static const size_t n_heads[] = {1, K, 9};

	for (size_t i = 0; i < LENGTH(n_heads); i++) {
		struct store_step first, again;
		char id[16];

		snprintf(id, sizeof(id), "e%zu", i);
		store_step_set(&first, "ada", "", id, 1);
		ck_assert_int_eq(store_apply_one(store, &first.op), STATUS_OK);
		store_step_set(&again, "ada", "", id, 1);
		snprintf(id, sizeof(id), "other %zu", i);
		store_step_resize(&again, id, n_heads[i]);
		ck_assert_int_eq(store_apply_one(store, &again.op), STATUS_OK);
		ck_assert(again.op.feedback.duplicate_out);
		ck_assert_uint_eq(again.op.feedback.n_weights_out, K);
		ck_assert_str_eq(again.op.feedback.model_id_out, "model");
		assert_same(again.weights, first.weights, K);
	}
	ck_assert_int_eq(count("models"), 1);
}
END_TEST

START_TEST(id_reused_for_other_content_is_refused_alone)
{
	struct store_step steps[3];

	store_give(store, "ada", "", "e1", 1);
	store_step_set(&steps[0], "ada", "", "e2", 2);
	store_step_set(&steps[1], "ada", "", "e1", 99);
	store_step_set(&steps[2], "ada", "", "e3", 3);
	store_apply_steps(store, steps, LENGTH(steps));
	ck_assert_int_eq(steps[0].op.err.code, STATUS_OK);
	ck_assert_int_eq(steps[1].op.err.code, STATUS_EVENT_ID_REUSED);
	ck_assert_ptr_nonnull(strstr(steps[1].op.err.msg, "\"e1\""));
	ck_assert_int_eq(steps[2].op.err.code, STATUS_OK);
	ck_assert_uint_eq(steps[2].op.feedback.updates_out, 3);
	ck_assert_int_eq(count("events"), 3);
}
END_TEST

START_TEST(same_id_of_another_user_is_another_event)
{
	ck_assert_uint_eq(store_give(store, "ada", "", "e1", 1), 1);
	ck_assert_uint_eq(store_give(store, "bob", "", "e1", 2), 1);
	ck_assert_int_eq(count("events"), 2);
}
END_TEST

/* ---- delete ---- */

START_TEST(delete_removes_states_and_events_of_all_models)
{
	struct store_op op = {.kind = STORE_DELETE_USER, .delete_user = {.user = "ada"}};
	struct store_step step;
	struct store_user user;
	double zero[K] = {0};

	store_give(store, "ada", "work", "e1", 1);
	store_give(store, "adab", "", "e1", 1);
	store_step_set(&step, "ada", "", "e2", 2);
	store_step_resize(&step, "other", 5);
	ck_assert_int_eq(store_apply_one(store, &step.op), STATUS_OK);

	ck_assert_int_eq(store_apply_one(store, &op), STATUS_OK);
	ck_assert_uint_eq(op.delete_user.states_out, 3);
	ck_assert_uint_eq(op.delete_user.events_out, 2);
	ck_assert_int_eq(store_read_user(store, "ada", NULL, &user, NULL), STATUS_NOT_FOUND);
	assert_state("ada", "work", zero, 0);
	ck_assert_int_eq(count("events"), 1);

	ck_assert_int_eq(store_apply_one(store, &op), STATUS_OK);
	ck_assert_uint_eq(op.delete_user.states_out, 0);
	ck_assert_uint_eq(op.delete_user.events_out, 0);
	ck_assert_uint_eq(store_give(store, "ada", "", "e1", 1), 1);
}
END_TEST

START_TEST(batch_is_applied_in_its_order)
{
	struct store_step before, after;
	struct store_op drop = {.kind = STORE_DELETE_USER, .delete_user = {.user = "ada"}};
	struct store_op *ops[] = {&before.op, &drop, &after.op};
	double s[K];

	store_give(store, "ada", "", "e0", 9);
	store_step_set(&before, "ada", "work", "e1", 1);
	store_step_set(&after, "ada", "", "e1", 2);
	ck_assert_int_eq(store_apply(store, ops, LENGTH(ops), NULL), STATUS_OK);
	ck_assert_uint_eq(before.op.feedback.updates_out, 1);
	ck_assert_uint_eq(drop.delete_user.states_out, 2);
	ck_assert_uint_eq(drop.delete_user.events_out, 2);
	/* the id is free again, and nothing of the past is left to start from */
	ck_assert_int_eq(after.op.err.code, STATUS_OK);
	ck_assert(!after.op.feedback.duplicate_out);
	hedge_start(s, K);
	learn(s, &after.op.feedback);
	assert_state("ada", "", s, 1);
	ck_assert_int_eq(count("events"), 1);
}
END_TEST

/* ---- read ---- */

START_TEST(read_state_falls_back_to_the_overall_state_then_to_zero)
{
	double zero[K] = {0}, overall[K], work[K];
	struct store_step step;

	assert_state("ada", "", zero, 0);
	assert_state("ada", "work", zero, 0);
	hedge_start(overall, K);
	store_step_set(&step, "ada", "", "e1", 1);
	ck_assert_int_eq(store_apply_one(store, &step.op), STATUS_OK);
	learn(overall, &step.op.feedback);
	assert_state("ada", "", overall, 1);
	assert_state("ada", "work", overall, 1);

	memcpy(work, overall, sizeof(work));
	store_step_set(&step, "ada", "work", "e2", 2);
	ck_assert_int_eq(store_apply_one(store, &step.op), STATUS_OK);
	learn(work, &step.op.feedback);
	assert_state("ada", "work", work, 1);
	assert_state("bob", "work", zero, 0);
}
END_TEST

START_TEST(read_user_lists_states_by_context)
{
	static const char *const contexts[] = {"work", "", "home", "a", "z", "work", "ü"};
	static const struct {
		const char *context;
		uint64_t updates;
	} want[] = {{"", 7}, {"a", 1}, {"home", 1}, {"work", 2}, {"z", 1}, {"ü", 1}};
	struct store_user user;
	char id[8];

	for (unsigned i = 0; i < LENGTH(contexts); i++) {
		snprintf(id, sizeof(id), "e%u", i);
		store_give(store, "ada", contexts[i], id, i);
	}
	store_give(store, "bob", "", "e0", 1);
	ck_assert_int_eq(store_read_user(store, "ada", NULL, &user, NULL), STATUS_OK);
	ck_assert_uint_eq(user.n_events, LENGTH(contexts));
	ck_assert_uint_eq(user.n_states, LENGTH(want));
	for (size_t i = 0; i < LENGTH(want); i++) {
		const struct store_state *state = &user.states[i];

		ck_assert_str_eq(state->context, want[i].context);
		ck_assert_uint_eq(state->updates, want[i].updates);
		ck_assert_str_eq(state->model_id, "model");
		assert_state("ada", state->context, state->log_weight, state->updates);
	}
	ck_assert_int_eq(user.states[0].updated_us, STORE_TIME_US + 6);
	ck_assert_int_eq(user.states[3].updated_us, STORE_TIME_US + 5);
	store_user_free(&user);
	store_user_free(&user);
}
END_TEST

START_TEST(read_user_of_nobody_is_not_found)
{
	struct store_user user;
	struct err err = {0};

	ck_assert_int_eq(store_read_user(store, "nobody", NULL, &user, &err), STATUS_NOT_FOUND);
	store_user_free(&user);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_sqlite");
	TCase *feedback = tcase_create("feedback");
	TCase *ids = tcase_create("event ids");
	TCase *drop = tcase_create("delete");
	TCase *read = tcase_create("read");
	TCase *const all[] = {feedback, ids, drop, read};

	for (size_t i = 0; i < LENGTH(all); i++) {
		tcase_add_checked_fixture(all[i], set_up, tear_down);
		tcase_set_timeout(all[i], 60);
		suite_add_tcase(suite, all[i]);
	}
	tcase_add_test(feedback, first_feedback_starts_from_equal_weights);
	tcase_add_test(feedback, new_context_starts_from_the_overall_state);
	tcase_add_test(feedback, first_feedback_in_a_context_teaches_both_states);
	tcase_add_test(feedback, temperature_strength_drift_and_mask_are_obeyed);
	tcase_add_test(feedback, models_do_not_share_states);
	tcase_add_test(feedback, most_heads_of_a_model_fit);
	tcase_add_test(feedback, event_keeps_what_happened);
	tcase_add_test(ids, repeat_gives_the_first_answer_and_changes_nothing);
	tcase_add_test(ids, repeat_in_one_batch_is_a_duplicate_of_the_first);
	tcase_add_test(ids, repeat_under_another_model_gives_the_answer_of_the_first);
	tcase_add_test(ids, id_reused_for_other_content_is_refused_alone);
	tcase_add_test(ids, same_id_of_another_user_is_another_event);
	tcase_add_test(drop, delete_removes_states_and_events_of_all_models);
	tcase_add_test(drop, batch_is_applied_in_its_order);
	tcase_add_test(read, read_state_falls_back_to_the_overall_state_then_to_zero);
	tcase_add_test(read, read_user_lists_states_by_context);
	tcase_add_test(read, read_user_of_nobody_is_not_found);
	return unit_run(suite);
}
