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
	tcase_add_test(tcase, dot_sums_in_double);
	tcase_add_test(tcase, cosine_by_hand);
	tcase_add_test(tcase, one_and_two_threads_give_the_same_product);
	tcase_add_test(tcase, version_names_the_library);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
