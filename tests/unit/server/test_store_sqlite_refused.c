/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_sqlite_refused.c - steps that cannot be taken, and rows that are damaged. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
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

/* The tables of a store that is closed say it all. */
static int64_t count(const char *table)
{
	char sql[64];

	store_close(store);
	store = store_folder_open(&folder);
	snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
	return store_folder_int(&folder, sql);
}

/* ---- steps that cannot be taken ---- */

static char long_text[STORE_MAX_ID + 2];

static void no_user(struct store_feedback *f)
{
	f->user = "";
}
static void long_user(struct store_feedback *f)
{
	f->user = long_text;
}
static void long_context(struct store_feedback *f)
{
	f->context = long_text;
}
static void no_event_id(struct store_feedback *f)
{
	f->event_id = "";
}
static void long_event_id(struct store_feedback *f)
{
	f->event_id = long_text;
}
static void no_model_id(struct store_feedback *f)
{
	f->model_id = "";
}
static void no_heads(struct store_feedback *f)
{
	f->n_heads = 0;
}
static void too_many_heads(struct store_feedback *f)
{
	f->n_heads = HEADS_MAX + 1;
}
static void other_heads(struct store_feedback *f)
{
	f->n_heads = K - 1;
}
static void zero_temperature(struct store_feedback *f)
{
	f->temperature = 0;
}
static void negative_strength(struct store_feedback *f)
{
	f->strength = -1;
}
static void drift_of_one(struct store_feedback *f)
{
	f->drift = 1;
}
static void drift_of_nan(struct store_feedback *f)
{
	f->drift = NAN;
}
static void nan_loss(struct store_feedback *f)
{
	((double *)f->loss)[1] = NAN;
}
static void losses_that_overflow(struct store_feedback *f)
{
	((double *)f->loss)[0] = -DBL_MAX / 2 - DBL_MAX / 4;
	((double *)f->loss)[1] = DBL_MAX / 2 + DBL_MAX / 4;
}
static void nan_logit(struct store_feedback *f)
{
	((float *)f->logits)[2] = NAN;
}
static void long_input(struct store_feedback *f)
{
	char *input = mem_array(STORE_MAX_INPUT + 2, 1);

	memset(input, 'x', STORE_MAX_INPUT + 1);
	f->input = input;
}

static const struct {
	void (*spoil)(struct store_feedback *f);
	enum status status;
	const char *message;
} bad_steps[] = {
    {no_user, STATUS_INVALID_VALUE, "user of 0 bytes, want 1 to 256"},
    {long_user, STATUS_INVALID_VALUE, "user of 257 bytes, want 1 to 256"},
    {long_context, STATUS_INVALID_VALUE, "context of 257 bytes, want 0 to 256"},
    {no_event_id, STATUS_INVALID_VALUE, "event id of 0 bytes"},
    {long_event_id, STATUS_INVALID_VALUE, "event id of 257 bytes"},
    {no_model_id, STATUS_INVALID_VALUE, "model id of 0 bytes"},
    {no_heads, STATUS_INVALID_VALUE, "0 heads, want 1 to 1024"},
    {too_many_heads, STATUS_INVALID_VALUE, "1025 heads, want 1 to 1024"},
    {other_heads, STATUS_STATE_CORRUPT, "model has 3 heads there, want 2"},
    {zero_temperature, STATUS_INVALID_VALUE, "temperature 0"},
    {negative_strength, STATUS_INVALID_VALUE, "strength -1"},
    {drift_of_one, STATUS_INVALID_VALUE, "drift 1, want 0 <= drift < 1"},
    {drift_of_nan, STATUS_INVALID_VALUE, "drift nan"},
    {nan_loss, STATUS_NOT_FINITE, "loss nan of head 1"},
    {losses_that_overflow, STATUS_NOT_FINITE, "too far apart"},
    {nan_logit, STATUS_NOT_FINITE, "weight is not finite"},
    {long_input, STATUS_TOO_LARGE, "want at most 268435456"},
};

START_TEST(impossible_step_is_refused_alone_and_leaves_nothing)
{
	struct store_step steps[3];

	memset(long_text, 'x', sizeof(long_text) - 1);
	store_step_set(&steps[0], "ada", "work", "e1", 1);
	store_step_set(&steps[1], "ada", "home", "bad", 2);
	store_step_set(&steps[2], "ada", "work", "e3", 3);
	bad_steps[_i].spoil(&steps[1].op.feedback);
	store_apply_steps(store, steps, LENGTH(steps));
	ck_assert_msg(steps[1].op.err.code == bad_steps[_i].status &&
			  strstr(steps[1].op.err.msg, bad_steps[_i].message) != NULL,
		      "case %d: %d: %s", _i, (int)steps[1].op.err.code, steps[1].op.err.msg);
	ck_assert_int_eq(steps[0].op.err.code, STATUS_OK);
	ck_assert_int_eq(steps[2].op.err.code, STATUS_OK);
	ck_assert_uint_eq(steps[2].op.feedback.updates_out, 2);
	ck_assert_int_eq(count("events"), 2);
	ck_assert_int_eq(count("states"), 2);
	mem_free((char *)steps[1].op.feedback.input);
}
END_TEST

/* ---- damaged rows ---- */

#define ZEROS "00000000000000000000000000000000" /* two numbers in hexadecimal */

static const struct {
	const char *sql;
	const char *message;
} damages[] = {
    {"UPDATE states SET log_weights = x'0011'", "log_weights of 2 bytes, want 24"},
    {"UPDATE states SET log_weights = zeroblob(32)", "log_weights of 32 bytes, want 24"},
    {"UPDATE states SET log_weights = zeroblob(0)", "log_weights of 0 bytes, want 24"},
    /* +infinity and NaN as they lie in the file */
    {"UPDATE states SET log_weights = x'" ZEROS "000000000000f07f'", "not finite"},
    {"UPDATE states SET log_weights = x'000000000000f87f" ZEROS "'", "not finite"},
};

START_TEST(damaged_state_is_reported_and_left_as_it_is)
{
	struct store_step steps[2];
	struct store_user user;
	struct err err = {0};
	double s[K];
	uint64_t updates;

	store_give(store, "ada", "", "e1", 1);
	store_close(store);
	store_folder_sql(&folder, damages[_i].sql);
	store = store_folder_open(&folder);
	ck_assert_int_eq(store_read_state(store, "ada", "", "model", K, s, &updates, &err),
			 STATUS_STATE_CORRUPT);
	ck_assert_msg(strstr(err.msg, damages[_i].message) != NULL, "case %d: %s", _i, err.msg);
	ck_assert_int_eq(store_read_user(store, "ada", NULL, &user, &err), STATUS_STATE_CORRUPT);

	store_step_set(&steps[0], "ada", "", "e2", 2);
	store_step_set(&steps[1], "bob", "", "e2", 2);
	store_apply_steps(store, steps, LENGTH(steps));
	ck_assert_int_eq(steps[0].op.err.code, STATUS_STATE_CORRUPT);
	ck_assert_int_eq(steps[1].op.err.code, STATUS_OK);
	ck_assert_int_eq(count("events"), 2);
}
END_TEST

static const struct {
	const char *sql;
	enum status status;
} event_damages[] = {
    {"UPDATE events SET digest = zeroblob(16)", STATUS_EVENT_ID_REUSED},
    {"UPDATE events SET weights = zeroblob(8), losses = zeroblob(8)", STATUS_STATE_CORRUPT},
    {"UPDATE events SET weights = x'000000000000f87f" ZEROS "'", STATUS_STATE_CORRUPT},
    {"UPDATE models SET n_heads = 100000", STATUS_STATE_CORRUPT},
};

START_TEST(damaged_event_gives_no_answer)
{
	struct store_step step;

	store_give(store, "ada", "", "e1", 1);
	store_folder_sql(&folder, event_damages[_i].sql);
	store_step_set(&step, "ada", "", "e1", 1);
	ck_assert_int_eq(store_apply_one(store, &step.op), event_damages[_i].status);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_sqlite_refused");
	TCase *bad = tcase_create("impossible steps");
	TCase *damaged = tcase_create("damaged rows");
	TCase *const all[] = {bad, damaged};

	for (size_t i = 0; i < LENGTH(all); i++) {
		tcase_add_checked_fixture(all[i], set_up, tear_down);
		tcase_set_timeout(all[i], 60);
		suite_add_tcase(suite, all[i]);
	}
	tcase_add_loop_test(bad, impossible_step_is_refused_alone_and_leaves_nothing, 0,
			    LENGTH(bad_steps));
	tcase_add_loop_test(damaged, damaged_state_is_reported_and_left_as_it_is, 0,
			    LENGTH(damages));
	tcase_add_loop_test(damaged, damaged_event_gives_no_answer, 0, LENGTH(event_damages));
	return unit_run(suite);
}
