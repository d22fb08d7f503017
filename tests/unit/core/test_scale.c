/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/base/rng.h"
#include "core/report/scale.h"
#include "tests/unit/unit.h"

/* ---- ticks ---- */

static const struct {
	double low, high;
	size_t n_wanted;
	struct ticks want;
} tick_cases[] = {
    {0, 1, 6, {0, 0.2, 6, 1}},		 {74.1, 84.9, 8, {74, 2, 7, 0}},
    {0.37, 0.53, 6, {0.35, 0.05, 5, 2}}, {0, 100, 6, {0, 20, 6, 0}},
    {50, 90.4, 6, {50, 10, 6, 0}},	 {-3, 4, 5, {-4, 2, 5, 0}},
    {0, 999, 3, {0, 500, 3, 0}},
};

START_TEST(ticks_are_round_and_enclose)
{
	struct ticks want = tick_cases[_i].want;
	struct ticks got =
	    ticks_around(tick_cases[_i].low, tick_cases[_i].high, tick_cases[_i].n_wanted);

	ck_assert_double_eq_tol(got.first, want.first, 1e-12);
	ck_assert_double_eq_tol(got.step, want.step, 1e-12);
	ck_assert_uint_eq(got.n, want.n);
	ck_assert_int_eq(got.decimals, want.decimals);
}
END_TEST

START_TEST(ticks_of_any_range_enclose_it_and_are_few)
{
	struct rng rng;

	rng_init(&rng, 1);
	for (int i = 0; i < 10000; i++) {
		double low = rng_normal(&rng) * exp2(30 * rng_uniform(&rng) - 10);
		double high = low + fabs(low) * exp2(-20 * rng_uniform(&rng));
		struct ticks ticks = ticks_around(low, high, 6);
		double slack = ticks.step * 1e-6;

		ck_assert_double_le(ticks_at(&ticks, 0), low + slack);
		ck_assert_double_ge(ticks_at(&ticks, ticks.n - 1), high - slack);
		ck_assert_uint_ge(ticks.n, 2);
		ck_assert_uint_le(ticks.n, 7);
	}
}
END_TEST

START_TEST(ticks_of_one_value_are_two_that_differ)
{
	static const double values[] = {0, 76.8, 1e9, -0.5};

	for (size_t i = 0; i < LENGTH(values); i++) {
		struct ticks ticks = ticks_around(values[i], values[i], 6);

		ck_assert_uint_ge(ticks.n, 2);
		ck_assert_double_lt(ticks_at(&ticks, 0), ticks_at(&ticks, ticks.n - 1));
		ck_assert_double_le(ticks_at(&ticks, 0), values[i]);
		ck_assert_double_ge(ticks_at(&ticks, ticks.n - 1), values[i]);
	}
}
END_TEST

/* ---- places ---- */

START_TEST(places_follow_the_scale)
{
	struct scale linear = {0, 10, 100, 200, false}, down = {0, 10, 200, 100, false};
	struct scale doubling = {0, 7, 0, 3, true}, single = {4, 4, 0, 10, true};

	ck_assert_double_eq_tol(scale_place(&linear, 2.5), 125, 1e-12);
	ck_assert_double_eq_tol(scale_place(&down, 2.5), 175, 1e-12);
	ck_assert_double_eq_tol(scale_place(&doubling, 1), 1, 1e-12);
	ck_assert_double_eq_tol(scale_place(&doubling, 3), 2, 1e-12);
	ck_assert_double_eq_tol(scale_place(&single, 4), 5, 1e-12);
}
END_TEST

START_TEST(labels_with_room_stay_where_they_are)
{
	const double wanted[] = {10, 30, 90};
	double places[3];

	scale_keep_apart(wanted, 3, 15, 0, 100, places);
	for (size_t i = 0; i < 3; i++)
		ck_assert_double_eq_tol(places[i], wanted[i], 1e-12);
}
END_TEST

START_TEST(labels_that_collide_spread_around_their_middle)
{
	const double wanted[] = {50, 50, 50, 90};
	double places[4];

	scale_keep_apart(wanted, 4, 10, 0, 100, places);
	ck_assert_double_eq_tol(places[0], 40, 1e-12);
	ck_assert_double_eq_tol(places[1], 50, 1e-12);
	ck_assert_double_eq_tol(places[2], 60, 1e-12);
	ck_assert_double_eq_tol(places[3], 90, 1e-12);
}
END_TEST

START_TEST(labels_at_an_edge_stay_inside)
{
	const double low[] = {0, 1, 2}, high[] = {98, 99, 100};
	double places[3];

	scale_keep_apart(low, 3, 15, 0, 100, places);
	ck_assert_double_eq_tol(places[0], 0, 1e-12);
	ck_assert_double_eq_tol(places[2], 30, 1e-12);
	scale_keep_apart(high, 3, 15, 0, 100, places);
	ck_assert_double_eq_tol(places[0], 70, 1e-12);
	ck_assert_double_eq_tol(places[2], 100, 1e-12);
}
END_TEST

START_TEST(any_labels_keep_apart_in_order_and_inside)
{
	enum { N = 10 };
	struct rng rng;

	rng_init(&rng, 2);
	for (int trial = 0; trial < 2000; trial++) {
		double wanted[N], places[N];

		wanted[0] = 40 * rng_uniform(&rng);
		for (size_t i = 1; i < N; i++)
			wanted[i] = wanted[i - 1] + 14 * rng_uniform(&rng) * rng_uniform(&rng);
		scale_keep_apart(wanted, N, 15, 0, 200, places);
		ck_assert_double_ge(places[0], -1e-9);
		ck_assert_double_le(places[N - 1], 200 + 1e-9);
		for (size_t i = 1; i < N; i++)
			ck_assert_double_ge(places[i] - places[i - 1], 15 - 1e-9);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scale");
	TCase *tcase = tcase_create("ticks");

	tcase_add_loop_test(tcase, ticks_are_round_and_enclose, 0, LENGTH(tick_cases));
	tcase_add_test(tcase, ticks_of_any_range_enclose_it_and_are_few);
	tcase_add_test(tcase, ticks_of_one_value_are_two_that_differ);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("places");
	tcase_add_test(tcase, places_follow_the_scale);
	tcase_add_test(tcase, labels_with_room_stay_where_they_are);
	tcase_add_test(tcase, labels_that_collide_spread_around_their_middle);
	tcase_add_test(tcase, labels_at_an_edge_stay_inside);
	tcase_add_test(tcase, any_labels_keep_apart_in_order_and_inside);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
