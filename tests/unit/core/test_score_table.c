/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/eval/score_table.h"
#include "tests/unit/core/dense_fixture.h"
#include "tests/unit/unit.h"

#define K 3
#define H 5

static struct dataset data;
static struct model model;
static struct score_table table;

static void make(bool sparse, enum router_kind kind)
{
	dense_pairs(sparse, &data);
	dense_model(K, kind, H, &model);
	ck_assert_int_eq(score_table_init(&table, &data, K, NULL), STATUS_OK);
}

static void teardown(void)
{
	score_table_free(&table);
	model_free(&model);
	dataset_free(&data);
}

static void fill(const struct score_rows *rows, struct pool *pool)
{
	ck_assert_int_eq(
	    score_table_fill(&table, &data, &model.heads, &model.router, rows, pool, NULL),
	    STATUS_OK);
}

/* Scores of every row, one at a time. */
static void score_rows_one_by_one(float reward[2 * DENSE_PAIRS * K],
				  float logits[DENSE_PROMPTS * K])
{
	float hidden[H];

	for (size_t i = 0; i < data.phi.n_rows; i++)
		heads_rewards(&model.heads, features_row(&data.phi, i), reward + i * K);
	for (size_t i = 0; i < data.psi.n_rows; i++)
		router_logits(&model.router, features_row(&data.psi, i), hidden, logits + i * K);
}

static void assert_close(const float *got, const float *want, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ck_assert_msg(fabsf(got[i] - want[i]) <= 1e-5f * (1 + fabsf(want[i])),
			      "%zu: %.9g, want %.9g", i, (double)got[i], (double)want[i]);
}

/* ---- score_table_fill ---- */

START_TEST(dense_blocks_are_the_rows_scores)
{
	float reward[2 * DENSE_PAIRS * K], logits[DENSE_PROMPTS * K];

	make(false, (enum router_kind)_i);
	score_rows_one_by_one(reward, logits);
	fill(NULL, NULL);
	assert_close(table.reward, reward, LENGTH(reward));
	assert_close(table.logits, logits, LENGTH(logits));
	teardown();
}
END_TEST

START_TEST(sparse_scores_are_the_rows_scores_to_the_bit)
{
	float reward[2 * DENSE_PAIRS * K], logits[DENSE_PROMPTS * K];

	make(true, (enum router_kind)_i);
	score_rows_one_by_one(reward, logits);
	fill(NULL, NULL);
	ck_assert_mem_eq(table.reward, reward, sizeof(reward));
	ck_assert_mem_eq(table.logits, logits, sizeof(logits));
	teardown();
}
END_TEST

START_TEST(threads_change_no_bit)
{
	float reward[2 * DENSE_PAIRS * K], logits[DENSE_PROMPTS * K];
	struct pool *pool;

	make(_i, ROUTER_MLP);
	fill(NULL, NULL);
	memcpy(reward, table.reward, sizeof(reward));
	memcpy(logits, table.logits, sizeof(logits));
	memset(table.reward, 0, sizeof(reward));
	memset(table.logits, 0, sizeof(logits));
	ck_assert_int_eq(pool_start(3, &pool, NULL), STATUS_OK);
	fill(NULL, pool);
	ck_assert_mem_eq(table.reward, reward, sizeof(reward));
	ck_assert_mem_eq(table.logits, logits, sizeof(logits));
	pool_stop(pool);
	teardown();
}
END_TEST

/* ---- score_rows_init ---- */

START_TEST(only_the_rows_of_some_pairs_are_filled)
{
	static const uint32_t pairs[] = {70, 3, 43}; /* 3 and 43 have one prompt */
	static const uint32_t phi[] = {6, 7, 86, 87, 140, 141}, psi[] = {3, 30};
	float reward[2 * DENSE_PAIRS * K], logits[DENSE_PROMPTS * K];
	struct score_rows rows;
	size_t n_set = 0;

	make(_i, ROUTER_LINEAR);
	score_rows_one_by_one(reward, logits);
	ck_assert_int_eq(score_rows_init(&rows, &data, pairs, LENGTH(pairs), NULL), STATUS_OK);
	ck_assert_uint_eq(rows.n_phi, LENGTH(phi));
	ck_assert_mem_eq(rows.phi, phi, sizeof(phi));
	ck_assert_uint_eq(rows.n_psi, LENGTH(psi));
	ck_assert_mem_eq(rows.psi, psi, sizeof(psi));
	fill(&rows, NULL);
	for (size_t i = 0; i < LENGTH(pairs); i++) {
		assert_close(score_table_chosen(&table, &data, pairs[i]),
			     reward + (size_t)data.chosen[pairs[i]] * K, K);
		assert_close(score_table_rejected(&table, &data, pairs[i]),
			     reward + (size_t)data.rejected[pairs[i]] * K, K);
		assert_close(score_table_logits(&table, &data, pairs[i]),
			     logits + (size_t)data.prompt[pairs[i]] * K, K);
	}
	for (size_t i = 0; i < LENGTH(reward); i++)
		n_set += table.reward[i] != 0;
	ck_assert_uint_eq(n_set, LENGTH(phi) * K);
	score_rows_free(&rows);
	teardown();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("score_table");
	TCase *tcase = tcase_create("score_table");

	tcase_add_loop_test(tcase, dense_blocks_are_the_rows_scores, 0, N_ROUTER_KINDS);
	tcase_add_loop_test(tcase, sparse_scores_are_the_rows_scores_to_the_bit, 0, N_ROUTER_KINDS);
	tcase_add_loop_test(tcase, threads_change_no_bit, 0, 2);
	tcase_add_loop_test(tcase, only_the_rows_of_some_pairs_are_filled, 0, 2);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
