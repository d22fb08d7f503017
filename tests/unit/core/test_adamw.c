/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "core/train/adamw.h"
#include "tests/unit/unit.h"

/* AdamW as Loshchilov and Hutter write it (algorithm 2), in double precision */
static double reference(double x, const double *g, size_t n, double rate, double decay)
{
	double m = 0, v = 0;

	for (size_t t = 1; t <= n; t++) {
		double m_hat, v_hat;

		m = 0.9 * m + 0.1 * g[t - 1];
		v = 0.999 * v + 0.001 * g[t - 1] * g[t - 1];
		m_hat = m / (1 - pow(0.9, (double)t));
		v_hat = v / (1 - pow(0.999, (double)t));
		x -= rate * (m_hat / (sqrt(v_hat) + 1e-8) + decay * x);
	}
	return x;
}

START_TEST(steps_follow_the_published_algorithm)
{
	const double g[2][5] = {{1, -0.5, 0.25, 3, 1e-4}, {-1e-6, 2e-6, 0, 0, 1e-5}};
	float params[2] = {0.5f, -2}, grad[2];
	struct adamw opt;

	ck_assert(adamw_init(&opt, 2, 0.1, NULL) == STATUS_OK);
	for (size_t t = 0; t < 5; t++) {
		for (size_t i = 0; i < 2; i++)
			grad[i] = (float)g[i][t];
		adamw_step(&opt, 0.01, grad, params);
	}
	ck_assert_double_eq_tol(params[0], reference(0.5, g[0], 5, 0.01, 0.1), 1e-6);
	ck_assert_double_eq_tol(params[1], reference(-2, g[1], 5, 0.01, 0.1), 1e-6);
	adamw_free(&opt);
}
END_TEST

START_TEST(step_clears_the_gradient)
{
	float params[1] = {0}, grad[1] = {1};
	struct adamw opt;

	ck_assert(adamw_init(&opt, 1, 0, NULL) == STATUS_OK);
	adamw_step(&opt, 0.1, grad, params);
	ck_assert_float_eq(grad[0], 0);
	adamw_free(&opt);
}
END_TEST

START_TEST(parts_make_the_same_step_as_the_whole)
{
	float whole[5] = {1, 2, 3, 4, 5}, parts[5] = {1, 2, 3, 4, 5};
	struct adamw a, b;

	ck_assert(adamw_init(&a, 5, 0.1, NULL) == STATUS_OK);
	ck_assert(adamw_init(&b, 5, 0.1, NULL) == STATUS_OK);
	for (size_t t = 0; t < 3; t++) {
		float grad[5] = {0.5f, -1, 2, 0, (float)t};
		struct adamw_rates rates = adamw_begin(&b, 0.01);

		adamw_update(&b, rates, 3, 2, grad + 3, parts);
		adamw_update(&b, rates, 0, 3, grad, parts);
		adamw_step(&a, 0.01, grad, whole);
		ck_assert_mem_eq(whole, parts, sizeof(whole));
	}
	adamw_free(&a);
	adamw_free(&b);
}
END_TEST

/* A denormal number takes a processor many times as long as any other. */
START_TEST(moments_that_fade_are_never_denormal)
{
	float params[3] = {1, -1, 1};
	struct adamw opt;

	ck_assert(adamw_init(&opt, 3, 0, NULL) == STATUS_OK);
	opt.beta2 = 0.9; /* as fast as the mean */
	for (size_t t = 0; t < 2000; t++) {
		float grad[3] = {t == 0 ? 1.0f : 0, t == 0 ? -1e-15f : 0, 1e-30f};

		adamw_step(&opt, 0.01, grad, params);
		for (size_t i = 0; i < 3; i++) {
			ck_assert_int_ne(fpclassify(opt.mean[i]), FP_SUBNORMAL);
			ck_assert_int_ne(fpclassify(opt.variance[i]), FP_SUBNORMAL);
		}
	}
	for (size_t i = 0; i < 3; i++) {
		ck_assert_float_eq(opt.mean[i], 0);
		ck_assert_float_eq(opt.variance[i], 0);
	}
	adamw_free(&opt);
}
END_TEST

START_TEST(finds_the_minimum_of_a_parabola)
{
	float params[2] = {5, -3}, grad[2];
	struct adamw opt;

	ck_assert(adamw_init(&opt, 2, 0, NULL) == STATUS_OK);
	for (int t = 0; t < 2000; t++) {
		grad[0] = 2 * (params[0] - 1);
		grad[1] = 20 * (params[1] - 2);
		adamw_step(&opt, 0.02, grad, params);
	}
	ck_assert_double_eq_tol(params[0], 1, 1e-2);
	ck_assert_double_eq_tol(params[1], 2, 1e-2);
	adamw_free(&opt);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("adamw");
	TCase *tcase = tcase_create("adamw_step");

	tcase_add_test(tcase, steps_follow_the_published_algorithm);
	tcase_add_test(tcase, step_clears_the_gradient);
	tcase_add_test(tcase, parts_make_the_same_step_as_the_whole);
	tcase_add_test(tcase, moments_that_fade_are_never_denormal);
	tcase_add_test(tcase, finds_the_minimum_of_a_parabola);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
