/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/compare/compare.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/unit.h"

#define N_HEADS 2

static struct encoder *encoder;
static struct dataset train, test, routes, contexts;
static struct compare_methods methods;
static struct compare_options options;
static struct comparison comparison;
static struct err err;
static double now;

static double tick(void)
{
	return now += 2;
}

static void set_methods(const char *list)
{
	ck_assert_int_eq(compare_methods_parse(list, &methods, NULL), STATUS_OK);
}

static void setup(void)
{
	ck_assert_int_eq(encoder_open("none:4", &encoder, NULL), STATUS_OK);
	pairs_two_tastes(20, 10, 1, &train);
	pairs_two_tastes(8, 6, 2, &test);
	pairs_two_tastes(10, 4, 3, &routes);
	pairs_set_contexts(&routes);
	pairs_two_tastes(10, 5, 4, &contexts);
	pairs_set_contexts(&contexts);
	set_methods("bt,panel");
	options = (struct compare_options){
	    .encoder = encoder,
	    .train = {"train", &train},
	    .test = {"test", &test},
	    .methods = &methods,
	    .n_heads = N_HEADS,
	    .epochs = 4,
	    .shots = {0, 1, 4},
	    .n_threads = 1,
	    .n_shots = 3,
	    .first_seed = 5,
	    .n_seeds = 2,
	    .clock = tick,
	};
	now = 0;
}

static void teardown(void)
{
	comparison_free(&comparison);
	dataset_free(&train);
	dataset_free(&test);
	dataset_free(&routes);
	dataset_free(&contexts);
	encoder_close(encoder);
}

static void with_contexts(void)
{
	options.route = (struct compare_split){"routes", &routes};
	options.contexts = (struct compare_split){"contexts", &contexts};
}

static void run(void)
{
	enum status status = compare_run(&options, NULL, NULL, &comparison, &err);

	ck_assert_msg(status == STATUS_OK, "%s", err.msg);
}

/* ---- what comes out ---- */

/* The panel's figures, by hand: what train_run() and eval_run() say of each seed. */
START_TEST(figures_are_means_over_the_seeds)
{
	const struct compare_score *last;
	double accuracy[2], nll[2];

	run();
	for (size_t s = 0; s < 2; s++) {
		struct eval_options eval = {.shots = {4}, .n_shots = 1, .temperature = 1};
		struct train_options how;
		struct eval_result result;
		struct model model;

		ck_assert_int_eq(
		    compare_method_options(&methods.method[1], &train, N_HEADS, 4, &how, NULL),
		    STATUS_OK);
		how.seed = 5 + s;
		pairs_model(N_HEADS, how.router, how.n_hidden, &model);
		ck_assert_int_eq(train_run(&train, &how, NULL, NULL, &model, NULL), STATUS_OK);
		ck_assert_int_eq(eval_run(&model, &test, &eval, &result, NULL), STATUS_OK);
		accuracy[s] = result.shots[0].accuracy;
		nll[s] = result.shots[0].nll;
		eval_result_free(&result);
		model_free(&model);
	}
	last = &comparison.results[1].shots[2];
	ck_assert_double_eq_tol(last->accuracy.mean, (accuracy[0] + accuracy[1]) / 2, 1e-15);
	ck_assert_double_eq_tol(last->nll.mean, (nll[0] + nll[1]) / 2, 1e-15);
	ck_assert_double_eq_tol(last->nll.sd, fabs(nll[0] - nll[1]) / sqrt(2), 1e-15);
}
END_TEST

START_TEST(the_comparison_says_what_was_compared)
{
	const struct compare_result *bt;

	run();
	ck_assert_str_eq(comparison.train_path, "train");
	ck_assert_str_eq(comparison.test_path, "test");
	ck_assert_ptr_null(comparison.route_path);
	ck_assert_ptr_null(comparison.context_path);
	ck_assert_str_eq(comparison.encoder_spec, "none:4");
	ck_assert_uint_eq(comparison.n_train_pairs, 200);
	ck_assert_uint_eq(comparison.n_train_users, 20);
	ck_assert_uint_eq(comparison.n_test_pairs, 48);
	ck_assert_uint_eq(comparison.n_test_users, 8);
	ck_assert_uint_eq(comparison.first_seed, 5);
	ck_assert_uint_eq(comparison.n_seeds, 2);
	ck_assert_uint_eq(comparison.n_shots, 3);
	ck_assert_uint_eq(comparison.shots[2], 4);
	ck_assert_uint_eq(comparison.n_contexts, 0);
	ck_assert_uint_eq(comparison.n_results, 2);
	bt = &comparison.results[0];
	ck_assert_str_eq(bt->name, "bt");
	ck_assert_str_eq(bt->objective, "bt");
	ck_assert_str_eq(bt->adapt, "none");
	ck_assert_uint_eq(bt->n_heads, 1);
	ck_assert_double_eq(bt->seconds.mean, 2); /* the clock ticks before and after */
	ck_assert_double_eq(bt->seconds.sd, 0);
	ck_assert_ptr_null(bt->contexts);
	ck_assert_ptr_null(comparison.heads_curve.method);
	ck_assert_ptr_null(comparison.budget_curve.method);
	ck_assert_ptr_null(comparison.router_map.method);
	ck_assert_ptr_null(comparison.head_map.method);
}
END_TEST

/* Two opposite tastes: one head cannot please both, and feedback tells which is whose. */
START_TEST(feedback_tells_tastes_apart_but_not_for_a_single_head)
{
	options.epochs = 60;
	run();
	for (size_t j = 1; j < 3; j++)
		ck_assert_double_eq(comparison.results[0].shots[j].nll.mean,
				    comparison.results[0].shots[0].nll.mean);
	ck_assert_double_gt(comparison.results[1].shots[2].accuracy.mean,
			    comparison.results[0].shots[2].accuracy.mean + 0.2);
}
END_TEST

START_TEST(contexts_come_after_stage_2)
{
	const struct compare_result *panel;

	with_contexts();
	options.epochs = 60;
	run();
	panel = &comparison.results[1];
	ck_assert_uint_eq(comparison.n_contexts, 2);
	ck_assert_str_eq(comparison.context_names[1], "odd");
	ck_assert_double_eq_tol(panel->context_mean.nll.mean,
				(panel->contexts[0].nll.mean + panel->contexts[1].nll.mean) / 2,
				1e-12);
	ck_assert_double_gt(panel->context_mean.accuracy.mean, 0.8);
	ck_assert_double_lt(comparison.results[0].context_mean.accuracy.mean, 0.7);
}
END_TEST

START_TEST(contexts_are_those_of_the_test_pairs_without_others)
{
	pairs_set_contexts(&test);
	run();
	ck_assert_ptr_null(comparison.context_path);
	ck_assert_uint_eq(comparison.n_contexts, 2);
	ck_assert_double_gt(comparison.results[1].contexts[0].nll.mean, 0);
}
END_TEST

START_TEST(curves_meet_the_results)
{
	static const size_t heads[] = {N_HEADS, 3}, budgets[] = {8, 40};
	const struct compare_result *panel;

	with_contexts();
	options.heads_curve = (struct compare_points){heads, 2};
	options.budgets = (struct compare_points){budgets, 2};
	run();
	panel = &comparison.results[1];
	ck_assert_str_eq(comparison.heads_curve.method, "panel");
	ck_assert_uint_eq(comparison.heads_curve.n_points, 2);
	ck_assert_mem_eq(&comparison.heads_curve.y[0], &panel->shots[2], sizeof(panel->shots[2]));
	ck_assert_double_gt(comparison.heads_curve.y[1].nll.mean, 0);
	ck_assert_uint_eq(comparison.budget_curve.x[1], 40);
	/* all 40 pairs: the same router as without a budget */
	ck_assert_double_eq(comparison.budget_curve.y[1].nll.mean, panel->context_mean.nll.mean);
	ck_assert_double_ne(comparison.budget_curve.y[0].nll.mean, panel->context_mean.nll.mean);
}
END_TEST

START_TEST(maps_show_the_last_method)
{
	static const uint32_t pairs[] = {0, 5};
	static char even[] = "even", odd[] = "odd";
	char *names[] = {even, odd};

	with_contexts();
	options.map_pairs = pairs;
	options.map_names = names;
	options.n_map_rows = 2;
	run();
	ck_assert_str_eq(comparison.router_map.method, "panel");
	ck_assert_uint_eq(comparison.router_map.n_rows, 2);
	ck_assert_uint_eq(comparison.router_map.n_columns, N_HEADS);
	ck_assert_str_eq(comparison.router_map.row_names[1], "odd");
	ck_assert_str_eq(comparison.router_map.column_names[0], "head 0");
	for (size_t i = 0; i < 2; i++) {
		const double *weight = comparison.router_map.value + i * N_HEADS;

		ck_assert_double_eq_tol(weight[0] + weight[1], 1, 1e-12);
	}
	ck_assert_str_eq(comparison.head_map.row_names[0], "even");
	for (size_t i = 0; i < 4; i++)
		ck_assert(comparison.head_map.value[i] >= 0 && comparison.head_map.value[i] <= 1);
}
END_TEST

START_TEST(a_single_head_has_no_maps)
{
	static const uint32_t pairs[] = {0};
	static char name[] = "p";
	char *names[] = {name};

	with_contexts();
	set_methods("panel,bt");
	options.map_pairs = pairs;
	options.map_names = names;
	options.n_map_rows = 1;
	run();
	ck_assert_ptr_null(comparison.router_map.method);
	ck_assert_ptr_null(comparison.head_map.method);
}
END_TEST

/* ---- refusals ---- */

static const size_t two_heads[] = {2}, ten[] = {10}, thousand[] = {1000}, falling[] = {4, 2};

static void no_shots(void)
{
	options.n_shots = 0;
}

static void budgets_without_routes(void)
{
	options.budgets = (struct compare_points){ten, 1};
}

static void budgets_of_a_static_router(void)
{
	with_contexts();
	set_methods("panel,static");
	options.budgets = (struct compare_points){ten, 1};
}

static void budget_beyond_the_pairs(void)
{
	with_contexts();
	options.budgets = (struct compare_points){thousand, 1};
}

static void heads_of_bt(void)
{
	set_methods("bt");
	options.heads_curve = (struct compare_points){two_heads, 1};
}

static void points_that_fall(void)
{
	options.heads_curve = (struct compare_points){falling, 2};
}

static void contexts_without_any(void)
{
	options.contexts = (struct compare_split){"contexts", &test};
}

static void routes_without_contexts_to_measure(void)
{
	options.route = (struct compare_split){"routes", &routes};
}

static void attributes_without_contexts(void)
{
	set_methods("attributes,panel");
}

static void users_with_too_few_pairs(void)
{
	options.shots[2] = 50;
}

static const struct {
	void (*change)(void);
	const char *message;
} refusals[] = {
    {no_shots, "2 methods, 2 seeds and 0 numbers of shots, want at least one of each"},
    {budgets_without_routes, "budgets of stage 2, but no pairs for stage 2"},
    {budgets_of_a_static_router, "budgets of stage 2, but the last method, static, has a static"},
    {budget_beyond_the_pairs, "a budget of 1000 pairs, but there are 40 pairs for stage 2"},
    {heads_of_bt, "the last method, bt, is always 1"},
    {points_that_fall, "heads: want ascending numbers from 1"},
    {contexts_without_any, "contexts: no pair has a \"context\""},
    {routes_without_contexts_to_measure, "test: no pair has a \"context\""},
    {attributes_without_contexts, "attributes: "},
    {users_with_too_few_pairs, "bt: test: no user has more than 50 pairs"},
};

START_TEST(refuses)
{
	refusals[_i].change();
	ck_assert_int_eq(compare_run(&options, NULL, NULL, &comparison, &err),
			 STATUS_INVALID_VALUE);
	ck_assert_msg(strstr(err.msg, refusals[_i].message) != NULL, "%s", err.msg);
	ck_assert_uint_eq(comparison.n_results, 0);
}
END_TEST

/* ---- progress ---- */

struct seen {
	size_t n_ends, n_steps, stop_at;
	size_t last_step;
};

static bool see(void *context, const struct compare_progress *progress)
{
	struct seen *seen = context;

	ck_assert_uint_ge(progress->step, seen->last_step);
	ck_assert_uint_le(progress->step, progress->n_steps);
	ck_assert_uint_le(progress->fit.pairs_done, progress->fit.pairs_total);
	seen->last_step = progress->step;
	seen->n_steps = progress->n_steps;
	seen->n_ends += progress->step_end;
	return seen->n_ends < seen->stop_at;
}

/* 2 seeds of: bt, panel, its stage 2, two budgets, one more number of heads */
START_TEST(every_training_ends_once)
{
	static const size_t heads[] = {N_HEADS, 3}, budgets[] = {8, 40};
	struct seen seen = {.stop_at = 1000};

	with_contexts();
	options.heads_curve = (struct compare_points){heads, 2};
	options.budgets = (struct compare_points){budgets, 2};
	ck_assert_int_eq(compare_run(&options, see, &seen, &comparison, NULL), STATUS_OK);
	ck_assert_uint_eq(seen.n_steps, 12);
	ck_assert_uint_eq(seen.n_ends, 12);
	ck_assert_uint_eq(seen.last_step, 12);
}
END_TEST

START_TEST(stops_when_asked_to)
{
	struct seen seen = {.stop_at = (size_t)_i};

	with_contexts();
	ck_assert_int_eq(compare_run(&options, see, &seen, &comparison, &err), STATUS_INTERRUPTED);
	ck_assert_uint_eq(comparison.n_results, 0);
}
END_TEST

/* ---- rows of the map ---- */

START_TEST(rows_are_the_first_pair_of_each_prompt)
{
	uint32_t pairs[8];
	size_t n;

	ck_assert_int_eq(compare_map_rows(&contexts, pairs, 8, &n, NULL), STATUS_OK);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(pairs[0], 0);
	ck_assert_uint_eq(pairs[1], 5); /* of the second user, who is odd */
	ck_assert_int_eq(compare_map_rows(&contexts, pairs, 1, &n, NULL), STATUS_OK);
	ck_assert_uint_eq(n, 1);
}
END_TEST

/* Every pair gets a prompt of its own: three of each context are taken, or what there is room for.
 */
START_TEST(contexts_share_the_rows)
{
	static const size_t wanted[][2] = {{8, 6}, {6, 6}, {5, 4}, {4, 4}, {3, 2}, {2, 2}, {1, 1}};
	uint32_t pairs[8];
	size_t n, n_odd = 0;

	features_free(&contexts.psi);
	features_init(&contexts.psi, PAIRS_DIM, false);
	for (size_t i = 0; i < contexts.n_pairs; i++) {
		float x[PAIRS_DIM] = {(float)i};

		ck_assert_int_eq(
		    features_append(&contexts.psi, feature_row_dense(x, PAIRS_DIM), NULL),
		    STATUS_OK);
		contexts.prompt[i] = (uint32_t)i;
	}
	ck_assert_int_eq(compare_map_rows(&contexts, pairs, wanted[_i][0], &n, NULL), STATUS_OK);
	ck_assert_uint_eq(n, wanted[_i][1]);
	for (size_t i = 0; i < n; i++)
		n_odd += contexts.context[pairs[i]] == 1;
	ck_assert_uint_eq(n_odd, n / 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("compare");
	TCase *tcase = tcase_create("compare_run");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, figures_are_means_over_the_seeds);
	tcase_add_test(tcase, the_comparison_says_what_was_compared);
	tcase_add_test(tcase, feedback_tells_tastes_apart_but_not_for_a_single_head);
	tcase_add_test(tcase, contexts_come_after_stage_2);
	tcase_add_test(tcase, contexts_are_those_of_the_test_pairs_without_others);
	tcase_add_test(tcase, curves_meet_the_results);
	tcase_add_test(tcase, maps_show_the_last_method);
	tcase_add_test(tcase, a_single_head_has_no_maps);
	tcase_add_loop_test(tcase, refuses, 0, (int)LENGTH(refusals));
	tcase_add_test(tcase, every_training_ends_once);
	tcase_add_loop_test(tcase, stops_when_asked_to, 0, 4);
	tcase_add_test(tcase, rows_are_the_first_pair_of_each_prompt);
	tcase_add_loop_test(tcase, contexts_share_the_rows, 0, 7);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
