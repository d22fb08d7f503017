/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/math/logmath.h"
#include "core/model/hedge.h"
#include "core/model/mixture.h"
#include "tests/unit/core/golden_fixture.h"
#include "tests/unit/unit.h"

#define K	  5
#define MAX_STEPS 8

static void draw_losses(struct rng *rng, double *loss)
{
	for (size_t k = 0; k < K; k++)
		loss[k] = -log_sigmoid(3 * rng_normal(rng));
}

static void assert_near(const double *got, const double *want, double tolerance)
{
	for (size_t k = 0; k < K; k++)
		ck_assert_msg(fabs(got[k] - want[k]) <= tolerance, "head %zu: %.17g, want %.17g", k,
			      got[k], want[k]);
}

/* ---- all, against the reference ---- */

static void replay(const json_t *item)
{
	size_t n_steps = golden_rows(item, "losses");
	float chosen[MAX_STEPS * K], rejected[MAX_STEPS * K];
	double losses[MAX_STEPS * K], states[MAX_STEPS * K], loss[K], s[K];

	golden_floats(golden_get(item, "reward_chosen"), chosen, n_steps * K);
	golden_floats(golden_get(item, "reward_rejected"), rejected, n_steps * K);
	golden_doubles(golden_get(item, "losses"), losses, n_steps * K);
	golden_doubles(golden_get(item, "log_weights"), states, n_steps * K);
	hedge_start(s, K);
	for (size_t i = 0; i < n_steps; i++) {
		hedge_losses(chosen + i * K, rejected + i * K, K, loss);
		assert_near(loss, losses + i * K, 1e-13);
		ck_assert(hedge_update(s, loss, K, golden_number(item, "temperature"),
				       golden_number(item, "strength"), NULL) == STATUS_OK);
		hedge_share(s, K, golden_number(item, "drift"));
		assert_near(s, states + i * K, 1e-9);
	}
}

START_TEST(steps_have_the_golden_values)
{
	json_t *root = golden_open(TESTS_DIR "/golden/model.json");
	const json_t *item;
	size_t i;

	json_array_foreach(golden_get(root, "hedge"), i, item) replay(item);
	ck_assert_uint_ge(i, 5);
	json_decref(root);
}
END_TEST

/* ---- hedge_losses, hedge_start ---- */

START_TEST(losses_of_cases_done_by_hand)
{
	const float chosen[K] = {0, 1, 1000, -1000, FLT_MAX};
	const float rejected[K] = {0, 1, -1000, 1000, -FLT_MAX};
	const double want[K] = {M_LN2, M_LN2, 0, 2000, 0};
	double loss[K];

	hedge_losses(chosen, rejected, K, loss);
	assert_near(loss, want, 1e-12);
}
END_TEST

START_TEST(start_is_uniform)
{
	double s[K];

	hedge_start(s, K);
	for (size_t k = 0; k < K; k++)
		ck_assert_double_eq_tol(exp(s[k]), 1.0 / K, 1e-15);
}
END_TEST

/* ---- hedge_update ---- */

START_TEST(update_at_temperature_one_is_bayes_rule)
{
	double s[K], loss[K], joint[K], sum = 0;
	struct rng rng;

	rng_init(&rng, 1);
	hedge_start(s, K);
	for (size_t k = 0; k < K; k++)
		joint[k] = 1.0 / K;
	for (size_t i = 0; i < 20; i++) {
		draw_losses(&rng, loss);
		for (size_t k = 0; k < K; k++)
			joint[k] *= exp(-loss[k]); /* the likelihood p_k */
		ck_assert(hedge_update(s, loss, K, 1, 1, NULL) == STATUS_OK);
	}
	for (size_t k = 0; k < K; k++)
		sum += joint[k];
	for (size_t k = 0; k < K; k++)
		ck_assert_double_eq_tol(exp(s[k]), joint[k] / sum, 1e-12);
}
END_TEST

START_TEST(update_keeps_the_weights_normalized)
{
	double s[K], loss[K];
	struct rng rng;

	rng_init(&rng, 2);
	hedge_start(s, K);
	for (size_t i = 0; i < 5000; i++) {
		draw_losses(&rng, loss);
		ck_assert(hedge_update(s, loss, K, 0.01, 1, NULL) == STATUS_OK);
		ck_assert_msg(fabs(log_sum_exp(s, K)) <= 1e-9, "step %zu: %g", i,
			      log_sum_exp(s, K));
	}
}
END_TEST

START_TEST(updates_commute)
{
	double forward[K], backward[K], loss[10][K];
	struct rng rng;

	rng_init(&rng, 3);
	hedge_start(forward, K);
	hedge_start(backward, K);
	for (size_t i = 0; i < 10; i++)
		draw_losses(&rng, loss[i]);
	for (size_t i = 0; i < 10; i++) {
		double strength = 0.5 + 0.1 * (double)i, strength_back = 1.4 - 0.1 * (double)i;

		ck_assert(hedge_update(forward, loss[i], K, 0.5, strength, NULL) == STATUS_OK);
		ck_assert(hedge_update(backward, loss[9 - i], K, 0.5, strength_back, NULL) ==
			  STATUS_OK);
	}
	assert_near(forward, backward, 1e-10);
}
END_TEST

START_TEST(update_ignores_a_loss_common_to_all_heads)
{
	const double same[K] = {7, 7, 7, 7, 7};
	double s[K] = {-1, -2, -3, -4, -5}, before[K];

	log_softmax(s, K);
	memcpy(before, s, sizeof(s));
	ck_assert(hedge_update(s, same, K, 0.1, 3, NULL) == STATUS_OK);
	assert_near(s, before, 1e-12);
}
END_TEST

START_TEST(strength_counts_like_repeated_feedback)
{
	double twice[K], strong[K], loss[K];
	struct rng rng;

	rng_init(&rng, 4);
	draw_losses(&rng, loss);
	hedge_start(twice, K);
	hedge_start(strong, K);
	ck_assert(hedge_update(twice, loss, K, 0.7, 1, NULL) == STATUS_OK);
	ck_assert(hedge_update(twice, loss, K, 0.7, 1, NULL) == STATUS_OK);
	ck_assert(hedge_update(strong, loss, K, 0.7, 2, NULL) == STATUS_OK);
	assert_near(twice, strong, 1e-12);
}
END_TEST

/*
 * Hedge with log losses, tau = 1: the mixture's cumulative loss exceeds that of
 * the best head by at most log K, whatever the data.
 */
START_TEST(regret_against_the_best_head_is_at_most_log_k)
{
	for (uint64_t seed = 0; seed < 50; seed++) {
		double s[K], loss[K], mixture = 0, heads[K] = {0}, best = INFINITY;
		struct rng rng;

		rng_init(&rng, seed);
		hedge_start(s, K);
		for (size_t i = 0; i < 200; i++) {
			float a[K], b[K] = {0};

			/* an adversary: what the mixture believes in most turns out wrong */
			for (size_t k = 0; k < K; k++)
				a[k] = (float)(seed % 2 ? -3 * exp(s[k]) : rng_normal(&rng));
			hedge_losses(a, b, K, loss);
			mixture -= mixture_log_preference(s, a, b, K);
			for (size_t k = 0; k < K; k++)
				heads[k] += loss[k];
			ck_assert(hedge_update(s, loss, K, 1, 1, NULL) == STATUS_OK);
		}
		for (size_t k = 0; k < K; k++)
			best = fmin(best, heads[k]);
		ck_assert_msg(mixture <= best + log(K) + 1e-9, "seed %d: %g over %g", (int)seed,
			      mixture, best);
	}
}
END_TEST

START_TEST(update_finds_the_one_head_that_is_right)
{
	const double loss[K] = {0.9, 0.8, 0.2, 0.7, 1.1};
	double s[K];

	hedge_start(s, K);
	for (size_t i = 0; i < 50; i++)
		ck_assert(hedge_update(s, loss, K, 1, 1, NULL) == STATUS_OK);
	ck_assert_double_gt(exp(s[2]), 0.999);
}
END_TEST

START_TEST(update_refuses_what_is_not_a_step)
{
	static const struct {
		double loss, temperature, strength;
		enum status want;
	} cases[] = {
	    {NAN, 1, 1, STATUS_NOT_FINITE},	  {INFINITY, 1, 1, STATUS_NOT_FINITE},
	    {INFINITY, 1, 0, STATUS_NOT_FINITE},  {-INFINITY, 1, 1, STATUS_NOT_FINITE},
	    {1e300, 1e-10, 1, STATUS_NOT_FINITE}, {1, 0, 1, STATUS_INVALID_VALUE},
	    {1, -1, 1, STATUS_INVALID_VALUE},	  {1, NAN, 1, STATUS_INVALID_VALUE},
	    {1, 1e-310, 1, STATUS_INVALID_VALUE}, {1, 1, -0.5, STATUS_INVALID_VALUE},
	    {1, 1, NAN, STATUS_INVALID_VALUE},	  {1, 1, INFINITY, STATUS_INVALID_VALUE},
	};
	const double start[K] = {-1, -2, -3, -4, -5};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		double loss[K] = {1, 2, 3, 4, cases[i].loss}, s[K];
		enum status status;
		struct err err;

		memcpy(s, start, sizeof(s));
		status = hedge_update(s, loss, K, cases[i].temperature, cases[i].strength, &err);
		ck_assert_msg(status == cases[i].want, "case %zu: %s", i, status_code(status));
		ck_assert_msg(memcmp(s, start, sizeof(s)) == 0, "case %zu: changed", i);
		ck_assert_msg(strncmp(err.msg, "hedge: ", 7) == 0, "case %zu: %s", i, err.msg);
	}
}
END_TEST

START_TEST(update_names_the_head_with_the_bad_loss)
{
	const double loss[K] = {1, 2, 3, NAN, 5};
	double s[K];
	struct err err;

	hedge_start(s, K);
	ck_assert(hedge_update(s, loss, K, 1, 1, &err) == STATUS_NOT_FINITE);
	ck_assert_ptr_nonnull(strstr(err.msg, "head 3"));
}
END_TEST

START_TEST(update_refuses_finite_losses_whose_difference_is_not)
{
	const double loss[K] = {-1e308, 0, 0, 0, 1e308};
	double s[K], before[K];
	struct err err;

	hedge_start(s, K);
	memcpy(before, s, sizeof(s));
	ck_assert(hedge_update(s, loss, K, 1, 1, &err) == STATUS_NOT_FINITE);
	ck_assert_ptr_nonnull(strstr(err.msg, "too far apart"));
	ck_assert_mem_eq(s, before, sizeof(s));
}
END_TEST

/* ---- hedge_share ---- */

START_TEST(share_mixes_with_the_uniform_distribution)
{
	double s[K] = {log(0.6), log(0.2), log(0.1), log(0.1), -INFINITY};
	const double want[K] = {0.5 * 0.6 + 0.1, 0.5 * 0.2 + 0.1, 0.15, 0.15, 0.1};

	hedge_share(s, K, 0.5);
	for (size_t k = 0; k < K; k++)
		ck_assert_double_eq_tol(exp(s[k]), want[k], 1e-15);
}
END_TEST

START_TEST(share_of_nothing_changes_nothing)
{
	double s[K] = {-1, -2, -3, -4, -5}, before[K];

	log_softmax(s, K);
	memcpy(before, s, sizeof(s));
	hedge_share(s, K, 0);
	assert_near(s, before, 1e-14);
}
END_TEST

START_TEST(share_of_nothing_keeps_weights_that_no_probability_can_hold)
{
	double s[K] = {-1, -2, -3, -1e5, -800};

	log_softmax(s, K);
	hedge_share(s, K, 0);
	ck_assert_double_eq_tol(s[3] - s[0], -99999, 1e-9);
	ck_assert_double_eq_tol(s[4] - s[0], -799, 1e-9);
}
END_TEST

START_TEST(share_keeps_every_head_within_reach)
{
	const double first[K] = {0, 5, 5, 5, 5}, last[K] = {5, 5, 5, 5, 0};
	double s[K];

	hedge_start(s, K);
	for (size_t i = 0; i < 1000; i++) {
		ck_assert(hedge_update(s, first, K, 1, 1, NULL) == STATUS_OK);
		hedge_share(s, K, 0.01);
	}
	ck_assert_double_ge(exp(s[4]), 0.01 / K * (1 - 1e-12));
	for (size_t i = 0; i < 5; i++) {
		ck_assert(hedge_update(s, last, K, 1, 1, NULL) == STATUS_OK);
		hedge_share(s, K, 0.01);
	}
	ck_assert_double_gt(exp(s[4]), 0.9);
	ck_assert_double_eq_tol(log_sum_exp(s, K), 0, 1e-12);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hedge");
	TCase *golden = tcase_create("golden"), *losses = tcase_create("losses");
	TCase *update = tcase_create("update"), *share = tcase_create("share");

	tcase_add_test(golden, steps_have_the_golden_values);
	tcase_add_test(losses, losses_of_cases_done_by_hand);
	tcase_add_test(losses, start_is_uniform);
	tcase_add_test(update, update_at_temperature_one_is_bayes_rule);
	tcase_add_test(update, update_keeps_the_weights_normalized);
	tcase_add_test(update, updates_commute);
	tcase_add_test(update, update_ignores_a_loss_common_to_all_heads);
	tcase_add_test(update, strength_counts_like_repeated_feedback);
	tcase_add_test(update, regret_against_the_best_head_is_at_most_log_k);
	tcase_add_test(update, update_finds_the_one_head_that_is_right);
	tcase_add_test(update, update_refuses_what_is_not_a_step);
	tcase_add_test(update, update_names_the_head_with_the_bad_loss);
	tcase_add_test(update, update_refuses_finite_losses_whose_difference_is_not);
	tcase_add_test(share, share_mixes_with_the_uniform_distribution);
	tcase_add_test(share, share_of_nothing_changes_nothing);
	tcase_add_test(share, share_of_nothing_keeps_weights_that_no_probability_can_hold);
	tcase_add_test(share, share_keeps_every_head_within_reach);
	suite_add_tcase(suite, golden);
	suite_add_tcase(suite, losses);
	suite_add_tcase(suite, update);
	suite_add_tcase(suite, share);
	return unit_run(suite);
}
