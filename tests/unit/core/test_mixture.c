/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>

#include "core/base/rng.h"
#include "core/model/mixture.h"
#include "tests/unit/core/golden_fixture.h"
#include "tests/unit/unit.h"

#define MAX_HEADS 8

/* What a mixture is computed from. */
struct inputs {
	size_t n_heads;
	float logits[MAX_HEADS];
	double bias[MAX_HEADS];
	bool mask[MAX_HEADS];
	float reward_a[MAX_HEADS];
	float reward_b[MAX_HEADS];
	float center[MAX_HEADS];
};

static void draw(struct rng *rng, size_t n_heads, double scale, struct inputs *out)
{
	*out = (struct inputs){.n_heads = n_heads};
	for (size_t k = 0; k < n_heads; k++) {
		out->logits[k] = (float)(scale * rng_normal(rng));
		out->bias[k] = scale * rng_normal(rng);
		out->reward_a[k] = (float)(scale * rng_normal(rng));
		out->reward_b[k] = (float)(scale * rng_normal(rng));
		out->center[k] = (float)rng_normal(rng);
	}
}

static double sum_of_weights(const double *log_weight, size_t n_heads)
{
	double sum = 0;

	for (size_t k = 0; k < n_heads; k++)
		sum += exp(log_weight[k]);
	return sum;
}

/* ---- all three, against the reference ---- */

static void read_case(const json_t *item, struct inputs *in)
{
	size_t n = golden_rows(item, "logits");

	*in = (struct inputs){.n_heads = n};
	golden_floats(golden_get(item, "logits"), in->logits, n);
	golden_floats(golden_get(item, "reward_a"), in->reward_a, n);
	golden_floats(golden_get(item, "reward_b"), in->reward_b, n);
	golden_floats(golden_get(item, "center"), in->center, n);
	if (golden_has(item, "bias"))
		golden_doubles(golden_get(item, "bias"), in->bias, n);
	if (golden_has(item, "mask"))
		golden_bools(golden_get(item, "mask"), in->mask, n);
}

static double reward_of(const double *log_weight, const float *reward, const float *center,
			size_t n_heads)
{
	double weight[MAX_HEADS];

	mixture_weights(log_weight, n_heads, weight);
	return mixture_reward(weight, reward, center, n_heads);
}

START_TEST(mixture_has_the_golden_values)
{
	json_t *root = golden_open(TESTS_DIR "/golden/model.json");
	const json_t *item;
	size_t i;

	json_array_foreach(golden_get(root, "mixture"), i, item)
	{
		double got[MAX_HEADS], want[MAX_HEADS], value;
		struct inputs in;

		read_case(item, &in);
		golden_doubles(golden_get(item, "log_weights"), want, in.n_heads);
		mixture_log_weights(in.logits, golden_has(item, "bias") ? in.bias : NULL,
				    golden_has(item, "mask") ? in.mask : NULL, in.n_heads, got);
		for (size_t k = 0; k < in.n_heads; k++)
			ck_assert_msg(got[k] == want[k] || fabs(got[k] - want[k]) <= 1e-11,
				      "case %zu, head %zu: %.17g, want %.17g", i, k, got[k],
				      want[k]);
		value = reward_of(got, in.reward_a, in.center, in.n_heads);
		ck_assert_double_eq_tol(value, golden_number(item, "reward"),
					1e-12 * (1 + fabs(value)));
		value = mixture_log_preference(got, in.reward_a, in.reward_b, in.n_heads);
		ck_assert_double_eq_tol(value, golden_number(item, "log_preference"),
					1e-12 * (1 + fabs(value)));
	}
	ck_assert_uint_ge(i, 7);
	json_decref(root);
}
END_TEST

/* ---- mixture_log_weights ---- */

START_TEST(weights_sum_to_one_whatever_the_scale)
{
	struct rng rng;

	rng_init(&rng, 1);
	for (size_t trial = 0; trial < 500; trial++) {
		double log_weight[MAX_HEADS];
		struct inputs in;

		draw(&rng, 1 + trial % MAX_HEADS, pow(10, (double)(trial % 9) - 2), &in);
		mixture_log_weights(in.logits, in.bias, NULL, in.n_heads, log_weight);
		ck_assert_msg(fabs(sum_of_weights(log_weight, in.n_heads) - 1) <= 1e-12,
			      "trial %zu: %g", trial, sum_of_weights(log_weight, in.n_heads));
	}
}
END_TEST

START_TEST(masked_head_has_no_weight_and_the_others_share_it)
{
	struct rng rng;

	rng_init(&rng, 2);
	for (size_t masked = 0; masked < 4; masked++) {
		double all[4], rest[4];
		struct inputs in;

		draw(&rng, 4, 2, &in);
		in.mask[masked] = true;
		mixture_log_weights(in.logits, in.bias, NULL, 4, all);
		mixture_log_weights(in.logits, in.bias, in.mask, 4, rest);
		ck_assert_double_eq(exp(rest[masked]), 0);
		ck_assert_double_eq_tol(sum_of_weights(rest, 4), 1, 1e-12);
		for (size_t k = 0; k < 4; k++) {
			if (k != masked)
				ck_assert_double_eq_tol(
				    exp(rest[k]), exp(all[k]) / (1 - exp(all[masked])), 1e-12);
		}
	}
}
END_TEST

START_TEST(masked_head_cannot_come_back_through_the_bias)
{
	const float logits[] = {3e38f, 0};
	const double bias[] = {1e300, -1e3};
	const bool mask[] = {true, false};
	double log_weight[2];

	mixture_log_weights(logits, bias, mask, 2, log_weight);
	ck_assert_double_eq(exp(log_weight[0]), 0);
	ck_assert_double_eq(log_weight[1], 0);
}
END_TEST

START_TEST(weights_ignore_a_common_shift)
{
	double plain[4], shifted[4];
	struct inputs in;
	struct rng rng;

	rng_init(&rng, 3);
	draw(&rng, 4, 1, &in);
	mixture_log_weights(in.logits, in.bias, NULL, 4, plain);
	for (size_t k = 0; k < 4; k++)
		in.bias[k] += 123;
	mixture_log_weights(in.logits, in.bias, NULL, 4, shifted);
	for (size_t k = 0; k < 4; k++)
		ck_assert_double_eq_tol(shifted[k], plain[k], 1e-12);
}
END_TEST

/* ---- mixture_reward ---- */

START_TEST(reward_of_cases_done_by_hand)
{
	static const struct {
		double weight[2];
		float reward[2], center[2];
		double want;
	} cases[] = {
	    {{1, 0}, {3, 100}, {1, 0}, 2},
	    {{0.5, 0.5}, {3, 1}, {0, 0}, 2},
	    {{0.25, 0.75}, {4, -4}, {4, -4}, 0},
	    {{0.25, 0.75}, {4, 0}, {0, 4}, -2},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		double log_weight[2] = {log(cases[i].weight[0]), log(cases[i].weight[1])};
		double got = reward_of(log_weight, cases[i].reward, cases[i].center, 2);

		ck_assert_msg(fabs(got - cases[i].want) <= 1e-12, "case %zu: %g", i, got);
	}
}
END_TEST

START_TEST(reward_difference_does_not_depend_on_the_centers)
{
	const float zero[4] = {0};
	double log_weight[4];
	struct inputs in;
	struct rng rng;

	rng_init(&rng, 4);
	draw(&rng, 4, 1, &in);
	mixture_log_weights(in.logits, NULL, NULL, 4, log_weight);
	ck_assert_double_eq_tol(reward_of(log_weight, in.reward_a, in.center, 4) -
				    reward_of(log_weight, in.reward_b, in.center, 4),
				reward_of(log_weight, in.reward_a, zero, 4) -
				    reward_of(log_weight, in.reward_b, zero, 4),
				1e-12);
}
END_TEST

/* ---- mixture_log_preference ---- */

START_TEST(preference_and_its_opposite_sum_to_one)
{
	struct rng rng;

	rng_init(&rng, 5);
	for (size_t trial = 0; trial < 500; trial++) {
		double log_weight[MAX_HEADS], ab, ba;
		struct inputs in;

		draw(&rng, 1 + trial % MAX_HEADS, pow(10, (double)(trial % 7) - 2), &in);
		mixture_log_weights(in.logits, in.bias, NULL, in.n_heads, log_weight);
		ab = mixture_log_preference(log_weight, in.reward_a, in.reward_b, in.n_heads);
		ba = mixture_log_preference(log_weight, in.reward_b, in.reward_a, in.n_heads);
		ck_assert_msg(ab <= 1e-12 && ba <= 1e-12, "trial %zu: %g, %g", trial, ab, ba);
		ck_assert_msg(fabs(exp(ab) + exp(ba) - 1) <= 1e-12, "trial %zu", trial);
	}
}
END_TEST

START_TEST(preference_is_never_above_one)
{
	struct rng rng;

	rng_init(&rng, 5);
	for (size_t trial = 0; trial < 1000; trial++) {
		double log_weight[MAX_HEADS], value;
		struct inputs in;

		draw(&rng, MAX_HEADS, 1, &in);
		for (size_t k = 0; k < MAX_HEADS; k++)
			in.reward_a[k] = in.reward_b[k] + 100;
		mixture_log_weights(in.logits, in.bias, NULL, MAX_HEADS, log_weight);
		value = mixture_log_preference(log_weight, in.reward_a, in.reward_b, MAX_HEADS);
		ck_assert_msg(value <= 0 && value > -1e-12, "trial %zu: %g", trial, value);
	}
}
END_TEST

START_TEST(preference_between_equal_rewards_is_one_half)
{
	double log_weight[4];
	struct inputs in;
	struct rng rng;

	rng_init(&rng, 6);
	draw(&rng, 4, 3, &in);
	mixture_log_weights(in.logits, in.bias, NULL, 4, log_weight);
	ck_assert_double_eq_tol(mixture_log_preference(log_weight, in.reward_a, in.reward_a, 4),
				-M_LN2, 1e-12);
}
END_TEST

START_TEST(order_of_the_heads_does_not_matter)
{
	static const size_t order[4] = {2, 0, 3, 1};
	double log_weight[4], permuted_weight[4];
	struct inputs in, permuted;
	struct rng rng;

	rng_init(&rng, 7);
	draw(&rng, 4, 2, &in);
	permuted = in;
	for (size_t k = 0; k < 4; k++) {
		permuted.logits[k] = in.logits[order[k]];
		permuted.bias[k] = in.bias[order[k]];
		permuted.reward_a[k] = in.reward_a[order[k]];
		permuted.reward_b[k] = in.reward_b[order[k]];
		permuted.center[k] = in.center[order[k]];
	}
	mixture_log_weights(in.logits, in.bias, NULL, 4, log_weight);
	mixture_log_weights(permuted.logits, permuted.bias, NULL, 4, permuted_weight);
	for (size_t k = 0; k < 4; k++)
		ck_assert_double_eq_tol(permuted_weight[k], log_weight[order[k]], 1e-12);
	ck_assert_double_eq_tol(reward_of(permuted_weight, permuted.reward_a, permuted.center, 4),
				reward_of(log_weight, in.reward_a, in.center, 4), 1e-12);
	ck_assert_double_eq_tol(
	    mixture_log_preference(permuted_weight, permuted.reward_a, permuted.reward_b, 4),
	    mixture_log_preference(log_weight, in.reward_a, in.reward_b, 4), 1e-12);
}
END_TEST

START_TEST(nothing_is_nan_at_extreme_numbers)
{
	static const float values[] = {0, FLT_MAX, -FLT_MAX, 1e4f, -1e4f, FLT_MIN};
	const size_t n = LENGTH(values);

	for (size_t trial = 0; trial < n * n * n; trial++) {
		const float logits[2] = {values[trial % n], values[trial / n % n]};
		const float a[2] = {values[trial / n / n], 1}, b[2] = {-1, values[trial % n]};
		const bool mask[2] = {false, trial % 2};
		double log_weight[2];

		mixture_log_weights(logits, NULL, mask, 2, log_weight);
		ck_assert_msg(fabs(exp(log_weight[0]) + exp(log_weight[1]) - 1) < 1e-12,
			      "trial %zu: weights %g and %g", trial, exp(log_weight[0]),
			      exp(log_weight[1]));
		ck_assert_msg(isfinite(mixture_log_preference(log_weight, a, b, 2)), "trial %zu",
			      trial);
		ck_assert_msg(isfinite(reward_of(log_weight, a, b, 2)), "trial %zu", trial);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mixture");
	TCase *golden = tcase_create("golden"), *weights = tcase_create("weights");
	TCase *reward = tcase_create("reward"), *preference = tcase_create("preference");

	tcase_add_test(golden, mixture_has_the_golden_values);
	tcase_add_test(weights, weights_sum_to_one_whatever_the_scale);
	tcase_add_test(weights, masked_head_has_no_weight_and_the_others_share_it);
	tcase_add_test(weights, masked_head_cannot_come_back_through_the_bias);
	tcase_add_test(weights, weights_ignore_a_common_shift);
	tcase_add_test(reward, reward_of_cases_done_by_hand);
	tcase_add_test(reward, reward_difference_does_not_depend_on_the_centers);
	tcase_add_test(preference, preference_and_its_opposite_sum_to_one);
	tcase_add_test(preference, preference_is_never_above_one);
	tcase_add_test(preference, preference_between_equal_rewards_is_one_half);
	tcase_add_test(preference, order_of_the_heads_does_not_matter);
	tcase_add_test(preference, nothing_is_nan_at_extreme_numbers);
	suite_add_tcase(suite, golden);
	suite_add_tcase(suite, weights);
	suite_add_tcase(suite, reward);
	suite_add_tcase(suite, preference);
	return unit_run(suite);
}
