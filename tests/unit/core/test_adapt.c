/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/eval/adapt.h"
#include "core/model/hedge.h"
#include "core/model/mixture.h"
#include "tests/unit/unit.h"

#define K	3
#define N_PAIRS 5

static float logits[N_PAIRS][K], chosen[N_PAIRS][K], rejected[N_PAIRS][K];
static const bool nobody[K] = {false};
static const bool second[K] = {false, true, false};
static struct adapt adapt;

static void setup(void)
{
	struct rng rng;

	rng_init(&rng, 3);
	for (size_t i = 0; i < N_PAIRS; i++) {
		for (size_t k = 0; k < K; k++) {
			logits[i][k] = (float)rng_normal(&rng);
			chosen[i][k] = 2 * (float)rng_normal(&rng);
			rejected[i][k] = 2 * (float)rng_normal(&rng);
		}
	}
}

static void teardown(void)
{
	adapt_free(&adapt);
}

static struct adapt_pair pair_at(size_t i)
{
	return (struct adapt_pair){logits[i], chosen[i], rejected[i]};
}

static void start(struct adapt_options options, const bool *mask)
{
	ck_assert_int_eq(adapt_init(&adapt, &options, K, mask, N_PAIRS, NULL), STATUS_OK);
	adapt_start(&adapt);
}

static void start_as(int method, const bool *mask)
{
	start((struct adapt_options){.method = (enum adapt_method)method, .temperature = 1}, mask);
}

static double logistic(double x)
{
	return 1 / (1 + exp(-x));
}

static double margin(size_t i, size_t k)
{
	return (double)chosen[i][k] - rejected[i][k];
}

/* P of pair i by w [K]: of one reward of all heads, or of the mixture of their opinions */
static double preference(size_t i, const double *w, bool by_reward)
{
	double reward = 0, mixture = 0;

	for (size_t k = 0; k < K; k++) {
		reward += w[k] * margin(i, k);
		mixture += w[k] * logistic(margin(i, k));
	}
	return by_reward ? logistic(reward) : mixture;
}

/* w [K] ~ exp(logits of pair i) * factor, without log space */
static void weights(size_t i, const double *factor, double *w)
{
	double sum = 0;

	for (size_t k = 0; k < K; k++)
		sum += w[k] = exp((double)logits[i][k]) * factor[k];
	for (size_t k = 0; k < K; k++)
		w[k] /= sum;
}

/* ---- all methods ---- */

START_TEST(without_feedback_the_router_decides)
{
	const double ones[K] = {1, 1, 1};
	double w[K];

	start_as(_i, nobody);
	for (size_t i = 0; i < N_PAIRS; i++) {
		double p;

		weights(i, ones, w);
		p = preference(i, w, _i == ADAPT_HYRE || _i == ADAPT_LORE);
		ck_assert_double_eq_tol(exp(adapt_log_prior(&adapt, pair_at(i))), p, 1e-12);
		ck_assert_double_eq_tol(exp(adapt_log_preference(&adapt, pair_at(i))), p, 1e-12);
	}
}
END_TEST

START_TEST(feedback_commutes)
{
	double forward, backward;

	start_as(_i, nobody);
	for (size_t i = 1; i < N_PAIRS; i++)
		ck_assert_int_eq(adapt_learn(&adapt, pair_at(i), NULL), STATUS_OK);
	forward = adapt_log_preference(&adapt, pair_at(0));
	adapt_start(&adapt);
	for (size_t i = N_PAIRS; i-- > 1;)
		ck_assert_int_eq(adapt_learn(&adapt, pair_at(i), NULL), STATUS_OK);
	backward = adapt_log_preference(&adapt, pair_at(0));
	ck_assert_double_eq_tol(forward, backward, _i == ADAPT_LORE ? 1e-5 : 1e-12);
}
END_TEST

START_TEST(another_user_begins_anew)
{
	double before;

	start_as(_i, nobody);
	before = adapt_log_preference(&adapt, pair_at(0));
	for (size_t i = 1; i < N_PAIRS; i++)
		ck_assert_int_eq(adapt_learn(&adapt, pair_at(i), NULL), STATUS_OK);
	if (_i != ADAPT_NONE)
		ck_assert_double_gt(fabs(adapt_log_preference(&adapt, pair_at(0)) - before), 1e-3);
	adapt_start(&adapt);
	ck_assert_double_eq(adapt_log_preference(&adapt, pair_at(0)), before);
}
END_TEST

START_TEST(a_masked_head_has_no_say)
{
	double before, after;

	start_as(_i, second);
	for (size_t i = 1; i < N_PAIRS; i++)
		ck_assert_int_eq(adapt_learn(&adapt, pair_at(i), NULL), STATUS_OK);
	before = adapt_log_preference(&adapt, pair_at(0));
	adapt_start(&adapt);
	for (size_t i = 0; i < N_PAIRS; i++)
		chosen[i][1] = 50 - chosen[i][1];
	for (size_t i = 1; i < N_PAIRS; i++)
		ck_assert_int_eq(adapt_learn(&adapt, pair_at(i), NULL), STATUS_OK);
	after = adapt_log_preference(&adapt, pair_at(0));
	ck_assert_double_eq_tol(after, before, 1e-12);
}
END_TEST

START_TEST(methods_have_names)
{
	static const char *const names[] = {"hedge", "none", "hyre", "lore"};

	ck_assert_str_eq(adapt_name((enum adapt_method)_i), names[_i]);
}
END_TEST

/* ---- each ---- */

START_TEST(hedge_is_the_hedge_step_to_the_bit)
{
	double state[K], loss[K], log_weight[K];

	start((struct adapt_options){ADAPT_HEDGE, 0.5, 0.1}, second);
	hedge_start(state, K);
	for (size_t i = 1; i < N_PAIRS; i++) {
		ck_assert_int_eq(adapt_learn(&adapt, pair_at(i), NULL), STATUS_OK);
		hedge_losses(chosen[i], rejected[i], K, loss);
		ck_assert_int_eq(hedge_update(state, loss, K, 0.5, 1, NULL), STATUS_OK);
		hedge_share(state, K, 0.1);
	}
	mixture_log_weights(logits[0], state, second, K, log_weight);
	ck_assert_double_eq(adapt_log_preference(&adapt, pair_at(0)),
			    mixture_log_preference(log_weight, chosen[0], rejected[0], K));
}
END_TEST

/* Head 0 is right twice, head 1 wrong twice, head 2 wrong once and once undecided. */
START_TEST(hyre_counts_what_heads_get_wrong)
{
	static const float likes[2][K] = {{2, -1, -1}, {1, -3, 0}};
	static const float zero[K] = {0};
	const double factor[K] = {1, exp(-2), exp(-1.5)};
	double w[K];

	start_as(ADAPT_HYRE, nobody);
	for (size_t i = 0; i < 2; i++) {
		struct adapt_pair pair = {logits[0], likes[i], zero};

		ck_assert_int_eq(adapt_learn(&adapt, pair, NULL), STATUS_OK);
	}
	for (size_t i = 0; i < N_PAIRS; i++) {
		weights(i, factor, w);
		ck_assert_double_eq_tol(exp(adapt_log_preference(&adapt, pair_at(i))),
					preference(i, w, true), 1e-12);
	}
}
END_TEST

START_TEST(lore_weights_are_those_of_its_fit)
{
	double factor[K], shift[K], w[K];
	struct lore_fit lore;

	start_as(ADAPT_LORE, nobody);
	ck_assert_int_eq(lore_fit_init(&lore, K, N_PAIRS, NULL), STATUS_OK);
	for (size_t i = 1; i < N_PAIRS; i++) {
		ck_assert_int_eq(adapt_learn(&adapt, pair_at(i), NULL), STATUS_OK);
		lore_fit_add(&lore, logits[i], nobody, chosen[i], rejected[i]);
	}
	ck_assert_int_eq(lore_fit_run(&lore, shift, NULL), STATUS_OK);
	lore_fit_free(&lore);
	for (size_t k = 0; k < K; k++)
		factor[k] = exp(shift[k]);
	weights(0, factor, w);
	ck_assert_double_eq_tol(exp(adapt_log_preference(&adapt, pair_at(0))),
				preference(0, w, true), 1e-12);
}
END_TEST

START_TEST(hedge_refuses_a_temperature_of_zero)
{
	struct err err;

	start((struct adapt_options){.method = ADAPT_HEDGE}, nobody);
	ck_assert_int_eq(adapt_learn(&adapt, pair_at(0), &err), STATUS_INVALID_VALUE);
	ck_assert_ptr_nonnull(strstr(err.msg, "temperature"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("adapt");
	TCase *tcase = tcase_create("adapt");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, without_feedback_the_router_decides, 0, N_ADAPT_METHODS);
	tcase_add_loop_test(tcase, feedback_commutes, 0, N_ADAPT_METHODS);
	tcase_add_loop_test(tcase, another_user_begins_anew, 0, N_ADAPT_METHODS);
	tcase_add_loop_test(tcase, a_masked_head_has_no_say, 0, N_ADAPT_METHODS);
	tcase_add_loop_test(tcase, methods_have_names, 0, N_ADAPT_METHODS);
	tcase_add_test(tcase, hedge_is_the_hedge_step_to_the_bit);
	tcase_add_test(tcase, hyre_counts_what_heads_get_wrong);
	tcase_add_test(tcase, lore_weights_are_those_of_its_fit);
	tcase_add_test(tcase, hedge_refuses_a_temperature_of_zero);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
