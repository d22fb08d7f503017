/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/math/eigen.h"
#include "tests/unit/unit.h"

#define MAX_N 40

START_TEST(two_by_two_by_hand)
{
	double a[] = {2, 1, 1, 2}, value[2], vector[4];

	eigen_symmetric(a, 2, value, vector);
	ck_assert_double_eq_tol(value[0], 3, 1e-15);
	ck_assert_double_eq_tol(value[1], 1, 1e-15);
	ck_assert_double_eq_tol(fabs(vector[0]), sqrt(0.5), 1e-15);
	ck_assert_double_eq_tol(vector[0], vector[1], 1e-15);
	ck_assert_double_eq_tol(vector[2], -vector[3], 1e-15);
}
END_TEST

START_TEST(diagonal_is_only_sorted)
{
	double a[] = {-1, 0, 0, 0, 5, 0, 0, 0, 2}, value[3], vector[9];
	const double want_value[] = {5, 2, -1}, want_vector[] = {0, 1, 0, 0, 0, 1, 1, 0, 0};

	eigen_symmetric(a, 3, value, vector);
	ck_assert_int_eq(memcmp(value, want_value, sizeof(value)), 0);
	ck_assert_int_eq(memcmp(vector, want_vector, sizeof(vector)), 0);
}
END_TEST

START_TEST(zero_matrix_has_zeros_and_still_a_basis)
{
	double a[4] = {0}, value[2], vector[4];

	eigen_symmetric(a, 2, value, vector);
	ck_assert_double_eq(value[0], 0);
	ck_assert_double_eq(value[1], 0);
	ck_assert_double_eq(fabs(vector[0] * vector[3] - vector[1] * vector[2]), 1);
}
END_TEST

/* A v_i = value_i v_i, rows orthonormal, values descending; n = 1 .. MAX_N - 1 */
START_TEST(random_matrix_is_taken_apart)
{
	static double a[MAX_N * MAX_N], work[MAX_N * MAX_N], vector[MAX_N * MAX_N], value[MAX_N];
	size_t n = (size_t)_i;
	struct rng rng;

	rng_init(&rng, n);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j <= i; j++)
			a[i * n + j] = a[j * n + i] = rng_normal(&rng);
	}
	memcpy(work, a, sizeof(work));
	eigen_symmetric(work, n, value, vector);
	for (size_t i = 0; i < n; i++) {
		const double *v = vector + i * n;

		ck_assert(i == 0 || value[i] <= value[i - 1]);
		for (size_t j = 0; j < n; j++) {
			double product = 0, dot = 0;

			for (size_t k = 0; k < n; k++) {
				product += a[j * n + k] * v[k];
				dot += vector[j * n + k] * v[k];
			}
			ck_assert_double_eq_tol(product, value[i] * v[j], 1e-12);
			ck_assert_double_eq_tol(dot, i == j, 1e-13);
		}
	}
}
END_TEST

/* What the squares of columns of very unlike length look like. */
START_TEST(small_eigenvalue_beside_a_large_one_is_found)
{
	double a[] = {1e12, 1e3, 1e3, 1}, value[2], vector[4];

	/* trace 1e12 + 1, determinant 1e12 - 1e6 */
	eigen_symmetric(a, 2, value, vector);
	ck_assert_double_eq_tol(value[0], 1e12, 1);
	ck_assert_double_eq_tol(value[1], 1 - 1e-6, 1e-9);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("eigen");
	TCase *tcase = tcase_create("eigen_symmetric");

	tcase_add_test(tcase, two_by_two_by_hand);
	tcase_add_test(tcase, diagonal_is_only_sorted);
	tcase_add_test(tcase, zero_matrix_has_zeros_and_still_a_basis);
	tcase_add_loop_test(tcase, random_matrix_is_taken_apart, 1, MAX_N);
	tcase_add_test(tcase, small_eigenvalue_beside_a_large_one_is_found);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
