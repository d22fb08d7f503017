/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/base/rng.h"
#include "tests/unit/core/golden_fixture.h"
#include "tests/unit/unit.h"

#define N_DRAWS 200000

/* ---- rng_init, rng_next, rng_uniform ---- */

START_TEST(next_follows_the_published_generator)
{
	/* the first outputs of xoshiro256** from state 1, 2, 3, 4 */
	static const uint64_t want[] = {11520, 0, 1509978240, 1215971899390074240,
					1216172134540287360};
	struct rng rng = {{1, 2, 3, 4}};

	for (size_t i = 0; i < LENGTH(want); i++)
		ck_assert_uint_eq(rng_next(&rng), want[i]);
}
END_TEST

START_TEST(seeds_give_the_golden_streams)
{
	json_t *root = golden_open(TESTS_DIR "/golden/model.json");
	const json_t *item;
	size_t i, j;

	json_array_foreach(golden_get(root, "rng"), i, item)
	{
		const char *seed = json_string_value(golden_get(item, "seed"));
		const json_t *next = golden_get(item, "next");
		double uniform[8];
		struct rng rng, again;

		rng_init(&rng, strtoull(seed, NULL, 10));
		again = rng;
		golden_doubles(golden_get(item, "uniform"), uniform, LENGTH(uniform));
		for (j = 0; j < LENGTH(uniform); j++) {
			char text[24];

			snprintf(text, sizeof(text), "%" PRIu64, rng_next(&rng));
			ck_assert_msg(strcmp(text, json_string_value(json_array_get(next, j))) == 0,
				      "seed %s, number %zu: %s", seed, j, text);
			ck_assert_double_eq(rng_uniform(&again), uniform[j]);
		}
	}
	json_decref(root);
}
END_TEST

START_TEST(uniform_stays_in_the_unit_interval)
{
	struct rng rng;
	double sum = 0;

	rng_init(&rng, 1);
	for (size_t i = 0; i < N_DRAWS; i++) {
		double x = rng_uniform(&rng);

		ck_assert(x >= 0 && x < 1);
		sum += x;
	}
	ck_assert_double_eq_tol(sum / N_DRAWS, 0.5, 0.005);
}
END_TEST

/* ---- rng_below ---- */

START_TEST(below_is_uniform)
{
	size_t count[7] = {0};
	struct rng rng;

	rng_init(&rng, 2);
	for (size_t i = 0; i < N_DRAWS; i++) {
		uint64_t x = rng_below(&rng, LENGTH(count));

		ck_assert_uint_lt(x, LENGTH(count));
		count[x]++;
	}
	for (size_t i = 0; i < LENGTH(count); i++)
		ck_assert_double_eq_tol((double)count[i] / N_DRAWS, 1.0 / LENGTH(count), 0.005);
}
END_TEST

START_TEST(below_one_is_zero_and_large_bounds_hold)
{
	struct rng rng;

	rng_init(&rng, 3);
	for (size_t i = 0; i < 100; i++) {
		ck_assert_uint_eq(rng_below(&rng, 1), 0);
		ck_assert_uint_lt(rng_below(&rng, UINT64_MAX), UINT64_MAX);
		ck_assert_uint_lt(rng_below(&rng, (UINT64_MAX >> 1) + 2), (UINT64_MAX >> 1) + 2);
	}
}
END_TEST

/* ---- rng_normal ---- */

START_TEST(normal_has_the_moments_of_the_normal_law)
{
	double moment[5] = {0};
	struct rng rng;

	rng_init(&rng, 4);
	for (size_t i = 0; i < N_DRAWS; i++) {
		double x = rng_normal(&rng);

		ck_assert(isfinite(x));
		for (int p = 1; p < 5; p++)
			moment[p] += pow(x, p) / N_DRAWS;
	}
	ck_assert_double_eq_tol(moment[1], 0, 0.02);
	ck_assert_double_eq_tol(moment[2], 1, 0.02);
	ck_assert_double_eq_tol(moment[3], 0, 0.05);
	ck_assert_double_eq_tol(moment[4], 3, 0.1);
}
END_TEST

/* ---- rng_shuffle ---- */

START_TEST(shuffle_permutes)
{
	uint32_t items[100];
	bool seen[100] = {false};
	size_t n_fixed = 0;
	struct rng rng;

	rng_init(&rng, 5);
	for (uint32_t i = 0; i < 100; i++)
		items[i] = i;
	rng_shuffle(&rng, items, 100);
	for (uint32_t i = 0; i < 100; i++) {
		ck_assert(!seen[items[i]]);
		seen[items[i]] = true;
		n_fixed += items[i] == i;
	}
	ck_assert_uint_lt(n_fixed, 10);
	rng_shuffle(&rng, items, 1);
	rng_shuffle(&rng, items, 0);
}
END_TEST

START_TEST(shuffle_gives_each_order_equally_often)
{
	size_t count[6] = {0};
	struct rng rng;

	rng_init(&rng, 6);
	for (size_t i = 0; i < 60000; i++) {
		uint32_t x[3] = {0, 1, 2};

		rng_shuffle(&rng, x, 3);
		count[x[0] * 2 + (x[1] > x[2])]++;
	}
	for (size_t i = 0; i < LENGTH(count); i++)
		ck_assert_msg(count[i] > 9600 && count[i] < 10400, "order %zu: %zu", i, count[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rng");
	TCase *tcase = tcase_create("rng");

	tcase_add_test(tcase, next_follows_the_published_generator);
	tcase_add_test(tcase, seeds_give_the_golden_streams);
	tcase_add_test(tcase, uniform_stays_in_the_unit_interval);
	tcase_add_test(tcase, below_is_uniform);
	tcase_add_test(tcase, below_one_is_zero_and_large_bounds_hold);
	tcase_add_test(tcase, normal_has_the_moments_of_the_normal_law);
	tcase_add_test(tcase, shuffle_permutes);
	tcase_add_test(tcase, shuffle_gives_each_order_equally_often);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
