/* SPDX-License-Identifier: Apache-2.0 */
#include "core/eval/redundancy.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/unit.h"

#define N_PAIRS 4
#define K	5

/* Heads 0 and 3 say nearly the same, 1 and 4 too and are even closer, 2 stands alone. */
static float values[K * N_PAIRS] = {
    2,	  1, -1, 1,    /* head 0 */
    -2,	  1, -1, 1,    /* head 1 */
    0.1f, 3, 3,	 0,    /* head 2 */
    2.2f, 1, -1, 0.8f, /* head 3 */
    -2,	  1, -1, 1.1f, /* head 4 */
};
static double usage[K] = {0.1, 0.2, 0.2, 0.3, 0.2};
static const struct head_margins margins = {K, N_PAIRS, values, usage};
static bool mask[K];
static struct head_merge merge;

static void find(double threshold)
{
	struct err err;

	ck_assert_msg(redundancy_find(&margins, mask, threshold, &merge, &err) == STATUS_OK, "%s",
		      err.msg);
}

static void teardown(void)
{
	head_merge_free(&merge);
}

static void assert_groups(size_t n_groups, const size_t *group)
{
	ck_assert_uint_eq(merge.n_groups, n_groups);
	for (size_t k = 0; k < K; k++)
		ck_assert_uint_eq(merge.group[k], group[k]);
}

START_TEST(heads_that_say_the_same_share_a_group)
{
	find(0.98);
	assert_groups(3, (size_t[]){0, 1, 2, 0, 1});
	ck_assert_double_eq_tol(merge.share[0], 0.25, 1e-12);
	ck_assert_double_eq_tol(merge.share[3], 0.75, 1e-12);
	ck_assert_double_eq_tol(merge.share[1], 0.5, 1e-12);
	ck_assert_double_eq(merge.share[2], 1);
}
END_TEST

START_TEST(the_most_alike_go_first)
{
	find(0.999);
	assert_groups(4, (size_t[]){0, 1, 2, 3, 1});
}
END_TEST

START_TEST(nothing_above_the_threshold_is_no_merge)
{
	find(1);
	assert_groups(K, (size_t[]){0, 1, 2, 3, 4});
}
END_TEST

START_TEST(masked_heads_stay_alone)
{
	mask[3] = true;
	find(0.98);
	assert_groups(4, (size_t[]){0, 1, 2, 3, 1});
	ck_assert_double_eq(merge.share[3], 1);
}
END_TEST

START_TEST(heads_that_are_never_used_share_equally)
{
	usage[1] = usage[4] = 0;
	find(0.98);
	ck_assert_double_eq_tol(merge.share[1], 0.5, 1e-12);
	ck_assert_double_eq_tol(merge.share[4], 0.5, 1e-12);
}
END_TEST

/* Head 1 lies between 0 and 2, which are apart: it joins the one that it is more like. */
START_TEST(every_two_heads_of_a_group_are_alike)
{
	float chain[3 * 2] = {1, 0, 0.9f, 0.5f, 0.4f, 0.9f}; /* 0-1: 0.86, 1-2: 0.81, 0-2: 0.43 */
	double equal[3] = {1.0 / 3, 1.0 / 3, 1.0 / 3};
	const struct head_margins few = {3, 2, chain, equal};
	const bool none[3] = {false};

	ck_assert_int_eq(redundancy_find(&few, none, 0.8, &merge, NULL), STATUS_OK);
	ck_assert_uint_eq(merge.n_groups, 2);
	ck_assert_uint_eq(merge.group[1], 0);
	ck_assert_uint_eq(merge.group[2], 1);
	head_merge_free(&merge);
	ck_assert_int_eq(redundancy_find(&few, none, 0.4, &merge, NULL), STATUS_OK);
	ck_assert_uint_eq(merge.n_groups, 1);
	for (size_t k = 0; k < 3; k++)
		ck_assert_double_eq_tol(merge.share[k], 1.0 / 3, 1e-12);
}
END_TEST

START_TEST(threshold_zero_keeps_heads_that_contradict)
{
	float opposed[2 * 2] = {1, 2, -1, -2};
	double equal[2] = {0.5, 0.5};
	const struct head_margins two = {2, 2, opposed, equal};

	ck_assert_int_eq(redundancy_find(&two, mask, 0, &merge, NULL), STATUS_OK);
	ck_assert_uint_eq(merge.n_groups, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redundancy");
	TCase *tcase = tcase_create("redundancy_find");

	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_test(tcase, heads_that_say_the_same_share_a_group);
	tcase_add_test(tcase, the_most_alike_go_first);
	tcase_add_test(tcase, nothing_above_the_threshold_is_no_merge);
	tcase_add_test(tcase, masked_heads_stay_alone);
	tcase_add_test(tcase, heads_that_are_never_used_share_equally);
	tcase_add_test(tcase, every_two_heads_of_a_group_are_alike);
	tcase_add_test(tcase, threshold_zero_keeps_heads_that_contradict);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
