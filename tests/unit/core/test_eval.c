/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/eval/eval.h"
#include "core/eval/score_table.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/unit.h"

/* Two heads that disagree: r_0 = a x_0, r_1 = -b x_0; a static router with logits (g, 0). */
static const float A = 1.5f, B = 0.75f, G = 0.4f;

static void opposed_model(struct model *model)
{
	pairs_model(2, ROUTER_STATIC, 0, model);
	model->heads.weight[0] = A;
	model->heads.weight[1] = -B;
	model->router.bias[0] = G;
}

static double logistic(double x)
{
	return 1 / (1 + exp(-x));
}

/* x_0(chosen) - x_0(rejected) */
static double margin_of(const struct dataset *data, size_t i)
{
	return (double)data->phi.value[data->chosen[i] * PAIRS_DIM] -
	       data->phi.value[data->rejected[i] * PAIRS_DIM];
}

/* P(chosen > rejected) given the likelihoods of the two heads so far; without logarithms */
static double preference(double m, double like0, double like1)
{
	double w0 = exp((double)G) * like0, w1 = like1;

	return (w0 * logistic(A * m) + w1 * logistic(-B * m)) / (w0 + w1);
}

/* Accuracy and NLL after the first m pairs, on pairs 4.., averaged per user, then over users */
static void expect_shots(const struct dataset *data, size_t n_users, size_t per_user, size_t m,
			 double *accuracy, double *nll)
{
	*accuracy = *nll = 0;
	for (size_t u = 0; u < n_users; u++) {
		double like0 = 1, like1 = 1;

		for (size_t i = 0; i < m; i++) {
			like0 *= logistic(A * margin_of(data, u * per_user + i));
			like1 *= logistic(-B * margin_of(data, u * per_user + i));
		}
		for (size_t i = 4; i < per_user; i++) {
			double p = preference(margin_of(data, u * per_user + i), like0, like1);
			double share = (double)n_users * (double)(per_user - 4);

			*accuracy += (p > 0.5) / share;
			*nll -= log(p) / share;
		}
	}
}

START_TEST(shots_follow_the_protocol)
{
	struct eval_options options = {.shots = {0, 1, 4}, .n_shots = 3, .temperature = 1};
	struct eval_result result;
	struct dataset data;
	struct model model;
	struct err err;

	opposed_model(&model);
	pairs_two_tastes(10, 9, 3, &data);
	ck_assert_msg(eval_run(&model, &data, &options, &result, &err) == STATUS_OK, "%s", err.msg);
	for (size_t j = 0; j < 3; j++) {
		double accuracy, nll;

		expect_shots(&data, 10, 9, options.shots[j], &accuracy, &nll);
		ck_assert_uint_eq(result.shots[j].shots, options.shots[j]);
		ck_assert_uint_eq(result.shots[j].users, 10);
		ck_assert_double_eq_tol(result.shots[j].accuracy, accuracy, 1e-12);
		ck_assert_double_eq_tol(result.shots[j].nll, nll, 1e-6);
	}
	ck_assert_uint_eq(result.users_left_out, 0);
	eval_result_free(&result);
	model_free(&model);
	dataset_free(&data);
}
END_TEST

START_TEST(overall_and_contexts_count_each_pair_once)
{
	struct eval_options options = {.temperature = 1};
	struct eval_score by_context[2] = {{0}};
	struct eval_result result;
	struct dataset data;
	struct model model;
	double nll = 0;

	opposed_model(&model);
	pairs_two_tastes(6, 5, 3, &data);
	data.n_contexts = 2;
	for (size_t i = 0; i < data.n_pairs; i++) {
		double p = preference(margin_of(&data, i), 1, 1);

		data.context[i] = i % 3 == 2 ? DATASET_NONE : (uint32_t)(i % 3);
		nll -= log(p);
		if (i % 3 == 2)
			continue;
		by_context[i % 3].n_pairs++;
		by_context[i % 3].accuracy += p > 0.5;
		by_context[i % 3].nll -= log(p);
	}
	ck_assert(eval_run(&model, &data, &options, &result, NULL) == STATUS_OK);
	ck_assert_uint_eq(result.overall.n_pairs, 30);
	ck_assert_double_eq_tol(result.overall.nll, nll / 30, 1e-6);
	for (size_t c = 0; c < 2; c++) {
		double n = (double)by_context[c].n_pairs;

		ck_assert_uint_eq(result.contexts[c].n_pairs, by_context[c].n_pairs);
		ck_assert_double_eq_tol(result.contexts[c].accuracy, by_context[c].accuracy / n,
					1e-12);
		ck_assert_double_eq_tol(result.contexts[c].nll, by_context[c].nll / n, 1e-6);
	}
	ck_assert_uint_eq(result.context_mean.n_pairs, 20);
	ck_assert_double_eq_tol(result.context_mean.accuracy,
				(result.contexts[0].accuracy + result.contexts[1].accuracy) / 2,
				1e-12);
	ck_assert_double_eq_tol(result.context_mean.nll,
				(result.contexts[0].nll + result.contexts[1].nll) / 2, 1e-12);
	eval_result_free(&result);
	model_free(&model);
	data.n_contexts = 0;
	dataset_free(&data);
}
END_TEST

START_TEST(a_tie_counts_half)
{
	struct eval_options options = {.temperature = 1};
	struct eval_result result;
	struct dataset data;
	struct model model;

	pairs_model(2, ROUTER_STATIC, 0, &model); /* all weights zero: P = 1/2 for every pair */
	pairs_two_tastes(3, 0, 1, &data);
	ck_assert(eval_run(&model, &data, &options, &result, NULL) == STATUS_OK);
	ck_assert_double_eq(result.overall.accuracy, 0.5);
	ck_assert_double_eq_tol(result.overall.nll, log(2), 1e-12);
	eval_result_free(&result);
	model_free(&model);
	dataset_free(&data);
}
END_TEST

START_TEST(equal_responses_are_a_tie_whatever_the_weights)
{
	struct eval_options options = {.shots = {0, 3}, .n_shots = 2, .temperature = 1};

	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct eval_result result;
		struct dataset data;
		struct model model;
		struct rng rng;

		rng_init(&rng, seed);
		pairs_model(7, ROUTER_STATIC, 0, &model);
		heads_randomize(&model.heads, 1, &rng);
		for (size_t k = 0; k < 7; k++)
			model.router.bias[k] = (float)rng_normal(&rng);
		pairs_two_tastes(3, 5, seed, &data);
		for (size_t i = 0; i < data.n_pairs; i++) {
			if (i % 5 >= 3)
				data.rejected[i] = data.chosen[i];
		}
		ck_assert(eval_run(&model, &data, &options, &result, NULL) == STATUS_OK);
		for (size_t j = 0; j < 2; j++)
			ck_assert_double_eq(result.shots[j].accuracy, 0.5);
		eval_result_free(&result);
		model_free(&model);
		dataset_free(&data);
	}
}
END_TEST

START_TEST(a_masked_head_has_no_say)
{
	struct eval_options options = {.shots = {0, 2}, .n_shots = 2, .temperature = 1};
	struct eval_result result;
	struct dataset data;
	struct model model;
	double nll = 0;

	opposed_model(&model);
	model.mask[0] = true;
	pairs_two_tastes(4, 4, 1, &data);
	ck_assert(eval_run(&model, &data, &options, &result, NULL) == STATUS_OK);
	for (size_t u = 0; u < 4; u++) {
		for (size_t i = 2; i < 4; i++)
			nll -= log(logistic(-B * margin_of(&data, u * 4 + i))) / 8;
	}
	ck_assert_double_eq_tol(result.shots[0].nll, nll, 1e-6);
	ck_assert_double_eq_tol(result.shots[1].nll, nll, 1e-6);
	eval_result_free(&result);
	model_free(&model);
	dataset_free(&data);
}
END_TEST

START_TEST(users_with_too_few_pairs_are_left_out_and_counted)
{
	struct eval_options options = {.shots = {3}, .n_shots = 1, .temperature = 1};
	struct eval_result result;
	struct dataset data;
	struct model model;

	opposed_model(&model);
	pairs_two_tastes(5, 4, 1, &data);
	for (size_t i = 0; i < 3; i++)
		data.user[i] = 1; /* user 0 keeps one pair, user 1 has seven */
	ck_assert(eval_run(&model, &data, &options, &result, NULL) == STATUS_OK);
	ck_assert_uint_eq(result.shots[0].users, 4);
	ck_assert_uint_eq(result.users_left_out, 1);
	eval_result_free(&result);
	model_free(&model);
	dataset_free(&data);
}
END_TEST

static const struct {
	const char *what;
	struct eval_options options;
	enum status status;
	const char *message;
} refusals[] = {
    {"shots not ascending",
     {.shots = {2, 1}, .n_shots = 2, .temperature = 1},
     STATUS_INVALID_VALUE,
     "shots 1 after 2, want ascending numbers"},
    {"no user with enough pairs",
     {.shots = {0, 50}, .n_shots = 2, .temperature = 1},
     STATUS_INVALID_VALUE,
     "no user has more than 50 pairs"},
    {"too many shots",
     {.n_shots = EVAL_MAX_SHOTS + 1, .temperature = 1},
     STATUS_INVALID_VALUE,
     "want at most 32"},
    {"temperature zero",
     {.shots = {1}, .n_shots = 1, .temperature = 0},
     STATUS_INVALID_VALUE,
     "want temperature > 0"},
};

START_TEST(refuses)
{
	struct eval_result result;
	struct dataset data;
	struct model model;
	struct err err;

	opposed_model(&model);
	pairs_two_tastes(3, 4, 1, &data);
	ck_assert_msg(eval_run(&model, &data, &refusals[_i].options, &result, &err) ==
			  refusals[_i].status,
		      "%s", refusals[_i].what);
	ck_assert_msg(strstr(err.msg, refusals[_i].message) != NULL, "%s: %s", refusals[_i].what,
		      err.msg);
	model_free(&model);
	dataset_free(&data);
}
END_TEST

START_TEST(refuses_data_of_another_dimension)
{
	struct eval_options options = {.temperature = 1};
	struct eval_result result;
	struct dataset data;
	struct model model;
	struct err err;

	opposed_model(&model);
	pairs_two_tastes(3, 4, 1, &data);
	data.phi.dim = 3;
	ck_assert_int_eq(eval_run(&model, &data, &options, &result, &err), STATUS_WRONG_DIMENSION);
	ck_assert_str_eq(err.msg, "data of dimension 3, but the model has 4");
	model_free(&model);
	dataset_free(&data);
}
END_TEST

START_TEST(refuses_scores_that_are_not_finite)
{
	struct eval_options options = {.temperature = 1};
	struct eval_result result;
	struct dataset data;
	struct model model;
	struct err err;

	opposed_model(&model);
	pairs_two_tastes(3, 4, 1, &data);
	data.phi.value[data.chosen[5] * PAIRS_DIM] = 3e38f;
	ck_assert_int_eq(eval_run(&model, &data, &options, &result, &err), STATUS_NOT_FINITE);
	ck_assert_msg(strstr(err.msg, "pair 6: its score by head 0 is not finite") == err.msg, "%s",
		      err.msg);
	model_free(&model);
	dataset_free(&data);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("eval");
	TCase *tcase = tcase_create("eval_run");

	tcase_add_test(tcase, shots_follow_the_protocol);
	tcase_add_test(tcase, overall_and_contexts_count_each_pair_once);
	tcase_add_test(tcase, a_tie_counts_half);
	tcase_add_test(tcase, equal_responses_are_a_tie_whatever_the_weights);
	tcase_add_test(tcase, a_masked_head_has_no_say);
	tcase_add_test(tcase, users_with_too_few_pairs_are_left_out_and_counted);
	tcase_add_loop_test(tcase, refuses, 0, (int)LENGTH(refusals));
	tcase_add_test(tcase, refuses_data_of_another_dimension);
	tcase_add_test(tcase, refuses_scores_that_are_not_finite);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
