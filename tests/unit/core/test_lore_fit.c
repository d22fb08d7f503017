/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/eval/lore_fit.h"
#include "tests/unit/unit.h"

#define K	4
#define N_PAIRS 6

static struct lore_fit lore;

static void add_random(struct rng *rng, const bool *mask, float scale)
{
	float logits[K], chosen[K], rejected[K];

	for (size_t k = 0; k < K; k++) {
		logits[k] = (float)rng_normal(rng);
		chosen[k] = scale * (float)rng_normal(rng);
		rejected[k] = scale * (float)rng_normal(rng);
	}
	lore_fit_add(&lore, logits, mask, chosen, rejected);
}

static void start(uint64_t seed, const bool *mask, float scale)
{
	struct rng rng;

	rng_init(&rng, seed);
	ck_assert_int_eq(lore_fit_init(&lore, K, N_PAIRS, NULL), STATUS_OK);
	for (size_t i = 0; i < N_PAIRS; i++)
		add_random(&rng, mask, scale);
}

static void teardown(void)
{
	lore_fit_free(&lore);
}

static const bool nobody[K] = {false};
static const bool second[K] = {false, true};

START_TEST(gradient_is_that_of_the_value)
{
	const double shift[K] = {0.3, -0.7, 1.2, 0}, h = 1e-6;
	double gradient[K], scratch[K], moved[K];

	start((uint64_t)_i + 1, _i % 2 == 0 ? nobody : second, 3);
	lore_fit_value(&lore, shift, gradient);
	for (size_t k = 0; k < K; k++) {
		double above, below;

		memcpy(moved, shift, sizeof(moved));
		moved[k] = shift[k] + h;
		above = lore_fit_value(&lore, moved, scratch);
		moved[k] = shift[k] - h;
		below = lore_fit_value(&lore, moved, scratch);
		ck_assert_double_eq_tol(gradient[k], (above - below) / (2 * h), 1e-6);
	}
}
END_TEST

START_TEST(fit_ends_where_the_value_is_lowest)
{
	double shift[K], gradient[K], scratch[K], lowest;

	start((uint64_t)_i + 1, nobody, 3);
	ck_assert_int_eq(lore_fit_run(&lore, shift, NULL), STATUS_OK);
	lowest = lore_fit_value(&lore, shift, gradient);
	for (size_t k = 0; k < K; k++) {
		ck_assert_double_le(fabs(gradient[k]), LORE_FIT_FLAT);
		for (int sign = -1; sign <= 1; sign += 2) {
			double moved[K];

			memcpy(moved, shift, sizeof(moved));
			moved[k] += 0.01 * sign;
			ck_assert_double_gt(lore_fit_value(&lore, moved, scratch), lowest);
		}
	}
}
END_TEST

/* One pair, two heads, even prior: only w = sigmoid(s_0 - s_1) matters and s_0 = -s_1. */
START_TEST(fit_of_one_pair_solves_its_equation)
{
	const float logits[2] = {0, 0}, chosen[2] = {2, 0}, rejected[2] = {0, 1};
	double shift[2], gradient[2], low = 0, high = 10;

	ck_assert_int_eq(lore_fit_init(&lore, 2, 1, NULL), STATUS_OK);
	lore_fit_add(&lore, logits, nobody, chosen, rejected);
	for (int i = 0; i < 100; i++) { /* bisection of dF/ds_0 along (s, -s) */
		double middle = (low + high) / 2;

		lore_fit_value(&lore, (double[2]){middle, -middle}, gradient);
		*(gradient[0] < 0 ? &low : &high) = middle;
	}
	ck_assert_int_eq(lore_fit_run(&lore, shift, NULL), STATUS_OK);
	ck_assert_double_gt(shift[0], 0.1);
	ck_assert_double_eq_tol(shift[0], low, 1e-5);
	ck_assert_double_eq_tol(shift[1], -low, 1e-5);
}
END_TEST

START_TEST(without_pairs_nothing_shifts)
{
	double shift[K];

	start(1, nobody, 3);
	lore_fit_clear(&lore);
	ck_assert_int_eq(lore_fit_run(&lore, shift, NULL), STATUS_OK);
	for (size_t k = 0; k < K; k++)
		ck_assert_double_eq(shift[k], 0);
}
END_TEST

static const float scales[] = {1e-20f, 1e4f, 1e19f, 1e37f};

START_TEST(fit_ends_with_numbers_whatever_the_rewards)
{
	double shift[K], scratch[K];

	start(5, nobody, scales[_i]);
	ck_assert_int_eq(lore_fit_run(&lore, shift, NULL), STATUS_OK);
	for (size_t k = 0; k < K; k++)
		ck_assert(isfinite(shift[k]));
	ck_assert(isfinite(lore_fit_value(&lore, shift, scratch)));
}
END_TEST

START_TEST(rewards_that_are_not_finite_are_refused)
{
	const float logits[K] = {0}, chosen[K] = {INFINITY, 1, 0, 0}, rejected[K] = {0};
	double shift[K];

	ck_assert_int_eq(lore_fit_init(&lore, K, 1, NULL), STATUS_OK);
	lore_fit_add(&lore, logits, nobody, chosen, rejected);
	ck_assert_int_eq(lore_fit_run(&lore, shift, NULL), STATUS_NOT_FINITE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lore_fit");
	TCase *tcase = tcase_create("lore_fit");

	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_loop_test(tcase, gradient_is_that_of_the_value, 0, 6);
	tcase_add_loop_test(tcase, fit_ends_where_the_value_is_lowest, 0, 6);
	tcase_add_test(tcase, fit_of_one_pair_solves_its_equation);
	tcase_add_test(tcase, without_pairs_nothing_shifts);
	tcase_add_loop_test(tcase, fit_ends_with_numbers_whatever_the_rewards, 0,
			    (int)LENGTH(scales));
	tcase_add_test(tcase, rewards_that_are_not_finite_are_refused);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
