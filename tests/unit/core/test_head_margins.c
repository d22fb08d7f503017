/* SPDX-License-Identifier: Apache-2.0 */
/* test_head_margins.c - what each head says of pairs; its scores, its likeness to others. */
#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/eval/head_margins.h"
#include "core/eval/head_scores.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/unit.h"

/* r_0 = x_0, r_1 = -2 x_0, r_2 = 0; static weights 1/4, 1/4, 1/2 */
static struct model model;
static struct dataset sets[2];
static struct head_margins margins;

static void setup(void)
{
	pairs_model(3, ROUTER_STATIC, 0, &model);
	model.heads.weight[0] = 1;
	model.heads.weight[1] = -2;
	model.router.bias[2] = (float)log(2);
	pairs_two_tastes(4, 3, 1, &sets[0]);
	pairs_one_taste(5, 2, 2, &sets[1]);
}

static void teardown(void)
{
	head_margins_free(&margins);
	model_free(&model);
	for (size_t j = 0; j < LENGTH(sets); j++) {
		sets[j].n_contexts = 0;
		dataset_free(&sets[j]);
	}
}

static void start(size_t n_sets)
{
	struct err err;

	ck_assert_msg(head_margins_init(&margins, &model, sets, n_sets, &err) == STATUS_OK, "%s",
		      err.msg);
}

/* x_0(chosen) - x_0(rejected) */
static float x_margin(const struct dataset *data, size_t i)
{
	return data->phi.value[data->chosen[i] * PAIRS_DIM] -
	       data->phi.value[data->rejected[i] * PAIRS_DIM];
}

START_TEST(margins_of_datasets_stand_one_after_the_other)
{
	start(2);
	ck_assert_uint_eq(margins.n_pairs, 22);
	for (size_t i = 0; i < 22; i++) {
		float x = i < 12 ? x_margin(&sets[0], i) : x_margin(&sets[1], i - 12);

		ck_assert_float_eq_tol(margins.margin[i], x, 1e-6f);
		ck_assert_float_eq_tol(margins.margin[22 + i], -2 * x, 1e-6f);
		ck_assert_float_eq(margins.margin[44 + i], 0);
	}
}
END_TEST

START_TEST(usage_is_the_routers_mean_weight)
{
	start(2);
	ck_assert_double_eq_tol(margins.usage[0], 0.25, 1e-6);
	ck_assert_double_eq_tol(margins.usage[2], 0.5, 1e-6);
}
END_TEST

START_TEST(masked_head_is_not_used)
{
	model.mask[2] = true;
	start(1);
	ck_assert_double_eq_tol(margins.usage[0], 0.5, 1e-6);
	ck_assert_double_eq(margins.usage[2], 0);
}
END_TEST

START_TEST(refuses_data_of_another_dimension)
{
	struct err err;

	sets[1].phi.dim = 3;
	ck_assert_int_eq(head_margins_init(&margins, &model, sets, 2, &err),
			 STATUS_WRONG_DIMENSION);
	ck_assert_str_eq(err.msg, "data of dimension 3, but the model has 4");
}
END_TEST

START_TEST(refuses_rewards_that_overflow)
{
	struct err err;

	sets[0].phi.value[sets[0].chosen[2] * PAIRS_DIM] = 2;
	model.heads.weight[0] = 3e38f;
	ck_assert_int_eq(head_margins_init(&margins, &model, sets, 1, &err), STATUS_NOT_FINITE);
	ck_assert_ptr_nonnull(strstr(err.msg, ": its score by head 0 is not finite"));
}
END_TEST

START_TEST(refuses_a_difference_of_rewards_that_overflows)
{
	struct features *phi = &sets[0].phi;
	struct err err;

	for (size_t i = 0; i < phi->n_rows * PAIRS_DIM; i++)
		phi->value[i] = 0;
	phi->value[sets[0].chosen[2] * PAIRS_DIM] = 1;
	phi->value[sets[0].rejected[2] * PAIRS_DIM] = -1;
	model.heads.weight[0] = 3e38f;
	model.heads.weight[1] = 0;
	ck_assert_int_eq(head_margins_init(&margins, &model, sets, 1, &err), STATUS_NOT_FINITE);
	ck_assert_str_eq(err.msg,
			 "pair 3: the rewards of head 0 differ by more than fits in a float32");
}
END_TEST

/* The definition: each pair in both orders, means taken off. */
static double pearson_of_both_orders(size_t a, size_t b)
{
	double sum_ab = 0, sum_aa = 0, sum_bb = 0;

	for (size_t i = 0; i < margins.n_pairs; i++) {
		double p = 1 / (1 + exp(-(double)margins.margin[a * margins.n_pairs + i]));
		double q = 1 / (1 + exp(-(double)margins.margin[b * margins.n_pairs + i]));

		sum_ab += 2 * (p - 0.5) * (q - 0.5);
		sum_aa += 2 * (p - 0.5) * (p - 0.5);
		sum_bb += 2 * (q - 0.5) * (q - 0.5);
	}
	return sum_ab / sqrt(sum_aa * sum_bb);
}

START_TEST(correlation_is_pearsons_over_both_orders)
{
	double matrix[9];

	start(2);
	ck_assert_int_eq(head_margins_correlation(&margins, matrix, NULL), STATUS_OK);
	ck_assert_double_eq_tol(matrix[0], 1, 1e-6);
	ck_assert_double_eq_tol(matrix[1], pearson_of_both_orders(0, 1), 1e-5);
	ck_assert_double_lt(matrix[1], -0.8);
	ck_assert_double_eq(matrix[3], matrix[1]);
	ck_assert_double_eq(matrix[2], 0); /* a head that prefers nothing */
	ck_assert_double_eq(matrix[8], 0);
}
END_TEST

START_TEST(correlation_does_not_depend_on_who_was_chosen)
{
	double before[9], after[9];

	start(1);
	ck_assert_int_eq(head_margins_correlation(&margins, before, NULL), STATUS_OK);
	for (size_t k = 0; k < 3; k++) {
		for (size_t i = 0; i < margins.n_pairs; i += 2)
			margins.margin[k * margins.n_pairs + i] *= -1;
	}
	ck_assert_int_eq(head_margins_correlation(&margins, after, NULL), STATUS_OK);
	ck_assert_double_eq_tol(before[1], after[1], 1e-6);
}
END_TEST

/* ---- head_scores ---- */

START_TEST(scores_count_right_wrong_and_ties)
{
	struct head_scores scores;
	double nll = 0, right = 0;

	start(2);
	ck_assert_int_eq(head_scores_init(&scores, &margins, 12, &sets[1], NULL), STATUS_OK);
	for (size_t i = 0; i < 10; i++) {
		double x = (double)x_margin(&sets[1], i);

		right += x > 0;
		nll += log(1 + exp(-x));
	}
	ck_assert_uint_eq(scores.score[0].n_pairs, 10);
	ck_assert_double_eq_tol(scores.score[0].accuracy, right / 10, 1e-12);
	ck_assert_double_eq_tol(scores.score[0].nll, nll / 10, 1e-6);
	ck_assert_double_eq_tol(scores.score[0].inverted, 1 - right / 10, 1e-12);
	ck_assert_double_eq_tol(scores.score[1].inverted, right / 10, 1e-12);
	ck_assert_double_eq(scores.score[2].accuracy, 0.5);
	ck_assert_double_eq(scores.score[2].inverted, 0);
	head_scores_free(&scores);
}
END_TEST

START_TEST(contexts_are_scored_apart_and_have_a_best_head)
{
	bool mask[3] = {false};
	struct head_scores scores;

	sets[0].n_contexts = 3; /* the last has no pair */
	for (size_t i = 0; i < sets[0].n_pairs; i++)
		sets[0].context[i] = i == 0 ? DATASET_NONE : x_margin(&sets[0], i) < 0;
	start(1);
	ck_assert_int_eq(head_scores_init(&scores, &margins, 0, &sets[0], NULL), STATUS_OK);
	ck_assert_uint_eq(scores.score[0].n_pairs, 12);
	ck_assert_uint_eq(head_scores_context(&scores, 0)[0].n_pairs +
			      head_scores_context(&scores, 1)[0].n_pairs,
			  11);
	ck_assert_double_eq(head_scores_context(&scores, 0)[0].accuracy, 1);
	ck_assert_double_eq(head_scores_context(&scores, 1)[1].accuracy, 1);
	ck_assert_uint_eq(head_scores_best(head_scores_context(&scores, 0), mask, 3), 0);
	ck_assert_uint_eq(head_scores_best(head_scores_context(&scores, 1), mask, 3), 1);
	ck_assert_double_eq(head_scores_context(&scores, 2)[0].accuracy, 0);
	mask[0] = true;
	ck_assert_uint_eq(head_scores_best(head_scores_context(&scores, 0), mask, 3), 2);
	head_scores_free(&scores);
}
END_TEST

START_TEST(of_equally_accurate_heads_the_surer_one_is_best)
{
	const struct head_score score[3] = {{.accuracy = 0.5, .nll = 0.1},
					    {.accuracy = 0.7, .nll = 0.6},
					    {.accuracy = 0.7, .nll = 0.5}};
	const bool mask[3] = {false};

	ck_assert_uint_eq(head_scores_best(score, mask, 3), 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("head_margins");
	TCase *tcase = tcase_create("head_margins"), *scores = tcase_create("head_scores");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, margins_of_datasets_stand_one_after_the_other);
	tcase_add_test(tcase, usage_is_the_routers_mean_weight);
	tcase_add_test(tcase, masked_head_is_not_used);
	tcase_add_test(tcase, refuses_data_of_another_dimension);
	tcase_add_test(tcase, refuses_rewards_that_overflow);
	tcase_add_test(tcase, refuses_a_difference_of_rewards_that_overflows);
	tcase_add_test(tcase, correlation_is_pearsons_over_both_orders);
	tcase_add_test(tcase, correlation_does_not_depend_on_who_was_chosen);
	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(scores, setup, teardown);
	tcase_add_test(scores, scores_count_right_wrong_and_ties);
	tcase_add_test(scores, contexts_are_scored_apart_and_have_a_best_head);
	tcase_add_test(scores, of_equally_accurate_heads_the_surer_one_is_best);
	suite_add_tcase(suite, scores);
	return unit_run(suite);
}
