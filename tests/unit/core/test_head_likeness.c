/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/tool/head_likeness.h"
#include "tests/unit/unit.h"

#define DIM 2

/* Heads at these angles, all of length 1 + k. */
static void make_heads(const double *degrees, size_t n_heads, struct heads *heads)
{
	ck_assert_int_eq(heads_init(heads, n_heads, DIM, NULL), STATUS_OK);
	for (size_t k = 0; k < n_heads; k++) {
		double angle = degrees[k] * M_PI / 180;

		heads->weight[k] = (float)((double)(1 + k) * cos(angle));
		heads->weight[n_heads + k] = (float)((double)(1 + k) * sin(angle));
	}
}

static void assert_pair(const struct head_pair *pair, size_t a, size_t b, double degrees)
{
	ck_assert_uint_eq(pair->a, a);
	ck_assert_uint_eq(pair->b, b);
	ck_assert_double_eq_tol(pair->cosine, cos(degrees * M_PI / 180), 1e-6);
}

START_TEST(pairs_are_ordered_from_the_most_alike)
{
	static const double degrees[] = {0, 90, 30};
	struct head_likeness likeness;
	struct heads heads;

	make_heads(degrees, 3, &heads);
	ck_assert_int_eq(head_likeness_init(&likeness, &heads, NULL), STATUS_OK);
	ck_assert_uint_eq(likeness.n_heads, 3);
	ck_assert_uint_eq(likeness.n_pairs, 3);
	assert_pair(&likeness.pairs[0], 0, 2, 30);
	assert_pair(&likeness.pairs[1], 1, 2, 60);
	assert_pair(&likeness.pairs[2], 0, 1, 90);
	ck_assert_double_eq_tol(likeness.max, cos(M_PI / 6), 1e-6);
	ck_assert_double_eq_tol(likeness.mean, (cos(M_PI / 6) + 0.5) / 3, 1e-6);
	ck_assert_double_eq_tol(likeness.cosine[3 * 1 + 2], 0.5, 1e-6);
	head_likeness_free(&likeness);
	heads_free(&heads);
}
END_TEST

/* 2k degrees: the pairs (k, k+1) grow less alike with k, and all of them beat (k, k+2). */
START_TEST(list_keeps_only_the_most_alike_of_many)
{
	double degrees[20];
	struct head_likeness likeness;
	struct heads heads;

	for (size_t k = 0; k < 20; k++)
		degrees[k] = 2 * (double)k + 0.01 * (double)(k * k);
	make_heads(degrees, 20, &heads);
	ck_assert_int_eq(head_likeness_init(&likeness, &heads, NULL), STATUS_OK);
	ck_assert_uint_eq(likeness.n_pairs, LIKENESS_MAX_PAIRS);
	for (size_t i = 0; i < LIKENESS_MAX_PAIRS; i++)
		assert_pair(&likeness.pairs[i], i, i + 1, degrees[i + 1] - degrees[i]);
	head_likeness_free(&likeness);
	heads_free(&heads);
}
END_TEST

START_TEST(single_head_has_no_pairs)
{
	static const double degrees[] = {45};
	struct head_likeness likeness;
	struct heads heads;

	make_heads(degrees, 1, &heads);
	ck_assert_int_eq(head_likeness_init(&likeness, &heads, NULL), STATUS_OK);
	ck_assert_uint_eq(likeness.n_pairs, 0);
	ck_assert(likeness.mean == 0 && likeness.max == 0);
	head_likeness_free(&likeness);
	heads_free(&heads);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("head_likeness");
	TCase *tcase = tcase_create("head_likeness");

	tcase_add_test(tcase, pairs_are_ordered_from_the_most_alike);
	tcase_add_test(tcase, list_keeps_only_the_most_alike_of_many);
	tcase_add_test(tcase, single_head_has_no_pairs);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
