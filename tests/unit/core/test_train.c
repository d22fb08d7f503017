/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/eval/eval.h"
#include "core/math/logmath.h"
#include "core/train/train.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/unit.h"

static void train(const struct dataset *data, const struct train_options *options,
		  struct model *model)
{
	struct err err;

	pairs_model(options->n_heads, options->router, options->n_hidden, model);
	ck_assert_msg(train_run(data, options, NULL, NULL, model, &err) == STATUS_OK, "%s",
		      err.msg);
}

static struct train_options small_options(enum objective objective)
{
	struct train_options options;

	train_defaults(objective, &options);
	options.n_heads = objective == OBJECTIVE_BT ? 1 : 2;
	options.router = ROUTER_STATIC;
	options.batch = 16;
	options.epochs = objective == OBJECTIVE_DRM ? 0 : 12;
	options.learning_rate = 0.05;
	options.holdout = 0.2;
	return options;
}

START_TEST(panel_gives_each_taste_a_head)
{
	struct train_options options = small_options(OBJECTIVE_PANEL);
	struct eval_options eval_options = {.shots = {0, 4}, .n_shots = 2, .temperature = 1};
	struct eval_result result;
	struct dataset data, fresh;
	struct model model;
	struct err err;

	pairs_two_tastes(60, 12, 1, &data);
	pairs_two_tastes(40, 12, 2, &fresh);
	train(&data, &options, &model);
	ck_assert(eval_run(&model, &fresh, &eval_options, &result, &err) == STATUS_OK);
	ck_assert_msg(fabs(result.shots[0].accuracy - 0.5) < 0.1, "%g", result.shots[0].accuracy);
	ck_assert_msg(result.shots[1].accuracy > 0.9, "%g", result.shots[1].accuracy);
	ck_assert_uint_eq(result.shots[1].users, 40);
	eval_result_free(&result);
	model_free(&model);
	dataset_free(&data);
	dataset_free(&fresh);
}
END_TEST

/* what the model's facts say of the shrinkage of its heads */
static double shrinkage_of(const struct model *model)
{
	const char *options = model_fact(model, "train.options");

	return strtod(strstr(options, "\"shrinkage\":") + strlen("\"shrinkage\":"), NULL);
}

START_TEST(heads_stay_apart_where_users_differ_and_draw_together_where_they_agree)
{
	struct train_options options = small_options(OBJECTIVE_PANEL);
	struct dataset differ, agree;
	struct model apart, together;

	pairs_two_tastes(60, 12, 1, &differ);
	pairs_one_taste(60, 12, 1, &agree);
	train(&differ, &options, &apart);
	train(&agree, &options, &together);
	ck_assert_double_eq(shrinkage_of(&apart), 1);
	ck_assert_double_eq(shrinkage_of(&together), 0.25);
	model_free(&apart);
	model_free(&together);
	dataset_free(&differ);
	dataset_free(&agree);
}
END_TEST

START_TEST(nothing_is_shrunk_without_held_out_users)
{
	struct train_options options = small_options(OBJECTIVE_PANEL);
	struct dataset data;
	struct model model;

	options.holdout = 0;
	pairs_one_taste(60, 12, 1, &data);
	train(&data, &options, &model);
	ck_assert_double_eq(shrinkage_of(&model), 1);
	model_free(&model);
	dataset_free(&data);
}
END_TEST

START_TEST(one_head_cannot_serve_opposite_tastes)
{
	struct train_options options = small_options(OBJECTIVE_MICRO);
	struct eval_options eval_options = {.temperature = 1};
	struct eval_result result;
	struct dataset data;
	struct model model;
	struct err err;

	options.n_heads = 1;
	pairs_two_tastes(60, 12, 1, &data);
	train(&data, &options, &model);
	ck_assert(eval_run(&model, &data, &eval_options, &result, &err) == STATUS_OK);
	ck_assert_double_eq_tol(result.overall.nll, log(2), 0.03);
	eval_result_free(&result);
	model_free(&model);
	dataset_free(&data);
}
END_TEST

/* table of objectives and routers for the seed tests */
static const struct {
	enum objective objective;
	enum router_kind router;
} seed_cases[] = {
    {OBJECTIVE_MICRO, ROUTER_STATIC},	 {OBJECTIVE_MICRO, ROUTER_LINEAR},
    {OBJECTIVE_MICRO, ROUTER_MLP},	 {OBJECTIVE_PANEL, ROUTER_STATIC},
    {OBJECTIVE_PANEL, ROUTER_LINEAR},	 {OBJECTIVE_PANEL, ROUTER_MLP},
    {OBJECTIVE_BT, ROUTER_STATIC},	 {OBJECTIVE_STATIC, ROUTER_STATIC},
    {OBJECTIVE_ENSEMBLE, ROUTER_STATIC}, {OBJECTIVE_DRM, ROUTER_STATIC},
    {OBJECTIVE_ATTRIBUTES, ROUTER_MLP},	 {OBJECTIVE_LORE, ROUTER_STATIC},
};

START_TEST(same_seed_gives_the_same_model_and_another_does_not)
{
	struct train_options options = small_options(seed_cases[_i].objective);
	struct model a, b, c;
	struct dataset data;

	options.router = seed_cases[_i].router;
	options.n_hidden = 8;
	if (options.epochs > 0)
		options.epochs = 3;
	pairs_two_tastes(20, 8, 1, &data);
	pairs_set_contexts(&data);
	train(&data, &options, &a);
	train(&data, &options, &b);
	options.seed++;
	train(&data, &options, &c);
	ck_assert_mem_eq(a.heads.weight, b.heads.weight,
			 options.n_heads * PAIRS_DIM * sizeof(float));
	ck_assert_mem_eq(a.router.params, b.router.params, a.router.n_params * sizeof(float));
	ck_assert_str_eq(a.id, b.id);
	ck_assert_str_ne(a.id, c.id);
	ck_assert_str_eq(model_fact(&a, "train.objective"),
			 objective_name(seed_cases[_i].objective));
	ck_assert_str_eq(model_fact(&c, "train.seed"), "2");
	ck_assert_ptr_nonnull(model_fact(&a, "train.heldout"));
	model_free(&a);
	model_free(&b);
	model_free(&c);
	dataset_free(&data);
}
END_TEST

START_TEST(auto_takes_panel_only_when_users_have_several_pairs)
{
	struct train_options options = small_options(OBJECTIVE_AUTO);
	static const size_t per_user[] = {0, 1, 2};
	static const char *const want[] = {"micro", "micro", "panel"};

	options.epochs = 1;
	for (size_t i = 0; i < 3; i++) {
		struct dataset data;
		struct model model;

		pairs_two_tastes(20, per_user[i], 1, &data);
		train(&data, &options, &model);
		ck_assert_msg(strcmp(model_fact(&model, "train.objective"), want[i]) == 0,
			      "case %zu", i);
		model_free(&model);
		dataset_free(&data);
	}
}
END_TEST

START_TEST(auto_takes_micro_when_only_pairs_without_a_user_are_many)
{
	struct dataset data;

	pairs_two_tastes(20, 2, 1, &data);
	ck_assert_int_eq(train_objective_for(&data), OBJECTIVE_PANEL);
	for (size_t i = 0; i < data.n_pairs; i += 2)
		data.user[i] = DATASET_NONE;
	ck_assert_int_eq(train_objective_for(&data), OBJECTIVE_MICRO);
	dataset_free(&data);
}
END_TEST

START_TEST(centers_are_the_mean_rewards_of_training_responses)
{
	struct train_options options = small_options(OBJECTIVE_MICRO);
	struct dataset data;
	struct model model;
	double sum[2] = {0};

	options.holdout = 0;
	pairs_two_tastes(30, 0, 1, &data);
	train(&data, &options, &model);
	for (size_t i = 0; i < data.phi.n_rows; i++) {
		float reward[2];

		heads_rewards(&model.heads, features_row(&data.phi, i), reward);
		for (size_t k = 0; k < 2; k++)
			sum[k] += (double)reward[k] / (double)data.phi.n_rows;
	}
	for (size_t k = 0; k < 2; k++)
		ck_assert_double_eq_tol(model.heads.center[k], sum[k], 1e-5);
	ck_assert_ptr_null(model_fact(&model, "train.heldout"));
	model_free(&model);
	dataset_free(&data);
}
END_TEST

struct watcher {
	size_t calls, epoch_ends, stop_after;
	struct train_progress last;
};

static bool watch(void *context, const struct train_progress *progress)
{
	struct watcher *w = context;

	w->last = *progress;
	w->calls++;
	w->epoch_ends += progress->epoch_end;
	return w->calls != w->stop_after;
}

START_TEST(progress_reports_every_epoch_and_the_heldout_part)
{
	struct train_options options = small_options(OBJECTIVE_PANEL);
	struct watcher w = {0};
	struct dataset data;
	struct model model;
	struct err err;

	pairs_two_tastes(20, 10, 1, &data);
	pairs_model(2, ROUTER_STATIC, 0, &model);
	ck_assert(train_run(&data, &options, watch, &w, &model, &err) == STATUS_OK);
	ck_assert_uint_eq(w.epoch_ends, options.epochs);
	ck_assert_uint_eq(w.last.n_heldout, 40); /* 4 of 20 users */
	ck_assert_uint_eq(w.last.pairs_done, w.last.pairs_total);
	ck_assert_uint_eq(w.last.pairs_total, 160 * options.epochs);
	ck_assert(isfinite(w.last.heldout_nll));
	model_free(&model);
	dataset_free(&data);
}
END_TEST

START_TEST(heldout_ties_count_half)
{
	struct train_options options = small_options(OBJECTIVE_MICRO);
	struct watcher w = {0};
	struct dataset data;
	struct model model;
	struct err err;

	pairs_two_tastes(50, 0, 1, &data);
	for (size_t i = 0; i < data.n_pairs; i++)
		data.rejected[i] = data.chosen[i];
	pairs_model(2, ROUTER_STATIC, 0, &model);
	ck_assert(train_run(&data, &options, watch, &w, &model, &err) == STATUS_OK);
	ck_assert_uint_eq(w.last.n_heldout, 10);
	ck_assert_double_eq(w.last.heldout_accuracy, 0.5);
	model_free(&model);
	dataset_free(&data);
}
END_TEST

/* The one pair whose rewards overflow is held out, so that the training itself sees none. */
START_TEST(refuses_heldout_scores_that_are_not_finite)
{
	struct train_options options = small_options(OBJECTIVE_MICRO);
	struct watcher w = {0};
	struct dataset data;
	struct model model;
	struct err err;
	size_t n_heldout_faults = 0;

	options.init_scale = 10;
	options.epochs = 1;
	for (options.seed = 1; options.seed <= 20; options.seed++) {
		pairs_two_tastes(20, 0, 1, &data);
		for (size_t d = 0; d < PAIRS_DIM; d++)
			data.phi.value[data.chosen[3] * PAIRS_DIM + d] = 3e38f;
		pairs_model(2, ROUTER_STATIC, 0, &model);
		ck_assert_int_eq(train_run(&data, &options, watch, &w, &model, &err),
				 STATUS_NOT_FINITE);
		ck_assert_msg(strstr(err.msg, "training diverged in epoch 1") == err.msg, "%s",
			      err.msg);
		n_heldout_faults += strstr(err.msg, "pair 4: its score") != NULL;
		model_free(&model);
		dataset_free(&data);
	}
	ck_assert_uint_ge(n_heldout_faults, 1);
	ck_assert_uint_eq(w.epoch_ends, 0);
}
END_TEST

START_TEST(stops_when_progress_says_so)
{
	struct train_options options = small_options(OBJECTIVE_PANEL);
	struct watcher w = {.stop_after = 3};
	struct dataset data;
	struct model model;
	struct err err;

	pairs_two_tastes(20, 10, 1, &data);
	pairs_model(2, ROUTER_STATIC, 0, &model);
	ck_assert_int_eq(train_run(&data, &options, watch, &w, &model, &err), STATUS_INTERRUPTED);
	ck_assert_uint_eq(w.calls, 3);
	model_free(&model);
	dataset_free(&data);
}
END_TEST

static const struct {
	const char *what;
	enum objective objective;
	size_t n_heads, epochs, batch;
	double holdout, learning_rate;
	enum status status;
	const char *message;
} refusals[] = {
    {"panel without users", OBJECTIVE_PANEL, 2, 1, 8, 0, 0.1, STATUS_INVALID_VALUE,
     "the panel objective needs pairs with a \"user\""},
    {"lore without users", OBJECTIVE_LORE, 2, 1, 8, 0, 0.1, STATUS_INVALID_VALUE,
     "the lore objective needs pairs with a \"user\""},
    {"attributes without contexts", OBJECTIVE_ATTRIBUTES, 2, 1, 8, 0, 0.1, STATUS_INVALID_VALUE,
     "needs a \"context\" in every pair; 20 of 20 have none, the first is pair 1"},
    {"bt with two heads", OBJECTIVE_BT, 2, 1, 8, 0, 0.1, STATUS_INVALID_VALUE,
     "the bt objective has one head, not 2"},
    {"drm with epochs", OBJECTIVE_DRM, 2, 3, 8, 0, 0.1, STATUS_INVALID_VALUE,
     "the drm objective is computed, not trained: it has no epochs, and 3 are asked for"},
    {"ensemble with decay", OBJECTIVE_ENSEMBLE, 2, 1, 8, 0, 0.1, STATUS_INVALID_VALUE,
     "weight decay 0.125 would pull it towards zero, want 0"},
    {"heads unlike the model", OBJECTIVE_MICRO, 3, 1, 8, 0, 0.1, STATUS_INVALID_VALUE,
     "3 heads asked for, the model has 2"},
    {"no epochs", OBJECTIVE_MICRO, 2, 0, 8, 0, 0.1, STATUS_INVALID_VALUE, "0 epochs"},
    {"no batch", OBJECTIVE_MICRO, 2, 1, 0, 0, 0.1, STATUS_INVALID_VALUE, "batches of 0"},
    {"all held out", OBJECTIVE_MICRO, 2, 1, 8, 1, 0.1, STATUS_INVALID_VALUE, "holdout 1, want"},
    {"divergence", OBJECTIVE_MICRO, 2, 9, 8, 0, 1e38, STATUS_NOT_FINITE, "training diverged"},
};

START_TEST(refuses)
{
	struct train_options options = small_options(refusals[_i].objective);
	struct dataset data;
	struct model model;
	struct err err;

	options.n_heads = refusals[_i].n_heads;
	options.epochs = refusals[_i].epochs;
	options.batch = refusals[_i].batch;
	options.holdout = refusals[_i].holdout;
	options.learning_rate = refusals[_i].learning_rate;
	options.weight_decay = 0.125;
	pairs_two_tastes(20, 0, 1, &data);
	pairs_model(2, ROUTER_STATIC, 0, &model);
	ck_assert_msg(train_run(&data, &options, NULL, NULL, &model, &err) == refusals[_i].status,
		      "%s", refusals[_i].what);
	ck_assert_msg(strstr(err.msg, refusals[_i].message) != NULL, "%s: %s", refusals[_i].what,
		      err.msg);
	model_free(&model);
	dataset_free(&data);
}
END_TEST

/* ---- what is characteristic of a method ---- */

START_TEST(attributes_heads_are_called_and_judge_as_their_contexts)
{
	struct train_options options = small_options(OBJECTIVE_ATTRIBUTES);
	struct dataset data;
	struct model model;

	options.router = ROUTER_LINEAR;
	pairs_two_tastes(60, 12, 1, &data);
	pairs_set_contexts(&data);
	train(&data, &options, &model);
	ck_assert_str_eq(model.labels[0], "even");
	ck_assert_str_eq(model.labels[1], "odd");
	/* even users like feature 0, odd ones dislike it; psi has a feature for each context */
	ck_assert_float_gt(model.heads.weight[0], 1);
	ck_assert_float_lt(model.heads.weight[1], -1);
	ck_assert_float_gt(model.router.first[0], model.router.first[1]);
	ck_assert_float_gt(model.router.first[3], model.router.first[2]);
	model_free(&model);
	dataset_free(&data);
}
END_TEST

START_TEST(ensemble_router_stays_uniform_and_its_heads_apart)
{
	struct train_options options = small_options(OBJECTIVE_ENSEMBLE);
	struct dataset data;
	struct model model;

	options.weight_decay = 0;
	pairs_one_taste(60, 12, 1, &data);
	train(&data, &options, &model);
	ck_assert_float_eq(model.router.bias[0], 0);
	ck_assert_float_eq(model.router.bias[1], 0);
	for (size_t k = 0; k < 2; k++)
		ck_assert_float_gt(model.heads.weight[k], 1);
	ck_assert_float_ne(model.heads.weight[0], model.heads.weight[1]);
	model_free(&model);
	dataset_free(&data);
}
END_TEST

/* static and lore: opposite tastes get heads of opposite signs */
START_TEST(users_of_opposite_tastes_get_opposite_heads)
{
	struct train_options options = small_options(_i == 0 ? OBJECTIVE_STATIC : OBJECTIVE_LORE);
	struct dataset data;
	struct model model;

	pairs_two_tastes(60, 12, 1, &data);
	train(&data, &options, &model);
	ck_assert_float_lt(model.heads.weight[0] * model.heads.weight[1], -1);
	/* half of the users each, but for those held out */
	ck_assert_double_eq_tol(sigmoid((double)model.router.bias[0] - model.router.bias[1]), 0.5,
				0.15);
	model_free(&model);
	dataset_free(&data);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("train");
	TCase *run = tcase_create("train_run"), *methods = tcase_create("methods");

	tcase_add_test(run, panel_gives_each_taste_a_head);
	tcase_add_test(run, heads_stay_apart_where_users_differ_and_draw_together_where_they_agree);
	tcase_add_test(run, nothing_is_shrunk_without_held_out_users);
	tcase_add_test(run, one_head_cannot_serve_opposite_tastes);
	tcase_add_loop_test(run, same_seed_gives_the_same_model_and_another_does_not, 0,
			    (int)LENGTH(seed_cases));
	tcase_add_test(run, auto_takes_panel_only_when_users_have_several_pairs);
	tcase_add_test(run, auto_takes_micro_when_only_pairs_without_a_user_are_many);
	tcase_add_test(run, centers_are_the_mean_rewards_of_training_responses);
	tcase_add_test(run, progress_reports_every_epoch_and_the_heldout_part);
	tcase_add_test(run, heldout_ties_count_half);
	tcase_add_test(run, refuses_heldout_scores_that_are_not_finite);
	tcase_add_test(run, stops_when_progress_says_so);
	tcase_add_loop_test(run, refuses, 0, (int)LENGTH(refusals));
	tcase_add_test(methods, attributes_heads_are_called_and_judge_as_their_contexts);
	tcase_add_test(methods, ensemble_router_stays_uniform_and_its_heads_apart);
	tcase_add_loop_test(methods, users_of_opposite_tastes_get_opposite_heads, 0, 2);
	tcase_set_timeout(run, 60);
	suite_add_tcase(suite, run);
	suite_add_tcase(suite, methods);
	return unit_run(suite);
}
