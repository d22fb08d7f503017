/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/eval/eval.h"
#include "core/train/stage2.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/unit.h"

static struct dataset data, fresh;
static struct model model;
static struct stage2_options options;
static struct stage2_result result;

static void setup(void)
{
	pairs_two_tastes(40, 3, 1, &data);
	pairs_two_tastes(40, 3, 2, &fresh);
	pairs_set_contexts(&data);
	pairs_set_contexts(&fresh);
	pairs_opposed_model(ROUTER_LINEAR, 0, &model);
	stage2_defaults(&options);
}

static void teardown(void)
{
	model_free(&model);
	dataset_free(&data);
	dataset_free(&fresh);
}

static void route(void)
{
	struct err err;

	ck_assert_msg(stage2_run(&data, &options, NULL, NULL, &model, &result, &err) == STATUS_OK,
		      "%s", err.msg);
}

static struct eval_score score_of(const struct dataset *dataset)
{
	struct eval_options eval_options = {.temperature = 1};
	struct eval_result evaluated;
	struct eval_score score;

	ck_assert_int_eq(eval_run(&model, dataset, &eval_options, &evaluated, NULL), STATUS_OK);
	score = evaluated.context_mean;
	eval_result_free(&evaluated);
	return score;
}

/* ---- what it learns ---- */

static const struct {
	enum stage2_method method;
	enum router_kind router;
} cases[] = {
    {STAGE2_ITERATE, ROUTER_LINEAR},	 {STAGE2_ITERATE, ROUTER_MLP},
    {STAGE2_CLOSED_FORM, ROUTER_LINEAR}, {STAGE2_CLOSED_FORM, ROUTER_MLP},
    {STAGE2_AUTO, ROUTER_LINEAR},	 {STAGE2_AUTO, ROUTER_MLP},
};

START_TEST(each_context_gets_its_head)
{
	model_free(&model);
	pairs_opposed_model(cases[_i].router, 8, &model);
	ck_assert_double_lt(score_of(&fresh).accuracy, 0.6);
	options.method = cases[_i].method;
	route();
	ck_assert_double_gt(score_of(&fresh).accuracy, 0.95);
	ck_assert_double_lt(score_of(&fresh).nll, 0.25);
	ck_assert_double_lt(result.trials[result.chosen].heldout.nll, result.before.nll);
}
END_TEST

START_TEST(heads_and_id_stay)
{
	struct model before;

	pairs_opposed_model(ROUTER_LINEAR, 0, &before);
	route();
	ck_assert_mem_eq(model.heads.weight, before.heads.weight, 3 * PAIRS_DIM * sizeof(float));
	ck_assert_mem_eq(model.heads.center, before.heads.center, 3 * sizeof(float));
	model_update_id(&model);
	ck_assert_str_eq(model.id, before.id);
	ck_assert_mem_ne(model.router.params, before.router.params,
			 before.router.n_params * sizeof(float));
	model_free(&before);
}
END_TEST

START_TEST(masked_head_stays_out)
{
	model.mask[0] = true;
	for (int m = 0; m < STAGE2_AUTO; m++) {
		options.method = (enum stage2_method)m;
		route();
		ck_assert(model.router.bias[0] == 0 && model.router.first[0] == 0);
		/* without their own head, the best for even users is the one that knows nothing */
		ck_assert_double_lt(score_of(&fresh).nll, 0.6);
	}
	ck_assert(model.mask[0]);
}
END_TEST

START_TEST(same_seed_gives_the_same_router_and_another_does_not)
{
	struct model again;
	size_t size = model.router.n_params * sizeof(float);

	options.method = cases[_i].method;
	route();
	pairs_opposed_model(ROUTER_LINEAR, 0, &again);
	ck_assert_int_eq(stage2_run(&data, &options, NULL, NULL, &again, &result, NULL), STATUS_OK);
	ck_assert_mem_eq(model.router.params, again.router.params, size);
	ck_assert_str_eq(model_fact(&model, "train.route.heldout"),
			 model_fact(&again, "train.route.heldout"));
	model_free(&again);
	options.seed++;
	pairs_opposed_model(ROUTER_LINEAR, 0, &again);
	ck_assert_int_eq(stage2_run(&data, &options, NULL, NULL, &again, &result, NULL), STATUS_OK);
	ck_assert_mem_ne(model.router.params, again.router.params, size);
	model_free(&again);
}
END_TEST

/* ---- the choice ---- */

START_TEST(the_best_on_held_out_pairs_wins)
{
	const struct stage2_trial *chosen;

	route();
	chosen = &result.trials[result.chosen];
	ck_assert_ptr_eq(stage2_best(&result, STAGE2_AUTO), chosen);
	ck_assert_ptr_eq(stage2_best(&result, chosen->method), chosen);
	for (size_t i = 0; i < result.n_trials; i++) {
		ck_assert_double_le(chosen->heldout.nll, result.trials[i].heldout.nll);
		ck_assert_uint_eq(result.trials[i].heldout.n_pairs, 120);
	}
	ck_assert_uint_eq(result.before.n_pairs, 120);
	ck_assert_double_eq_tol(result.before.nll, log(2), 0.2);
	ck_assert_uint_eq(result.n_groups, 2);
}
END_TEST

START_TEST(what_is_given_is_not_chosen)
{
	options.method = STAGE2_CLOSED_FORM;
	route();
	ck_assert_ptr_null(stage2_best(&result, STAGE2_ITERATE));
	ck_assert_uint_gt(result.n_trials, 1);
	options.tau = 3;
	route();
	ck_assert_uint_eq(result.n_trials, 1);
	ck_assert(result.trials[0].tau == 3);
	ck_assert_uint_eq(result.trials[0].heldout.n_pairs, 120);
	options.holdout = 0;
	route();
	ck_assert_uint_eq(result.trials[0].heldout.n_pairs, 0);
	ck_assert_str_eq(model_fact(&model, "train.route.heldout"), "null");
}
END_TEST

/* Contexts that half of the pairs contradict: whatever is learnt of them predicts worse. */
START_TEST(auto_keeps_a_router_that_nothing_betters)
{
	size_t size = model.router.n_params * sizeof(float);
	float *before = malloc(size);

	memcpy(before, model.router.params, size);
	for (size_t i = 0; i < data.n_pairs; i++)
		data.context[i] = data.prompt[i] = i / 6 % 2;
	options.budget = 60;
	route();
	ck_assert(result.kept);
	ck_assert_double_ge(result.trials[result.chosen].heldout.nll, result.before.nll);
	ck_assert_mem_eq(model.router.params, before, size);
	ck_assert_ptr_null(model_fact(&model, "train.route.method"));
	options.method = result.trials[result.chosen].method;
	route();
	ck_assert(!result.kept);
	ck_assert_mem_ne(model.router.params, before, size);
	ck_assert_ptr_nonnull(model_fact(&model, "train.route.method"));
	free(before);
}
END_TEST

START_TEST(budget_bounds_the_pairs)
{
	static const struct {
		size_t budget, n_pairs;
	} budgets[] = {{0, 120}, {30, 30}, {120, 120}, {100000, 120}};

	for (size_t i = 0; i < LENGTH(budgets); i++) {
		options.budget = budgets[i].budget;
		route();
		ck_assert_msg(result.n_pairs == budgets[i].n_pairs, "budget %zu: %zu pairs",
			      options.budget, result.n_pairs);
		ck_assert_uint_eq(result.before.n_pairs, result.n_pairs);
	}
}
END_TEST

START_TEST(few_pairs_stay_near_the_router_when_tau_is_large)
{
	struct eval_score before = score_of(&fresh);

	options.method = STAGE2_CLOSED_FORM;
	options.tau = 1e6;
	options.budget = 4;
	route();
	ck_assert_double_eq_tol(score_of(&fresh).nll, before.nll, 0.02);
}
END_TEST

/* ---- facts and progress ---- */

START_TEST(facts_say_what_was_done)
{
	json_t *heldout, *used;

	options.seed = 11;
	options.budget = 60;
	options.n_threads = 2;
	route();
	ck_assert_str_eq(model_fact(&model, "train.route.method"),
			 stage2_method_name(result.trials[result.chosen].method));
	ck_assert(strtod(model_fact(&model, "train.route.tau"), NULL) ==
		  result.trials[result.chosen].tau);
	ck_assert_str_eq(model_fact(&model, "train.route.seed"), "11");
	ck_assert_str_eq(model_fact(&model, "train.route.pairs"), "60");
	used = json_loads(model_fact(&model, "train.route.options"), 0, NULL);
	ck_assert_int_eq(json_integer_value(json_object_get(used, "budget")), 60);
	ck_assert_int_eq(json_integer_value(json_object_get(used, "epochs")), 10);
	ck_assert_int_eq(json_integer_value(json_object_get(used, "threads")), 2);
	ck_assert(json_real_value(json_object_get(used, "learning_rate")) == result.learning_rate);
	heldout = json_loads(model_fact(&model, "train.route.heldout"), 0, NULL);
	ck_assert_int_eq(json_integer_value(json_object_get(heldout, "n_pairs")), 60);
	for (int m = 0; m < STAGE2_AUTO; m++) {
		json_t *figures =
		    json_object_get(heldout, stage2_method_name((enum stage2_method)m));

		ck_assert(json_number_value(json_object_get(figures, "nll")) ==
			  stage2_best(&result, (enum stage2_method)m)->heldout.nll);
	}
	ck_assert(json_real_value(json_object_get(json_object_get(heldout, "before"), "nll")) ==
		  result.before.nll);
	json_decref(used);
	json_decref(heldout);
}
END_TEST

/* psi = e_0 or e_1 and the bias: a step of 1/2 moves a logit by 1 */
START_TEST(default_learning_rate_follows_the_scale_of_the_vectors)
{
	options.method = STAGE2_ITERATE;
	options.tau = 1;
	route();
	ck_assert_double_eq_tol(result.learning_rate, 0.5, 1e-6);
	for (size_t i = 0; i < 2 * PAIRS_DIM; i++)
		data.psi.value[i] *= 9;
	route();
	ck_assert_double_eq_tol(result.learning_rate, 0.1, 1e-6);
	options.learning_rate = 0.25;
	route();
	ck_assert(result.learning_rate == 0.25);
}
END_TEST

struct watcher {
	size_t calls, trials, epoch_ends, stop_after;
	struct train_progress last;
};

static bool watch(void *context, const struct stage2_progress *progress)
{
	struct watcher *w = context;

	ck_assert_uint_le(w->last.pairs_done, progress->fit.pairs_done);
	w->last = progress->fit;
	w->calls++;
	w->trials += progress->trial != NULL;
	w->epoch_ends += progress->trial == NULL && progress->fit.epoch_end;
	return w->calls != w->stop_after;
}

START_TEST(progress_reports_trials_and_the_last_trainings_epochs)
{
	struct watcher w = {0};

	ck_assert_int_eq(stage2_run(&data, &options, watch, &w, &model, &result, NULL), STATUS_OK);
	ck_assert_uint_eq(w.trials, result.n_trials);
	ck_assert_uint_eq(w.epoch_ends, options.epochs);
	ck_assert_uint_eq(w.last.pairs_done, w.last.pairs_total);
	ck_assert_uint_eq(w.last.pairs_total, (result.n_trials * 4 + 1) * 120 * 10);
}
END_TEST

START_TEST(stops_when_progress_says_so_and_leaves_the_router)
{
	struct model before;
	struct watcher all = {0};

	pairs_opposed_model(ROUTER_LINEAR, 0, &before);
	options.method = STAGE2_ITERATE;
	options.tau = 1;
	options.epochs = 1;
	ck_assert_int_eq(stage2_run(&data, &options, watch, &all, &before, &result, NULL),
			 STATUS_OK);
	model_free(&before);
	pairs_opposed_model(ROUTER_LINEAR, 0, &before);
	for (size_t stop = 1; stop <= all.calls; stop++) {
		struct watcher w = {.stop_after = stop};
		struct err err;

		ck_assert_int_eq(stage2_run(&data, &options, watch, &w, &model, &result, &err),
				 STATUS_INTERRUPTED);
		ck_assert_ptr_nonnull(strstr(err.msg, "interrupted"));
		ck_assert_uint_eq(w.calls, stop);
		ck_assert_mem_eq(model.router.params, before.router.params,
				 before.router.n_params * sizeof(float));
		ck_assert_ptr_null(model_fact(&model, "train.route.method"));
	}
	model_free(&before);
}
END_TEST

/* ---- refusals ---- */

static const struct {
	const char *what;
	enum router_kind router;
	size_t epochs, batch, budget;
	double tau, holdout, learning_rate;
	enum status status;
	const char *message;
} refusals[] = {
    {"a static router", ROUTER_STATIC, 1, 1, 0, 1, 0, 0.1, STATUS_INVALID_VALUE,
     "the model has a static router, which gives every context the same weights"},
    {"no epochs", ROUTER_LINEAR, 0, 1, 0, 1, 0, 0.1, STATUS_INVALID_VALUE, "0 epochs"},
    {"no batch", ROUTER_LINEAR, 1, 0, 0, 1, 0, 0.1, STATUS_INVALID_VALUE, "batches of 0"},
    {"tau 0", ROUTER_LINEAR, 1, 1, 0, 0, 0, 0.1, STATUS_INVALID_VALUE, "tau 0, want tau > 0"},
    {"infinite tau", ROUTER_LINEAR, 1, 1, 0, INFINITY, 0, 0.1, STATUS_INVALID_VALUE, "tau inf"},
    {"most held out", ROUTER_LINEAR, 1, 1, 0, 1, 0.6, 0.1, STATUS_INVALID_VALUE,
     "holdout 0.6, want 0 <= holdout <= 0.5"},
    {"nothing to choose by", ROUTER_LINEAR, 1, 1, 0, NAN, 0, 0.1, STATUS_INVALID_VALUE,
     "of 120 pairs none is held out (holdout 0); give a method and a tau"},
    {"one pair to choose by", ROUTER_LINEAR, 1, 1, 1, NAN, 0.2, 0.1, STATUS_INVALID_VALUE,
     "of 1 pairs none is held out"},
    {"divergence", ROUTER_LINEAR, 9, 8, 0, 1, 0, 3e38, STATUS_NOT_FINITE, "the router diverged"},
};

START_TEST(refuses)
{
	struct err err;

	model_free(&model);
	pairs_opposed_model(refusals[_i].router, 0, &model);
	options.method = STAGE2_ITERATE;
	options.epochs = refusals[_i].epochs;
	options.batch = refusals[_i].batch;
	options.budget = refusals[_i].budget;
	options.tau = refusals[_i].tau;
	options.holdout = refusals[_i].holdout;
	options.learning_rate = refusals[_i].learning_rate;
	ck_assert_msg(stage2_run(&data, &options, NULL, NULL, &model, &result, &err) ==
			  refusals[_i].status,
		      "%s", refusals[_i].what);
	ck_assert_msg(strstr(err.msg, refusals[_i].message) != NULL, "%s: %s", refusals[_i].what,
		      err.msg);
}
END_TEST

START_TEST(refuses_data_of_another_dimension)
{
	struct err err;

	data.psi.dim = 3;
	ck_assert_int_eq(stage2_run(&data, &options, NULL, NULL, &model, &result, &err),
			 STATUS_WRONG_DIMENSION);
	ck_assert_str_eq(err.msg, "data of dimension 3, but the model has 4");
	data.psi.dim = 4;
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stage2");
	TCase *tcase = tcase_create("stage2_run");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, each_context_gets_its_head, 0, (int)LENGTH(cases));
	tcase_add_test(tcase, heads_and_id_stay);
	tcase_add_test(tcase, masked_head_stays_out);
	tcase_add_loop_test(tcase, same_seed_gives_the_same_router_and_another_does_not, 0,
			    (int)LENGTH(cases));
	tcase_add_test(tcase, the_best_on_held_out_pairs_wins);
	tcase_add_test(tcase, what_is_given_is_not_chosen);
	tcase_add_test(tcase, auto_keeps_a_router_that_nothing_betters);
	tcase_add_test(tcase, budget_bounds_the_pairs);
	tcase_add_test(tcase, few_pairs_stay_near_the_router_when_tau_is_large);
	tcase_add_test(tcase, facts_say_what_was_done);
	tcase_add_test(tcase, default_learning_rate_follows_the_scale_of_the_vectors);
	tcase_add_test(tcase, progress_reports_trials_and_the_last_trainings_epochs);
	tcase_add_test(tcase, stops_when_progress_says_so_and_leaves_the_router);
	tcase_add_loop_test(tcase, refuses, 0, (int)LENGTH(refusals));
	tcase_add_test(tcase, refuses_data_of_another_dimension);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
