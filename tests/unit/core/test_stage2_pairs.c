/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/model/hedge.h"
#include "core/train/stage2_pairs.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/unit.h"

#define N_FOLDS 5

static struct dataset data;
static struct model model;
static struct stage2_pairs pairs;

/* 10 users of each context with 3 pairs each */
static void setup(void)
{
	pairs_two_tastes(20, 3, 1, &data);
	pairs_set_contexts(&data);
	pairs_opposed_model(ROUTER_LINEAR, 0, &model);
}

static void teardown(void)
{
	stage2_pairs_free(&pairs);
	model_free(&model);
	dataset_free(&data);
}

static enum status take(size_t n_pairs, size_t n_folds, uint64_t seed, struct err *err)
{
	struct rng rng;

	rng_init(&rng, seed);
	return stage2_pairs_init(&pairs, &data, &model, n_pairs, n_folds, &rng, err);
}

/* ---- groups and folds ---- */

START_TEST(every_context_is_in_every_fold_in_equal_parts)
{
	size_t count[2][N_FOLDS] = {{0}};

	ck_assert_int_eq(take(60, N_FOLDS, 1, NULL), STATUS_OK);
	ck_assert_uint_eq(pairs.n_groups, 2);
	for (size_t i = 0; i < 60; i++) {
		ck_assert_uint_lt(pairs.fold[i], N_FOLDS);
		count[pairs.group[i]][pairs.fold[i]]++;
	}
	for (size_t f = 0; f < N_FOLDS; f++) {
		ck_assert_uint_eq(count[0][f], 6);
		ck_assert_uint_eq(count[1][f], 6);
	}
}
END_TEST

START_TEST(users_are_held_out_whole)
{
	/* the losses tell which pair of the dataset a pair is */
	size_t fold_of[20];

	ck_assert_int_eq(take(60, N_FOLDS, 1, NULL), STATUS_OK);
	memset(fold_of, 0xff, sizeof(fold_of));
	for (size_t i = 0; i < 60; i++) {
		size_t user = SIZE_MAX;

		for (size_t j = 0; j < 60; j++) {
			float chosen[3], rejected[3];
			double loss[3];

			heads_rewards(&model.heads, features_row(&data.phi, data.chosen[j]),
				      chosen);
			heads_rewards(&model.heads, features_row(&data.phi, data.rejected[j]),
				      rejected);
			hedge_losses(chosen, rejected, 3, loss);
			if (memcmp(loss, pairs.loss + i * 3, sizeof(loss)) == 0)
				user = data.user[j];
		}
		ck_assert_uint_lt(user, 20);
		if (fold_of[user] == SIZE_MAX)
			fold_of[user] = pairs.fold[i];
		ck_assert_uint_eq(fold_of[user], pairs.fold[i]);
	}
}
END_TEST

START_TEST(pairs_without_context_are_grouped_by_router_text)
{
	for (size_t i = 0; i < 60; i++)
		data.context[i] = i < 30 ? DATASET_NONE : 0;
	ck_assert_int_eq(take(60, N_FOLDS, 1, NULL), STATUS_OK);
	/* one context, two router texts */
	ck_assert_uint_eq(pairs.n_groups, 3);
}
END_TEST

START_TEST(one_users_context_is_still_in_every_fold)
{
	bool seen[N_FOLDS] = {false};

	for (size_t i = 0; i < 60; i++)
		data.user[i] = 0;
	ck_assert_int_eq(take(60, N_FOLDS, 1, NULL), STATUS_OK);
	for (size_t i = 0; i < 60; i++)
		seen[pairs.fold[i]] |= pairs.group[i] == 0;
	for (size_t f = 0; f < N_FOLDS; f++)
		ck_assert_msg(seen[f], "fold %zu", f);
}
END_TEST

START_TEST(contexts_of_one_pair_are_spread_over_the_folds)
{
	size_t count[N_FOLDS] = {0};

	data.n_contexts = 60; /* indices only: no name is looked at */
	for (size_t i = 0; i < 60; i++)
		data.context[i] = (uint32_t)i;
	ck_assert_int_eq(take(60, N_FOLDS, 1, NULL), STATUS_OK);
	data.n_contexts = 2;
	for (size_t i = 0; i < 60; i++)
		count[pairs.fold[i]]++;
	for (size_t f = 0; f < N_FOLDS; f++)
		ck_assert_uint_eq(count[f], 12);
}
END_TEST

START_TEST(budget_takes_the_beginning_of_one_order)
{
	double all[10 * 3];

	ck_assert_int_eq(take(60, 1, 3, NULL), STATUS_OK);
	memcpy(all, pairs.loss, sizeof(all));
	stage2_pairs_free(&pairs);
	ck_assert_int_eq(take(10, 1, 3, NULL), STATUS_OK);
	ck_assert_uint_eq(pairs.n_pairs, 10);
	ck_assert_mem_eq(pairs.loss, all, sizeof(all));
	stage2_pairs_free(&pairs);
	ck_assert_int_eq(take(10, 1, 4, NULL), STATUS_OK);
	ck_assert_mem_ne(pairs.loss, all, sizeof(all));
}
END_TEST

START_TEST(losses_that_are_not_finite_are_refused)
{
	struct err err;

	model.heads.weight[0] = 3e38f;
	ck_assert_int_eq(take(60, 1, 1, &err), STATUS_NOT_FINITE);
	ck_assert_ptr_nonnull(strstr(err.msg, "a head's loss is not finite"));
}
END_TEST

/* ---- the router's features ---- */

static const enum router_kind kinds[] = {ROUTER_LINEAR, ROUTER_MLP};

START_TEST(router_of_the_features_in_use_says_the_same_and_goes_back)
{
	struct router part;
	float hidden[5], whole_logits[3], part_logits[3];

	model_free(&model);
	pairs_opposed_model(kinds[_i], 5, &model);
	for (size_t i = 0; i < model.router.n_params; i++)
		model.router.params[i] = (float)(i % 7) - 2.5f;
	ck_assert_int_eq(take(60, 1, 1, NULL), STATUS_OK);
	ck_assert_uint_eq(pairs.psi.dim, 2); /* of 4 */
	ck_assert_int_eq(stage2_pairs_router(&pairs, &model.router, &part, NULL), STATUS_OK);
	for (size_t r = 0; r < 2; r++) {
		router_logits(&model.router, features_row(&data.psi, r), hidden, whole_logits);
		router_logits(&part, features_row(&pairs.psi, r), hidden, part_logits);
		ck_assert_mem_eq(whole_logits, part_logits, sizeof(whole_logits));
	}
	for (size_t i = 0; i < part.n_params; i++)
		part.params[i] += 100;
	stage2_pairs_put_back(&pairs, &part, &model.router);
	for (size_t i = 0; i < model.router.n_params; i++) {
		size_t width = kinds[_i] == ROUTER_MLP ? 5 : 3;
		bool unused = i >= 2 * width && i < 4 * width;

		ck_assert_msg(model.router.params[i] ==
				  (float)(i % 7) - 2.5f + (unused ? 0.0f : 100.0f),
			      "parameter %zu", i);
	}
	router_free(&part);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stage2_pairs");
	TCase *tcase = tcase_create("stage2_pairs");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, every_context_is_in_every_fold_in_equal_parts);
	tcase_add_test(tcase, users_are_held_out_whole);
	tcase_add_test(tcase, pairs_without_context_are_grouped_by_router_text);
	tcase_add_test(tcase, one_users_context_is_still_in_every_fold);
	tcase_add_test(tcase, contexts_of_one_pair_are_spread_over_the_folds);
	tcase_add_test(tcase, budget_takes_the_beginning_of_one_order);
	tcase_add_test(tcase, losses_that_are_not_finite_are_refused);
	tcase_add_loop_test(tcase, router_of_the_features_in_use_says_the_same_and_goes_back, 0,
			    (int)LENGTH(kinds));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
