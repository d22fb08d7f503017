/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/diagnose/estimate.h"
#include "tests/unit/unit.h"

START_TEST(counts_of_one_make_the_plain_mean)
{
	const double sum[] = {1, 2, 3, 6}, count[] = {1, 1, 1, 1};
	struct estimate e = estimate_ratio(sum, count, 4);

	ck_assert_double_eq_tol(e.mean, 3, 1e-15);
	/* variance (4 + 1 + 0 + 9) / 3, of the mean / 4 */
	ck_assert_double_eq_tol(e.se, sqrt(14.0 / 12), 1e-15);
	ck_assert_uint_eq(e.n_clusters, 4);
}
END_TEST

START_TEST(ratio_counts_clusters_not_terms)
{
	/* 2 of 4 and 1 of 1: 3/5; residuals 2 - 4 * 0.6 = -0.4 and 1 - 0.6 = 0.4 */
	const double sum[] = {2, 0, 1}, count[] = {4, 0, 1};
	struct estimate e = estimate_ratio(sum, count, 3);

	ck_assert_double_eq_tol(e.mean, 0.6, 1e-15);
	ck_assert_double_eq_tol(e.se, sqrt(2 * 0.32 / 25), 1e-15);
	ck_assert_uint_eq(e.n_clusters, 2);
}
END_TEST

START_TEST(interval_is_students)
{
	static const struct {
		size_t n;
		double quantile; /* 97.5 % of t with n - 1 degrees of freedom, from tables */
	} rows[] = {{6, 2.5706}, {10, 2.2622}, {31, 2.0423}, {1000001, 1.9600}};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct estimate e = estimate_from(1, 4, rows[i].n);

		ck_assert_double_eq_tol(e.high - e.mean, 2 * rows[i].quantile, 6e-3);
		ck_assert_double_eq_tol(e.mean - e.low, e.high - e.mean, 1e-12);
	}
}
END_TEST

START_TEST(a_shares_interval_is_wilsons)
{
	static const struct {
		double mean;
		size_t n;
		double low, high; /* from tables of Wilson's interval */
	} rows[] = {{0, 2, 0, 0.6576}, {1, 10, 0.7225, 1}, {0, 1, 0, 0.7935}, {0.5, 4, 0.15, 0.85}};
	struct estimate many = estimate_share(0.25, 0.25 * 0.75 / 1e6, 1000000);

	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct estimate e = estimate_share(rows[i].mean, 0, rows[i].n);

		ck_assert_double_eq_tol(e.low, rows[i].low, 1e-4);
		ck_assert_double_eq_tol(e.high, rows[i].high, 1e-4);
		ck_assert_uint_eq(e.n_clusters, rows[i].n);
	}
	ck_assert_double_eq_tol(many.low, 0.25 - 1.95996 * many.se, 1e-6);
	ck_assert_double_eq_tol(many.high, 0.25 + 1.95996 * many.se, 1e-6);
	ck_assert_double_eq(estimate_share(0, 0, 0).high, 0);
}
END_TEST

START_TEST(nothing_and_one_cluster_are_finite)
{
	const double sum[] = {3}, count[] = {4};
	struct estimate none = estimate_ratio(NULL, NULL, 0), one = estimate_ratio(sum, count, 1);

	ck_assert_uint_eq(none.n_clusters, 0);
	ck_assert_double_eq(none.mean, 0);
	ck_assert_uint_eq(one.n_clusters, 1);
	ck_assert_double_eq(one.mean, 0.75);
	ck_assert_double_eq(one.se, 0);
	ck_assert_double_eq(one.high, 0.75);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("estimate");
	TCase *tcase = tcase_create("estimate");

	tcase_add_test(tcase, counts_of_one_make_the_plain_mean);
	tcase_add_test(tcase, ratio_counts_clusters_not_terms);
	tcase_add_test(tcase, interval_is_students);
	tcase_add_test(tcase, a_shares_interval_is_wilsons);
	tcase_add_test(tcase, nothing_and_one_cluster_are_finite);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
