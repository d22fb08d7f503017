/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdint.h>

#include "core/model/heads.h"
#include "tests/unit/core/golden_fixture.h"
#include "tests/unit/unit.h"

#define K 5 /* of the golden case */
#define D 7
#define N 4

static struct heads heads;
static json_t *root;
static const json_t *golden;

static void open_golden(void)
{
	float weight[K * D];

	root = golden_open(TESTS_DIR "/golden/model.json");
	golden = golden_get(root, "heads");
	golden_floats(golden_get(golden, "weight"), weight, K * D);
	ck_assert(heads_init(&heads, K, D, NULL) == STATUS_OK);
	for (size_t k = 0; k < K; k++) {
		for (size_t d = 0; d < D; d++)
			heads.weight[d * K + k] = weight[k * D + d];
	}
}

static void close_golden(void)
{
	heads_free(&heads);
	json_decref(root);
}

/* x without its zeros, in index [dim] and value [dim] */
static struct feature_row without_zeros(const float *x, size_t dim, uint32_t *index, float *value)
{
	size_t n = 0;

	for (size_t d = 0; d < dim; d++) {
		if (x[d] != 0) {
			index[n] = (uint32_t)d;
			value[n++] = x[d];
		}
	}
	return (struct feature_row){.dim = dim, .n_values = n, .index = index, .value = value};
}

/* ---- heads_rewards ---- */

START_TEST(rewards_have_the_golden_values_dense_and_sparse)
{
	float phi[N * D], value[D], reward[K];
	double want[N * K];
	uint32_t index[D];

	golden_floats(golden_get(golden, "phi"), phi, N * D);
	golden_doubles(golden_get(golden, "rewards"), want, N * K);
	for (size_t i = 0; i < N; i++) {
		const float *x = phi + i * D;

		heads_rewards(&heads, feature_row_dense(x, D), reward);
		for (size_t k = 0; k < K; k++)
			ck_assert_double_eq_tol(reward[k], want[i * K + k], 1e-5);
		heads_rewards(&heads, without_zeros(x, D, index, value), reward);
		for (size_t k = 0; k < K; k++)
			ck_assert_double_eq_tol(reward[k], want[i * K + k], 1e-5);
	}
}
END_TEST

START_TEST(rewards_are_linear)
{
	float x[D], y[D], sum[D], rx[K], ry[K], rsum[K];

	for (size_t d = 0; d < D; d++) {
		x[d] = (float)d - 3;
		y[d] = 0.5f * (float)(d * d);
		sum[d] = x[d] + y[d];
	}
	heads_rewards(&heads, feature_row_dense(x, D), rx);
	heads_rewards(&heads, feature_row_dense(y, D), ry);
	heads_rewards(&heads, feature_row_dense(sum, D), rsum);
	for (size_t k = 0; k < K; k++)
		ck_assert_double_eq_tol(rsum[k], rx[k] + ry[k], 1e-4);
}
END_TEST

START_TEST(rewards_follow_a_permutation_of_the_heads)
{
	static const size_t order[K] = {3, 0, 4, 1, 2};
	float phi[N * D], reward[K], permuted[K];
	struct heads other;

	golden_floats(golden_get(golden, "phi"), phi, N * D);
	ck_assert(heads_init(&other, K, D, NULL) == STATUS_OK);
	for (size_t d = 0; d < D; d++) {
		for (size_t k = 0; k < K; k++)
			other.weight[d * K + k] = heads.weight[d * K + order[k]];
	}
	heads_rewards(&heads, feature_row_dense(phi, D), reward);
	heads_rewards(&other, feature_row_dense(phi, D), permuted);
	for (size_t k = 0; k < K; k++)
		ck_assert_double_eq_tol(permuted[k], reward[order[k]], 1e-6);
	heads_free(&other);
}
END_TEST

/* ---- heads_similarity ---- */

START_TEST(similarity_has_the_golden_values)
{
	double got[K * K], want[K * K];

	golden_doubles(golden_get(golden, "similarity"), want, K * K);
	heads_similarity(&heads, got);
	for (size_t i = 0; i < K * K; i++)
		ck_assert_double_eq_tol(got[i], want[i], 1e-12);
}
END_TEST

START_TEST(similarity_with_a_zero_head_is_zero)
{
	double got[K * K];

	for (size_t d = 0; d < D; d++)
		heads.weight[d * K + 2] = 0;
	heads_similarity(&heads, got);
	for (size_t k = 0; k < K; k++) {
		ck_assert_double_eq(got[2 * K + k], 0);
		ck_assert_double_eq(got[k * K + 2], 0);
	}
	ck_assert_double_eq(got[0], 1);
}
END_TEST

/* ---- heads_init, heads_randomize ---- */

START_TEST(init_refuses_a_size_that_overflows)
{
	struct heads huge;
	struct err err;

	ck_assert(heads_init(&huge, SIZE_MAX, 2, &err) == STATUS_NO_MEMORY);
	ck_assert_str_eq(err.msg, "out of memory for heads");
	ck_assert(heads_init(&huge, 2, SIZE_MAX / 4, &err) == STATUS_NO_MEMORY);
	ck_assert_ptr_null(huge.weight);
}
END_TEST

START_TEST(randomize_has_the_asked_deviation)
{
	struct heads random;
	struct rng rng;
	double sum = 0, squares = 0;

	ck_assert(heads_init(&random, 16, 1000, NULL) == STATUS_OK);
	rng_init(&rng, 1);
	heads_randomize(&random, 0.3, &rng);
	for (size_t i = 0; i < 16000; i++) {
		sum += random.weight[i];
		squares += (double)random.weight[i] * random.weight[i];
	}
	ck_assert_double_eq_tol(sum / 16000, 0, 0.01);
	ck_assert_double_eq_tol(sqrt(squares / 16000), 0.3, 0.01);
	for (size_t k = 0; k < 16; k++)
		ck_assert_float_eq(random.center[k], 0);
	heads_free(&random);
	ck_assert_ptr_null(random.weight);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("heads");
	TCase *tcase = tcase_create("heads");

	tcase_add_checked_fixture(tcase, open_golden, close_golden);
	tcase_add_test(tcase, rewards_have_the_golden_values_dense_and_sparse);
	tcase_add_test(tcase, rewards_are_linear);
	tcase_add_test(tcase, rewards_follow_a_permutation_of_the_heads);
	tcase_add_test(tcase, similarity_has_the_golden_values);
	tcase_add_test(tcase, similarity_with_a_zero_head_is_zero);
	tcase_add_test(tcase, init_refuses_a_size_that_overflows);
	tcase_add_test(tcase, randomize_has_the_asked_deviation);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
