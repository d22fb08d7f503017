/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/math/logmath.h"
#include "core/train/simplex.h"
#include "tests/unit/unit.h"

#define K 3

/* -log sigmoid(sum_k w_k m_k), w = softmax(a), as it is defined */
static double loss(const double *a, const float *margin)
{
	double norm = 0, sum = 0;

	for (size_t k = 0; k < K; k++)
		norm += exp(a[k]);
	for (size_t k = 0; k < K; k++)
		sum += exp(a[k]) / norm * margin[k];
	return log(1 + exp(-sum));
}

static const struct {
	double a[K];
	float margin[K];
} cases[] = {
    {{0, 0, 0}, {1, -1, 0.5f}},
    {{0.5, -1, 2}, {-2, 3, -0.25f}},
    {{-3, 0, 1}, {6, -4, 1}},
};

START_TEST(gradient_is_the_loss_slope)
{
	const double h = 1e-6, scale = 0.25;
	double weight[K], a[K];
	float grad[K] = {1, 2, 3};

	for (size_t k = 0; k < K; k++)
		weight[k] = a[k] = cases[_i].a[k];
	log_softmax(weight, K);
	for (size_t k = 0; k < K; k++)
		weight[k] = exp(weight[k]);
	simplex_add_gradient(weight, cases[_i].margin, K, scale, grad);
	for (size_t k = 0; k < K; k++) {
		double up, down;

		a[k] += h;
		up = loss(a, cases[_i].margin);
		a[k] -= 2 * h;
		down = loss(a, cases[_i].margin);
		a[k] += h;
		ck_assert_double_eq_tol((double)grad[k] - (double)(k + 1),
					scale * (up - down) / (2 * h), 1e-6);
	}
}
END_TEST

START_TEST(fit_moves_to_the_head_that_is_right_and_stays_on_the_simplex)
{
	const float margin[2 * K] = {1, -1, 0, 2, -1, -0.5f};
	double weight[K] = {1.0 / 3, 1.0 / 3, 1.0 / 3}, before = weight[0];
	struct simplex simplex;

	ck_assert(simplex_init(&simplex, K, NULL) == STATUS_OK);
	for (int round = 0; round < 3; round++) {
		simplex_fit(&simplex, margin, 2, 20, 0.1, weight);
		ck_assert_double_eq_tol(weight[0] + weight[1] + weight[2], 1, 1e-12);
		ck_assert_double_gt(weight[0], before);
		before = weight[0];
	}
	ck_assert_double_gt(weight[0], 0.95);
	simplex_free(&simplex);
}
END_TEST

/* One person's fit leaves nothing behind for the next. */
START_TEST(fit_depends_on_its_arguments_alone)
{
	const float mine[K] = {1, -1, 0}, others[K] = {-5, 2, 3};
	double first[K] = {0.2, 0.3, 0.5}, other[K] = {0.2, 0.3, 0.5}, again[K] = {0.2, 0.3, 0.5};
	struct simplex simplex;

	ck_assert(simplex_init(&simplex, K, NULL) == STATUS_OK);
	simplex_fit(&simplex, mine, 1, 7, 0.1, first);
	simplex_fit(&simplex, others, 1, 9, 0.1, other);
	simplex_fit(&simplex, mine, 1, 7, 0.1, again);
	for (size_t k = 0; k < K; k++)
		ck_assert_double_eq(first[k], again[k]);
	simplex_free(&simplex);
}
END_TEST

START_TEST(nothing_to_fit_changes_nothing)
{
	double weight[K] = {0.25, 0.25, 0.5};
	struct simplex simplex;

	ck_assert(simplex_init(&simplex, K, NULL) == STATUS_OK);
	simplex_fit(&simplex, NULL, 0, 20, 0.1, weight);
	ck_assert_double_eq(weight[0], 0.25);
	ck_assert_double_eq(weight[2], 0.5);
	simplex_free(&simplex);
}
END_TEST

START_TEST(weight_that_has_died_out_stays_a_number)
{
	const float margin[K] = {1, -1, 0};
	double weight[K] = {1, 0, 0};
	struct simplex simplex;

	ck_assert(simplex_init(&simplex, K, NULL) == STATUS_OK);
	simplex_fit(&simplex, margin, 1, 20, 0.1, weight);
	ck_assert_double_eq(weight[0], 1);
	ck_assert_double_eq(weight[1], 0);
	simplex_free(&simplex);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("simplex");
	TCase *tcase = tcase_create("simplex");

	tcase_add_loop_test(tcase, gradient_is_the_loss_slope, 0, (int)LENGTH(cases));
	tcase_add_test(tcase, fit_moves_to_the_head_that_is_right_and_stays_on_the_simplex);
	tcase_add_test(tcase, fit_depends_on_its_arguments_alone);
	tcase_add_test(tcase, nothing_to_fit_changes_nothing);
	tcase_add_test(tcase, weight_that_has_died_out_stays_a_number);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
