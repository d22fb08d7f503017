/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/base/rng.h"
#include "core/math/linalg.h"
#include "tests/unit/unit.h"

static void fill(struct rng *rng, float *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		x[i] = (float)rng_normal(rng);
}

/* ---- linalg_vecmat ---- */

START_TEST(vecmat_by_hand)
{
	const float x[] = {1, -2}, a[] = {1, 2, 3, 4, 5, 6};
	float y[] = {99, 99, 99};

	linalg_vecmat(x, a, 2, 3, y);
	ck_assert_float_eq(y[0], -7);
	ck_assert_float_eq(y[1], -8);
	ck_assert_float_eq(y[2], -9);
}
END_TEST

/* ---- linalg_matmul, linalg_matmul_transposed ---- */

#define MAX_N 70
#define MAX_K 300
#define MAX_M 40

/* small ones, one block, several with a rest in each direction */
static const struct {
	size_t n, k, m;
} sizes[] = {{1, 1, 1}, {3, 2, 4}, {32, 128, 10}, {MAX_N, MAX_K, 10}, {65, 129, MAX_M}};

static void assert_sum(double got, double want, const char *what, size_t i)
{
	ck_assert_msg(fabs(got - want) <= 1e-4, "%s, number %zu: %.9g, want %.9g", what, i, got,
		      want);
}

START_TEST(matrix_products_are_their_sums)
{
	static float x[MAX_N * (MAX_K + 3)], a[MAX_K * MAX_M], d[MAX_N * MAX_M], out[MAX_N * MAX_M],
	    grad[MAX_K * MAX_M];
	size_t n = sizes[_i].n, k = sizes[_i].k, m = sizes[_i].m, ldx = k + 3;
	struct rng rng;

	rng_init(&rng, 3);
	fill(&rng, x, LENGTH(x));
	fill(&rng, a, LENGTH(a));
	fill(&rng, d, LENGTH(d));
	out[0] = grad[0] = NAN; /* not read */
	linalg_matmul(x, ldx, n, k, a, m, out);
	linalg_matmul_transposed(x, ldx, n, k, d, m, grad);
	for (size_t i = 0; i < n * m; i++) {
		double sum = 0;

		for (size_t j = 0; j < k; j++)
			sum += (double)x[i / m * ldx + j] * a[j * m + i % m];
		assert_sum(out[i], sum, "x a", i);
	}
	for (size_t i = 0; i < k * m; i++) {
		double sum = 0;

		for (size_t j = 0; j < n; j++)
			sum += (double)x[j * ldx + i / m] * d[j * m + i % m];
		assert_sum(grad[i], sum, "x^T d", i);
	}
}
END_TEST

/* ---- linalg_dot ---- */

START_TEST(dot_sums_in_double)
{
	/* in float the 1 would vanish beside 1e8 */
	const float x[] = {1e8f, 1, -1e8f}, y[] = {1, 1, 1};

	ck_assert_double_eq(linalg_dot(x, y, 3), 1);
	ck_assert_double_eq(linalg_dot(x, y, 0), 0);
}
END_TEST

/* ---- linalg_cosine ---- */

START_TEST(cosine_by_hand)
{
	static const struct {
		float x[2], y[2];
		double want;
	} cases[] = {
	    {{1, 0}, {0, 3}, 0},	 {{1, 1}, {2, 2}, 1},
	    {{1, 1}, {-4, -4}, -1},	 {{1, 0}, {1, 1}, M_SQRT1_2},
	    {{0, 0}, {1, 1}, 0},	 {{0, 0}, {0, 0}, 0},
	    {{1e30f, 0}, {1e30f, 0}, 1}, {{1e-30f, 1e-30f}, {1e-30f, 1e-30f}, 1},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		double got = linalg_cosine(cases[i].x, cases[i].y, 2);

		ck_assert_msg(fabs(got - cases[i].want) <= 1e-12, "case %zu: %g", i, got);
	}
}
END_TEST

/* ---- linalg_set_threads, linalg_version ---- */

START_TEST(one_and_two_threads_give_the_same_product)
{
	static float x[4096], a[4096 * 16], one[16], two[16];
	struct rng rng;

	rng_init(&rng, 8);
	fill(&rng, x, LENGTH(x));
	fill(&rng, a, LENGTH(a));
	linalg_set_threads(1);
	linalg_vecmat(x, a, LENGTH(x), 16, one);
	linalg_set_threads(2);
	linalg_vecmat(x, a, LENGTH(x), 16, two);
	for (size_t i = 0; i < 16; i++)
		ck_assert_double_eq_tol(one[i], two[i], 1e-3);
}
END_TEST

START_TEST(version_names_the_library)
{
	ck_assert_ptr_nonnull(linalg_version());
	ck_assert_int_ne(linalg_version()[0], '\0');
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("linalg");
	TCase *tcase = tcase_create("linalg");

	tcase_add_test(tcase, vecmat_by_hand);
	tcase_add_loop_test(tcase, matrix_products_are_their_sums, 0, (int)LENGTH(sizes));
	tcase_add_test(tcase, dot_sums_in_double);
	tcase_add_test(tcase, cosine_by_hand);
	tcase_add_test(tcase, one_and_two_threads_give_the_same_product);
	tcase_add_test(tcase, version_names_the_library);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
