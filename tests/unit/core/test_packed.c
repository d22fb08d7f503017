/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/math/packed.h"
#include "tests/unit/unit.h"

#define MAX_ROWS 64
#define MAX_DIM	 300
#define MAX_OUT	 130

/* below, at and above the lanes of every kind, and the tiles */
static const size_t dims[] = {1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 48, MAX_DIM};
static const size_t n_outs[] = {1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, MAX_OUT};

static float a[MAX_DIM * MAX_OUT];
static float x[MAX_ROWS * MAX_DIM + 1];
static const float *rows[MAX_ROWS];
static struct packed packed;

static void set_up(void)
{
	struct rng rng;

	rng_init(&rng, 5);
	for (size_t i = 0; i < LENGTH(a); i++)
		a[i] = (float)rng_normal(&rng);
	for (size_t i = 0; i < LENGTH(x); i++)
		x[i] = (float)rng_normal(&rng);
}

static void tear_down(void)
{
	packed_free(&packed);
}

/* Vectors that begin anywhere but at a multiple of 16 bytes. */
static void cut_rows(size_t dim)
{
	for (size_t i = 0; i < MAX_ROWS; i++)
		rows[i] = x + 1 + i * dim;
}

/* Every instruction set, in both precisions. */
#define N_WAYS (2 * N_PACKED_KINDS)

static enum packed_kind kind_of(int way)
{
	return (enum packed_kind)(way / 2);
}

static enum packed_precision precision_of(int way)
{
	return way % 2 == 0 ? PACKED_SINGLE : PACKED_HALF;
}

static void pack(int way, size_t dim, size_t n_out)
{
	packed_free(&packed);
	ck_assert_int_eq(packed_init(&packed, kind_of(way), precision_of(way), a, dim, n_out, NULL),
			 STATUS_OK);
	ck_assert_int_eq(packed.precision,
			 packed_kind_halves(kind_of(way)) ? precision_of(way) : PACKED_SINGLE);
	cut_rows(dim);
}

static bool skip(int way)
{
	if (packed_kind_runs(kind_of(way)))
		return false;
	printf("skipped: this processor has no %s\n", packed_kind_name(kind_of(way)));
	return true;
}

static void assert_product(size_t dim, size_t n_out, size_t n, const float *out)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t o = 0; o < n_out; o++) {
			/* of a sum in floats, and of weights in half precision */
			double tolerance = packed.precision == PACKED_HALF ? 1.0 / 2047 : 1e-6;
			double sum = 0, size = 0.01;

			for (size_t d = 0; d < dim; d++) {
				sum += (double)rows[i][d] * a[d * n_out + o];
				size += fabs((double)rows[i][d] * a[d * n_out + o]);
			}
			ck_assert_msg(fabs(out[i * n_out + o] - sum) <= tolerance * size,
				      "[%zu, %zu] row %zu: %.9g, want %.9g", dim, n_out, i,
				      (double)out[i * n_out + o], sum);
		}
	}
}

START_TEST(products_are_their_sums)
{
	static float out[5 * MAX_OUT + 1];

	if (skip(_i))
		return;
	for (size_t d = 0; d < LENGTH(dims); d++) {
		for (size_t o = 0; o < LENGTH(n_outs); o++) {
			size_t n_values = 5 * n_outs[o];

			pack(_i, dims[d], n_outs[o]);
			out[n_values] = 7;
			packed_times(&packed, rows, 5, out);
			assert_product(dims[d], n_outs[o], 5, out);
			ck_assert_float_eq(out[n_values], 7);
		}
	}
}
END_TEST

/* Same item, same answer, whatever else is in the request. */
START_TEST(product_does_not_depend_on_the_others_by_one_bit)
{
	static float alone[MAX_ROWS * MAX_OUT], together[MAX_ROWS * MAX_OUT];

	if (skip(_i))
		return;
	for (size_t o = 0; o < LENGTH(n_outs); o++) {
		size_t n_out = n_outs[o];

		pack(_i, MAX_DIM - 3, n_out);
		for (size_t i = 0; i < MAX_ROWS; i++)
			packed_times(&packed, rows + i, 1, alone + i * n_out);
		for (size_t n = 1; n <= MAX_ROWS; n++) {
			size_t begin = (n * 7) % (MAX_ROWS - n + 1);

			packed_times(&packed, rows + begin, n, together);
			ck_assert_msg(
			    memcmp(together, alone + begin * n_out, n * n_out * sizeof(float)) == 0,
			    "%zu rows, %zu outputs", n, n_out);
		}
	}
}
END_TEST

/* At the end of a page a sanitizer would see one float too many. */
START_TEST(vectors_are_read_to_their_end_and_no_further)
{
	float out[MAX_OUT];

	if (skip(_i))
		return;
	for (size_t d = 0; d < LENGTH(dims); d++) {
		float *own = malloc(dims[d] * sizeof(*own));

		pack(_i, dims[d], 5);
		memcpy(own, rows[3], dims[d] * sizeof(*own));
		rows[0] = own;
		packed_times(&packed, rows, 1, out);
		assert_product(dims[d], 5, 1, out);
		free(own);
	}
}
END_TEST

START_TEST(what_overflows_is_not_finite)
{
	static float huge[17], out[5];

	if (skip(_i))
		return;
	for (size_t i = 0; i < LENGTH(huge); i++)
		huge[i] = 3e38f;
	for (size_t i = 0; i < 17 * 5; i++)
		a[i] = 2;
	pack(_i, 17, 5);
	rows[0] = huge;
	packed_times(&packed, rows, 1, out);
	for (size_t o = 0; o < 5; o++)
		ck_assert(!isfinite(out[o]));
}
END_TEST

/* Weights of eleven bits are kept as they are, whatever their size. */
START_TEST(half_precision_keeps_short_weights)
{
	static const float units[] = {1, 0x1p-110f, 0x1p100f, 0x1p-140f, 0};
	float single[5], half[5];

	if (skip(_i))
		return;
	for (size_t u = 0; u < LENGTH(units); u++) {
		for (size_t i = 0; i < 33 * 5; i++)
			a[i] = ((float)((i * 37) % 2047) - 1023) * units[u];
		for (size_t i = 0; i < 33; i++)
			x[1 + i] = (float)(i % 3) - 1;
		pack(2 * kind_of(_i), 33, 5);
		packed_times(&packed, rows, 1, single);
		pack(2 * kind_of(_i) + 1, 33, 5);
		packed_times(&packed, rows, 1, half);
		ck_assert_mem_eq(single, half, sizeof(single));
	}
}
END_TEST

START_TEST(best_kind_runs)
{
	ck_assert(packed_kind_runs(PACKED_PORTABLE));
	ck_assert(packed_kind_runs(packed_kind_best()));
	for (int kind = packed_kind_best() + 1; kind < N_PACKED_KINDS; kind++)
		ck_assert(!packed_kind_runs((enum packed_kind)kind));
	ck_assert_str_eq(packed_kind_name(PACKED_AVX512), "avx512");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("packed");
	TCase *tcase = tcase_create("packed");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, products_are_their_sums, 0, N_WAYS);
	tcase_add_loop_test(tcase, product_does_not_depend_on_the_others_by_one_bit, 0, N_WAYS);
	tcase_add_loop_test(tcase, vectors_are_read_to_their_end_and_no_further, 0, N_WAYS);
	tcase_add_loop_test(tcase, what_overflows_is_not_finite, 0, N_WAYS);
	tcase_add_loop_test(tcase, half_precision_keeps_short_weights, 0, N_WAYS);
	tcase_add_test(tcase, best_kind_runs);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
