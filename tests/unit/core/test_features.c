/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/encode/features.h"
#include "tests/unit/unit.h"

#define DIM	  9
#define N_COLUMNS 4

static const float example[DIM] = {0, 1.5f, 0, 0, -2, 0, 0, 0, 0.25f};
static const uint32_t example_index[] = {1, 4, 8};
static const float example_value[] = {1.5f, -2, 0.25f};

static struct feature_row example_sparse(void)
{
	return (struct feature_row){
	    .dim = DIM, .n_values = 3, .index = example_index, .value = example_value};
}

static void assert_is_example(struct feature_row row)
{
	float x[DIM];

	ck_assert_uint_eq(row.dim, DIM);
	feature_row_copy(row, x);
	ck_assert_mem_eq(x, example, sizeof(x));
}

/* ---- features_append, features_row ---- */

START_TEST(append_converts_between_dense_and_sparse)
{
	for (int sparse = 0; sparse < 2; sparse++) {
		struct features f;

		features_init(&f, DIM, sparse);
		ck_assert(features_append(&f, feature_row_dense(example, DIM), NULL) == STATUS_OK);
		ck_assert(features_append(&f, example_sparse(), NULL) == STATUS_OK);
		ck_assert_uint_eq(f.n_rows, 2);
		for (size_t i = 0; i < 2; i++) {
			struct feature_row row = features_row(&f, i);

			assert_is_example(row);
			ck_assert_int_eq(row.index != NULL, sparse);
			ck_assert_uint_eq(row.n_values, sparse ? 3 : DIM);
		}
		features_free(&f);
	}
}
END_TEST

START_TEST(append_keeps_rows_while_growing)
{
	for (int sparse = 0; sparse < 2; sparse++) {
		struct features f;
		float x[DIM] = {0};

		features_init(&f, DIM, sparse);
		for (size_t i = 0; i < 1000; i++) {
			x[i % DIM] = (float)(i + 1);
			ck_assert(features_append(&f, feature_row_dense(x, DIM), NULL) ==
				  STATUS_OK);
			x[i % DIM] = 0;
		}
		for (size_t i = 0; i < 1000; i++) {
			feature_row_copy(features_row(&f, i), x);
			for (size_t d = 0; d < DIM; d++)
				ck_assert_float_eq(x[d], d == i % DIM ? (float)(i + 1) : 0);
		}
		features_free(&f);
	}
}
END_TEST

START_TEST(append_of_a_zero_row_keeps_it_empty)
{
	const float zero[DIM] = {0};
	struct features f;

	features_init(&f, DIM, true);
	ck_assert(features_append(&f, feature_row_dense(zero, DIM), NULL) == STATUS_OK);
	ck_assert(features_append(&f, example_sparse(), NULL) == STATUS_OK);
	ck_assert_uint_eq(features_row(&f, 0).n_values, 0);
	assert_is_example(features_row(&f, 1));
	features_free(&f);
}
END_TEST

START_TEST(append_rejects_wrong_dimension)
{
	struct features f;
	struct err err;

	features_init(&f, DIM, true);
	ck_assert(features_append(&f, feature_row_dense(example, DIM - 1), &err) ==
		  STATUS_WRONG_DIMENSION);
	ck_assert_str_eq(err.msg, "vector of 8 numbers, want 9");
	ck_assert_uint_eq(f.n_rows, 0);
	features_free(&f);
}
END_TEST

START_TEST(append_rejects_non_finite_numbers_and_changes_nothing)
{
	static const float bad[] = {NAN, INFINITY, -INFINITY};

	for (int sparse = 0; sparse < 2; sparse++) {
		struct features f;

		features_init(&f, DIM, sparse);
		ck_assert(features_append(&f, example_sparse(), NULL) == STATUS_OK);
		for (size_t i = 0; i < LENGTH(bad); i++) {
			float x[DIM] = {0};
			struct err err;

			x[i + 3] = bad[i];
			ck_assert(features_append(&f, feature_row_dense(x, DIM), &err) ==
				  STATUS_NOT_FINITE);
			ck_assert_ptr_nonnull(strstr(err.msg, "is not finite"));
			ck_assert_int_eq(err.msg[7], '3' + (int)i);
		}
		ck_assert_uint_eq(f.n_rows, 1);
		assert_is_example(features_row(&f, 0));
		features_free(&f);
	}
}
END_TEST

START_TEST(free_leaves_an_empty_matrix_for_more)
{
	struct features f;

	features_init(&f, DIM, true);
	ck_assert(features_append(&f, example_sparse(), NULL) == STATUS_OK);
	features_free(&f);
	ck_assert_uint_eq(f.n_rows, 0);
	ck_assert(features_append(&f, example_sparse(), NULL) == STATUS_OK);
	assert_is_example(features_row(&f, 0));
	features_free(&f);
}
END_TEST

/* ---- features_is_dense, features_gather, features_differences ---- */

START_TEST(gather_copies_rows_in_the_order_asked_for)
{
	static const uint32_t rows[] = {2, 0, 2, 1};

	for (int sparse = 0; sparse < 2; sparse++) {
		float x[DIM] = {0}, out[LENGTH(rows) * DIM];
		struct features f;

		features_init(&f, DIM, sparse);
		ck_assert_int_eq(features_is_dense(&f), !sparse);
		for (size_t i = 0; i < 3; i++) {
			x[i] = (float)(i + 1);
			ck_assert(features_append(&f, feature_row_dense(x, DIM), NULL) ==
				  STATUS_OK);
		}
		ck_assert(features_gather(&f, rows, LENGTH(rows), out, NULL) == STATUS_OK);
		for (size_t i = 0; i < LENGTH(rows); i++) {
			feature_row_copy(features_row(&f, rows[i]), x);
			ck_assert_mem_eq(out + i * DIM, x, sizeof(x));
		}
		features_free(&f);
	}
}
END_TEST

START_TEST(differences_are_those_of_rows_side_by_side)
{
	static const uint32_t rows[] = {2, 0, 1, 2};
	float x[DIM] = {0}, out[2 * DIM];
	struct features f;

	features_init(&f, DIM, false);
	for (size_t i = 0; i < 3; i++) {
		x[i] = (float)(i + 1);
		ck_assert(features_append(&f, feature_row_dense(x, DIM), NULL) == STATUS_OK);
	}
	ck_assert(features_differences(&f, rows, 2, out, NULL) == STATUS_OK);
	for (size_t i = 0; i < 2; i++) {
		const float *a = features_row(&f, rows[2 * i]).value;
		const float *b = features_row(&f, rows[2 * i + 1]).value;

		for (size_t j = 0; j < DIM; j++)
			ck_assert(out[i * DIM + j] == a[j] - b[j]);
	}
	features_free(&f);
}
END_TEST

/* ---- feature_row_times, feature_row_add_outer ---- */

static void random_matrix(uint64_t seed, float *a)
{
	struct rng rng;

	rng_init(&rng, seed);
	for (size_t i = 0; i < DIM * N_COLUMNS; i++)
		a[i] = (float)rng_normal(&rng);
}

START_TEST(times_is_the_sum_over_features)
{
	float a[DIM * N_COLUMNS], dense[N_COLUMNS], sparse[N_COLUMNS];

	random_matrix(1, a);
	feature_row_times(feature_row_dense(example, DIM), a, N_COLUMNS, dense);
	feature_row_times(example_sparse(), a, N_COLUMNS, sparse);
	for (size_t j = 0; j < N_COLUMNS; j++) {
		double sum = 0;

		for (size_t d = 0; d < DIM; d++)
			sum += (double)example[d] * a[d * N_COLUMNS + j];
		ck_assert_double_eq_tol(dense[j], sum, 1e-6);
		ck_assert_double_eq_tol(sparse[j], sum, 1e-6);
	}
}
END_TEST

START_TEST(times_of_an_empty_row_is_zero)
{
	struct feature_row row = {
	    .dim = DIM, .n_values = 0, .index = example_index, .value = example_value};
	float a[DIM * N_COLUMNS], out[N_COLUMNS] = {1, 2, 3, 4};

	random_matrix(2, a);
	feature_row_times(row, a, N_COLUMNS, out);
	for (size_t j = 0; j < N_COLUMNS; j++)
		ck_assert_float_eq(out[j], 0);
}
END_TEST

START_TEST(add_outer_adds_the_same_for_dense_and_sparse)
{
	const float d[N_COLUMNS] = {1, -1, 0.5f, 2};
	float before[DIM * N_COLUMNS], dense[DIM * N_COLUMNS], sparse[DIM * N_COLUMNS];

	random_matrix(3, before);
	memcpy(dense, before, sizeof(before));
	memcpy(sparse, before, sizeof(before));
	feature_row_add_outer(feature_row_dense(example, DIM), d, N_COLUMNS, dense);
	feature_row_add_outer(example_sparse(), d, N_COLUMNS, sparse);
	for (size_t i = 0; i < DIM * N_COLUMNS; i++) {
		float want = before[i] + example[i / N_COLUMNS] * d[i % N_COLUMNS];

		ck_assert_float_eq(dense[i], want);
		ck_assert_float_eq(sparse[i], want);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("features");
	TCase *append = tcase_create("append"), *algebra = tcase_create("algebra");

	tcase_add_test(append, append_converts_between_dense_and_sparse);
	tcase_add_test(append, append_keeps_rows_while_growing);
	tcase_add_test(append, append_of_a_zero_row_keeps_it_empty);
	tcase_add_test(append, append_rejects_wrong_dimension);
	tcase_add_test(append, append_rejects_non_finite_numbers_and_changes_nothing);
	tcase_add_test(append, free_leaves_an_empty_matrix_for_more);
	tcase_add_test(append, gather_copies_rows_in_the_order_asked_for);
	tcase_add_test(append, differences_are_those_of_rows_side_by_side);
	tcase_add_test(algebra, times_is_the_sum_over_features);
	tcase_add_test(algebra, times_of_an_empty_row_is_zero);
	tcase_add_test(algebra, add_outer_adds_the_same_for_dense_and_sparse);
	suite_add_tcase(suite, append);
	suite_add_tcase(suite, algebra);
	return unit_run(suite);
}
