/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/eval/tally.h"
#include "tests/unit/unit.h"

START_TEST(scores_are_means_and_a_tie_is_half_right)
{
	struct tally tally = {0};
	struct eval_score score;

	tally_add(&tally, log(0.75));
	tally_add(&tally, log(0.5));
	tally_add(&tally, log(0.25));
	tally_add(&tally, log(0.125));
	score = tally_score(&tally);
	ck_assert_uint_eq(score.n_pairs, 4);
	ck_assert_double_eq(score.accuracy, 1.5 / 4);
	ck_assert_double_eq_tol(score.nll, -(log(0.75) + 6 * log(0.5)) / 4, 1e-15);
}
END_TEST

START_TEST(empty_tally_has_zeros)
{
	struct tally tally = {0};
	struct eval_score score = tally_score(&tally);

	ck_assert_uint_eq(score.n_pairs, 0);
	ck_assert_double_eq(score.accuracy, 0);
	ck_assert_double_eq(score.nll, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tally");
	TCase *tcase = tcase_create("tally");

	tcase_add_test(tcase, scores_are_means_and_a_tie_is_half_right);
	tcase_add_test(tcase, empty_tally_has_zeros);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
