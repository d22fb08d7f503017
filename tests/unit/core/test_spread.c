/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/compare/spread.h"
#include "tests/unit/unit.h"

START_TEST(mean_and_deviation_of_a_sample)
{
	const double values[] = {2, 4, 4, 4, 5, 5, 7, 9}; /* mean 5, squares 32 */
	struct spread spread = {0, 0};

	for (size_t i = 0; i < 8; i++)
		spread_add(&spread, values[i], i + 1);
	spread_finish(&spread, 8);
	ck_assert_double_eq_tol(spread.mean, 5, 1e-15);
	ck_assert_double_eq_tol(spread.sd, sqrt(32.0 / 7), 1e-15);
}
END_TEST

START_TEST(a_single_value_does_not_deviate)
{
	struct compare_score score = {{0, 0}, {0, 0}};

	compare_score_add(&score, 0.75, 0.5, 1);
	compare_score_finish(&score, 1);
	ck_assert_double_eq(score.accuracy.mean, 0.75);
	ck_assert_double_eq(score.accuracy.sd, 0);
	ck_assert_double_eq(score.nll.mean, 0.5);
	ck_assert_double_eq(score.nll.sd, 0);
}
END_TEST

/* the naive sum of squares would lose all digits */
START_TEST(a_large_mean_hides_no_deviation)
{
	struct spread spread = {0, 0};

	spread_add(&spread, 1e9 + 1, 1);
	spread_add(&spread, 1e9 + 2, 2);
	spread_add(&spread, 1e9 + 3, 3);
	spread_finish(&spread, 3);
	ck_assert_double_eq_tol(spread.sd, 1, 1e-6);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spread");
	TCase *tcase = tcase_create("spread");

	tcase_add_test(tcase, mean_and_deviation_of_a_sample);
	tcase_add_test(tcase, a_single_value_does_not_deviate);
	tcase_add_test(tcase, a_large_mean_hides_no_deviation);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
