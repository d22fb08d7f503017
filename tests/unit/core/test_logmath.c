/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>

#include "core/base/rng.h"
#include "core/math/logmath.h"
#include "tests/unit/core/golden_fixture.h"
#include "tests/unit/unit.h"

static const double extremes[] = {0,   1e-300, -1e-300, 1,    -1,      36,	-36,
				  745, -745,   1e5,	-1e5, DBL_MAX, -DBL_MAX};

/* ---- log_sigmoid, sigmoid ---- */

START_TEST(log_sigmoid_has_the_golden_values)
{
	json_t *root = golden_open(TESTS_DIR "/golden/model.json");
	const json_t *golden = golden_get(root, "log_sigmoid");
	size_t n = golden_rows(golden, "x");
	double x[64], y[64];

	golden_doubles(golden_get(golden, "x"), x, n);
	golden_doubles(golden_get(golden, "y"), y, n);
	for (size_t i = 0; i < n; i++) {
		double tolerance = 4 * DBL_EPSILON * fabs(y[i]) + DBL_TRUE_MIN;

		ck_assert_msg(fabs(log_sigmoid(x[i]) - y[i]) <= tolerance,
			      "x %g: %.17g, want %.17g", x[i], log_sigmoid(x[i]), y[i]);
	}
	json_decref(root);
}
END_TEST

START_TEST(log_sigmoid_is_finite_and_antisymmetric_at_extremes)
{
	for (size_t i = 0; i < LENGTH(extremes); i++) {
		double x = extremes[i];

		ck_assert_msg(isfinite(log_sigmoid(x)) && log_sigmoid(x) <= 0, "x %g", x);
		ck_assert_double_eq_tol(log_sigmoid(x) - log_sigmoid(-x), x, 1e-15 * (1 + fabs(x)));
	}
}
END_TEST

START_TEST(sigmoid_is_a_probability_at_extremes)
{
	for (size_t i = 0; i < LENGTH(extremes); i++) {
		double x = extremes[i];

		ck_assert_msg(sigmoid(x) >= 0 && sigmoid(x) <= 1, "x %g", x);
		ck_assert_double_eq_tol(sigmoid(x) + sigmoid(-x), 1, 1e-15);
		if (fabs(x) < 700)
			ck_assert_double_eq_tol(log(sigmoid(x)), log_sigmoid(x), 1e-14);
	}
}
END_TEST

/* ---- log_sum_exp ---- */

START_TEST(log_sum_exp_of_cases_done_by_hand)
{
	static const struct {
		double x[3];
		size_t n;
		double want;
	} cases[] = {
	    {{5}, 1, 5},
	    {{0, 0}, 2, M_LN2},
	    {{1000, 1000}, 2, 1000 + M_LN2},
	    {{-1000, -1000}, 2, -1000 + M_LN2},
	    {{1e5, -1e5, 0}, 3, 1e5},
	    {{-INFINITY, 3, -INFINITY}, 3, 3},
	    {{-INFINITY, -INFINITY}, 2, -INFINITY},
	    {{-DBL_MAX, DBL_MAX, 0}, 3, DBL_MAX},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		double got = log_sum_exp(cases[i].x, cases[i].n);

		ck_assert_msg(got == cases[i].want || fabs(got - cases[i].want) <= 1e-12,
			      "case %zu: %g", i, got);
	}
}
END_TEST

/* ---- log_softmax ---- */

START_TEST(log_softmax_sums_to_one)
{
	struct rng rng;

	rng_init(&rng, 1);
	for (size_t trial = 0; trial < 200; trial++) {
		double x[9], sum = 0;
		double scale = pow(10, (double)(trial % 8) - 3);

		for (size_t i = 0; i < LENGTH(x); i++)
			x[i] = scale * rng_normal(&rng);
		x[trial % LENGTH(x)] = trial % 3 == 0 ? -INFINITY : 1;
		log_softmax(x, LENGTH(x));
		for (size_t i = 0; i < LENGTH(x); i++) {
			ck_assert_msg(x[i] <= 0, "trial %zu: %g", trial, x[i]);
			sum += exp(x[i]);
		}
		ck_assert_double_eq_tol(sum, 1, 1e-12);
	}
}
END_TEST

START_TEST(log_softmax_ignores_a_common_shift)
{
	double x[] = {0.5, -2, 1}, y[] = {100.5, 98, 101};

	log_softmax(x, 3);
	log_softmax(y, 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert_double_eq_tol(x[i], y[i], 1e-12);
}
END_TEST

/* ---- all_finite, all_finite_f ---- */

START_TEST(all_finite_names_the_first_fault)
{
	float x[] = {1, FLT_MAX, NAN, INFINITY};
	double y[] = {1, DBL_MAX, -INFINITY};
	size_t bad = 99;

	ck_assert(all_finite_f(x, 0, &bad));
	ck_assert(all_finite_f(x, 2, &bad));
	ck_assert_uint_eq(bad, 99);
	ck_assert(!all_finite_f(x, 4, &bad));
	ck_assert_uint_eq(bad, 2);
	ck_assert(all_finite(y, 2));
	ck_assert(!all_finite(y, 3));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("logmath");
	TCase *tcase = tcase_create("logmath");

	tcase_add_test(tcase, log_sigmoid_has_the_golden_values);
	tcase_add_test(tcase, log_sigmoid_is_finite_and_antisymmetric_at_extremes);
	tcase_add_test(tcase, sigmoid_is_a_probability_at_extremes);
	tcase_add_test(tcase, log_sum_exp_of_cases_done_by_hand);
	tcase_add_test(tcase, log_softmax_sums_to_one);
	tcase_add_test(tcase, log_softmax_ignores_a_common_shift);
	tcase_add_test(tcase, all_finite_names_the_first_fault);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
