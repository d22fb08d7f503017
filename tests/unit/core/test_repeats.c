/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/diagnose/repeats.h"
#include "tests/unit/unit.h"

#define MAX_JUDGEMENTS 16
#define NOBODY	       DATASET_NONE

/* Judgements without texts: repeats look at numbers of rows only. */
struct judged {
	uint32_t chosen[MAX_JUDGEMENTS], rejected[MAX_JUDGEMENTS];
	uint32_t prompt[MAX_JUDGEMENTS], user[MAX_JUDGEMENTS];
	struct dataset dataset;
};

static void start(struct judged *j, size_t n_users)
{
	*j = (struct judged){.dataset = {.n_users = n_users}};
	j->dataset.chosen = j->chosen;
	j->dataset.rejected = j->rejected;
	j->dataset.prompt = j->prompt;
	j->dataset.user = j->user;
}

static void judge(struct judged *j, uint32_t user, uint32_t prompt, uint32_t chosen,
		  uint32_t rejected)
{
	size_t i = j->dataset.n_pairs++;

	j->user[i] = user;
	j->prompt[i] = prompt;
	j->chosen[i] = chosen;
	j->rejected[i] = rejected;
}

static struct repeats measure(const struct judged *j)
{
	struct repeats repeats;

	ck_assert(repeats_measure(&j->dataset, &repeats, NULL) == STATUS_OK);
	return repeats;
}

START_TEST(pairs_are_the_same_in_either_order)
{
	struct judged j;
	struct repeats r;

	start(&j, 3);
	judge(&j, 0, 0, 5, 7);
	judge(&j, 1, 0, 7, 5); /* the other way */
	judge(&j, 2, 0, 5, 7);
	judge(&j, 0, 1, 5, 7); /* another prompt */
	judge(&j, 1, 1, 5, 7);
	judge(&j, 0, 0, 5, 8); /* another response */
	judge(&j, 2, 0, 9, 9); /* nothing was judged */
	r = measure(&j);
	ck_assert_int_eq(r.state, REPEATS_FOUND);
	ck_assert_uint_eq(r.n_distinct, 3);
	ck_assert_uint_eq(r.n_shared, 2);
	ck_assert_uint_eq(r.n_judgements, 5);
	ck_assert_uint_eq(r.n_both_ways, 1);
	ck_assert_uint_eq(r.n_ties, 1);
	ck_assert_uint_eq(r.n_same_person, 0);
	/* two of three couples differ about the one, none about the other */
	ck_assert_double_eq_tol(r.between.mean, (2.0 / 3 + 0) / 2, 1e-15);
	ck_assert_double_eq_tol(r.loss_bound.mean, 2 * M_LN2 / 3, 1e-15);
	ck_assert_uint_eq(r.within.n_clusters, 0);
}
END_TEST

/* All 2^5 outcomes of five judgements of three people about a pair, by their probability. */
START_TEST(both_estimators_are_unbiased)
{
	static const double prefers[] = {0.9, 0.3, 0.6};
	static const uint32_t judges[] = {0, 0, 1, 2, 2};
	double between = 0, within = 0, want_between = 0, want_within = 0;

	for (unsigned outcome = 0; outcome < 32; outcome++) {
		double probability = 1;
		struct judged j;
		struct repeats r;

		start(&j, 3);
		for (unsigned i = 0; i < 5; i++) {
			bool first = outcome >> i & 1;
			double p = prefers[judges[i]];

			judge(&j, judges[i], 0, first ? 0 : 1, first ? 1 : 0);
			probability *= first ? p : 1 - p;
		}
		r = measure(&j);
		between += probability * r.between.mean;
		within += probability * r.within.mean;
	}
	/* couples of judgements of two people: 2 x 1, 2 x 2 and 1 x 2 of 8 */
	for (size_t u = 0; u < 3; u++) {
		for (size_t v = u + 1; v < 3; v++) {
			double n = u == 0 && v == 2 ? 4 : 2;

			want_between +=
			    n / 8 * (prefers[u] * (1 - prefers[v]) + prefers[v] * (1 - prefers[u]));
		}
	}
	want_within = (2 * 0.9 * 0.1 + 2 * 0.6 * 0.4) / 2; /* two people judged twice */
	ck_assert_double_eq_tol(between, want_between, 1e-12);
	ck_assert_double_eq_tol(within, want_within, 1e-12);
}
END_TEST

/* Four pairs, judged by people of their own: clusters are the pairs alone. */
START_TEST(standard_error_of_separate_people_is_by_pair)
{
	struct judged j;
	struct repeats r;

	start(&j, 8);
	for (uint32_t i = 0; i < 4; i++) {
		judge(&j, 2 * i, i, 0, 1);
		judge(&j, 2 * i + 1, i, i == 0, i != 0); /* only the first two differ */
	}
	r = measure(&j);
	ck_assert_double_eq_tol(r.between.mean, 0.25, 1e-15);
	/* residuals 3/4 once and -1/4 three times: 3/4 in squares, over 4^2 */
	ck_assert_double_eq_tol(r.between.se, sqrt(0.75) / 4, 1e-12);
	ck_assert(r.between.low > 0 && r.between.low < 0.1 && r.between.high < 1);
}
END_TEST

/* Two couples judge two pairs each: their errors come together, V_user - V_cell = 4 - 2. */
START_TEST(standard_error_counts_people_who_judge_much)
{
	struct judged shared;
	struct repeats r;

	start(&shared, 4);
	for (uint32_t i = 0; i < 4; i++) {
		bool differ = i < 2;

		judge(&shared, differ ? 0 : 2, i, 0, 1);
		judge(&shared, differ ? 1 : 3, i, differ, !differ);
	}
	r = measure(&shared);
	ck_assert_double_eq(r.between.mean, 0.5);
	/* by pair 4 residuals of 1/2; by person 4 of 1; by cell 8 of 1/2 */
	ck_assert_double_eq_tol(r.between.se, sqrt(1 + 4 - 2) / 4, 1e-12);
}
END_TEST

START_TEST(without_users_or_repeats_nothing_is_estimated)
{
	struct judged j;
	struct repeats r;

	start(&j, 0);
	judge(&j, NOBODY, 0, 0, 1);
	judge(&j, NOBODY, 0, 1, 0);
	r = measure(&j);
	ck_assert_int_eq(r.state, REPEATS_NO_USERS);
	ck_assert_uint_eq(r.n_distinct, 1);
	ck_assert_uint_eq(r.between.n_clusters, 0);

	start(&j, 2);
	judge(&j, 0, 0, 0, 1);
	judge(&j, NOBODY, 0, 1, 0); /* may be the same person */
	judge(&j, 1, 1, 0, 1);
	r = measure(&j);
	ck_assert_int_eq(r.state, REPEATS_NONE);
	ck_assert_uint_eq(r.n_shared, 0);
	ck_assert_double_eq(r.between.mean, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("repeats");
	TCase *tcase = tcase_create("repeats");

	tcase_add_test(tcase, pairs_are_the_same_in_either_order);
	tcase_add_test(tcase, both_estimators_are_unbiased);
	tcase_add_test(tcase, standard_error_of_separate_people_is_by_pair);
	tcase_add_test(tcase, standard_error_counts_people_who_judge_much);
	tcase_add_test(tcase, without_users_or_repeats_nothing_is_estimated);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
