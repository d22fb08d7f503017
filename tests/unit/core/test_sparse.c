/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/math/sparse_impl.h"
#include "tests/unit/unit.h"

#define DIM	 40
#define MOST_OUT 300

static struct rng rng;
static uint32_t index_of[DIM];
static float value[DIM];
static float *a; /* exactly as long as it is said to be: ASan looks at the end */

static void set_up(size_t n_out)
{
	a = mem_array(DIM * n_out, sizeof(*a));
	ck_assert_ptr_nonnull(a);
	for (size_t i = 0; i < DIM * n_out; i++)
		a[i] = (float)rng_normal(&rng);
}

/* About one in three rows, and the last. */
static size_t choose_rows(void)
{
	size_t n = 0;

	for (uint32_t d = 0; d < DIM; d++) {
		if (d + 1 < DIM && rng_below(&rng, 3) != 0)
			continue;
		index_of[n] = d;
		value[n++] = (float)rng_normal(&rng);
	}
	return n;
}

static void by_definition(size_t n, size_t n_out, float *out)
{
	for (size_t o = 0; o < n_out; o++) {
		out[o] = 0;
		for (size_t j = 0; j < n; j++)
			out[o] += value[j] * a[index_of[j] * n_out + o];
	}
}

static void check(enum simd simd, size_t n, size_t n_out)
{
	float got[MOST_OUT + 1], want[MOST_OUT];

	got[n_out] = 42;
	sparse_times_by(simd, index_of, value, n, a, DIM, n_out, got);
	by_definition(n, n_out, want);
	ck_assert_msg(memcmp(got, want, n_out * sizeof(*got)) == 0, "instructions %d, %zu outputs",
		      (int)simd, n_out);
	ck_assert_float_eq(got[n_out], 42);
}

START_TEST(each_kind_is_the_definition_to_the_last_bit)
{
	rng_init(&rng, 3);
	for (size_t n_out = 1; n_out <= MOST_OUT; n_out += 1 + n_out / 9) {
		set_up(n_out);
		for (enum simd simd = SIMD_PORTABLE; simd < N_SIMD; simd++) {
			if (simd_runs(simd))
				check(simd, choose_rows(), n_out);
		}
		mem_free(a);
	}
}
END_TEST

START_TEST(nothing_gives_zeros)
{
	float out[] = {1, 2, 3};

	rng_init(&rng, 4);
	set_up(3);
	sparse_times(index_of, value, 0, a, DIM, 3, out);
	for (size_t o = 0; o < LENGTH(out); o++)
		ck_assert_float_eq(out[o], 0);
	mem_free(a);
}
END_TEST

/* Another row's infinities are none of ours. */
START_TEST(rows_that_are_not_asked_for_do_not_count)
{
	float out[3];

	rng_init(&rng, 5);
	set_up(3);
	for (size_t i = 3; i < DIM * 3; i++)
		a[i] = INFINITY;
	index_of[0] = 0;
	value[0] = 2;
	sparse_times(index_of, value, 1, a, DIM, 3, out);
	for (size_t o = 0; o < LENGTH(out); o++)
		ck_assert_float_eq(out[o], 2 * a[o]);
	mem_free(a);
}
END_TEST

START_TEST(portable_kind_always_runs)
{
	ck_assert(simd_runs(SIMD_PORTABLE));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sparse");
	TCase *tcase = tcase_create("times");

	tcase_add_test(tcase, each_kind_is_the_definition_to_the_last_bit);
	tcase_add_test(tcase, nothing_gives_zeros);
	tcase_add_test(tcase, rows_that_are_not_asked_for_do_not_count);
	tcase_add_test(tcase, portable_kind_always_runs);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
