/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/math/logmath.h"
#include "core/model/head_merge.h"
#include "core/model/mixture.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/unit.h"

#define K 4

static struct model model, merged;
static struct head_merge merge;
static struct rng rng;

/* K heads with random weights; heads 0 and 2 are to become one. */
static void start(enum router_kind kind)
{
	rng_init(&rng, 7);
	pairs_model(K, kind, 3, &model);
	heads_randomize(&model.heads, 1, &rng);
	for (size_t i = 0; i < model.router.n_params; i++)
		model.router.params[i] = (float)rng_normal(&rng);
	for (size_t k = 0; k < K; k++)
		model.heads.center[k] = (float)k;
	model.mask[3] = true;
	ck_assert_int_eq(model_set_label(&model, 2, "warm", NULL), STATUS_OK);
	ck_assert_int_eq(model_set_fact(&model, "train.seed", "7", NULL), STATUS_OK);
	ck_assert_int_eq(head_merge_init(&merge, K, NULL), STATUS_OK);
	merge.group[2] = 0;
	merge.group[3] = 2;
	merge.n_groups = 3;
	merge.share[0] = 0.25;
	merge.share[2] = 0.75;
}

static void apply(void)
{
	struct err err;

	ck_assert_msg(head_merge_apply(&merge, &model, &merged, &err) == STATUS_OK, "%s", err.msg);
}

static void teardown(void)
{
	head_merge_free(&merge);
	model_free(&model);
	model_free(&merged);
}

static void logits_of(const struct model *of, const float *psi, float *logits_out)
{
	float hidden[3];

	router_logits(&of->router, feature_row_dense(psi, PAIRS_DIM), hidden, logits_out);
}

START_TEST(weights_and_centers_are_averaged_by_share)
{
	start(ROUTER_STATIC);
	apply();
	ck_assert_uint_eq(merged.heads.n_heads, 3);
	for (size_t d = 0; d < PAIRS_DIM; d++) {
		const float *w = model.heads.weight + d * K, *m = merged.heads.weight + d * 3;

		ck_assert_float_eq_tol(m[0], 0.25f * w[0] + 0.75f * w[2], 1e-6f);
		ck_assert_float_eq(m[1], w[1]);
		ck_assert_float_eq(m[2], w[3]);
	}
	ck_assert_float_eq(merged.heads.center[0], 1.5f);
	ck_assert_float_eq(merged.heads.center[1], 1);
}
END_TEST

START_TEST(words_of_the_model_are_kept)
{
	start(ROUTER_LINEAR);
	apply();
	ck_assert_str_eq(merged.labels[0], "head 0 + warm");
	ck_assert_str_eq(merged.labels[1], "head 1");
	ck_assert(!merged.mask[0] && !merged.mask[1] && merged.mask[2]);
	ck_assert_str_eq(merged.encoder_spec, "none:4");
	ck_assert_str_eq(merged.template_psi, model.template_psi);
	ck_assert_str_eq(model_fact(&merged, "train.seed"), "7");
	ck_assert_str_ne(merged.id, model.id);
}
END_TEST

/* With the router's own shares, f of the merged head is the sum, for any static router. */
START_TEST(static_router_gives_the_sum_of_the_weights)
{
	double before[K], after[3], sum;

	start(ROUTER_STATIC);
	mixture_log_weights(model.router.bias, NULL, NULL, K, before);
	sum = exp(before[0]) + exp(before[2]);
	merge.share[0] = exp(before[0]) / sum;
	merge.share[2] = exp(before[2]) / sum;
	apply();
	mixture_log_weights(merged.router.bias, NULL, NULL, 3, after);
	ck_assert_double_eq_tol(exp(after[0]), sum, 1e-6);
	ck_assert_double_eq_tol(after[1], before[1], 1e-6);
	ck_assert_double_eq_tol(after[2], before[3], 1e-6);
}
END_TEST

START_TEST(logit_is_a_lower_bound_of_the_members_log_sum)
{
	start(_i);
	apply();
	for (size_t n = 0; n < 100; n++) {
		float psi[PAIRS_DIM], g[K], h[3];
		double members[2];

		for (size_t d = 0; d < PAIRS_DIM; d++)
			psi[d] = (float)rng_normal(&rng);
		logits_of(&model, psi, g);
		logits_of(&merged, psi, h);
		members[0] = g[0];
		members[1] = g[2];
		ck_assert_double_le(h[0], log_sum_exp(members, 2) + 1e-5);
		ck_assert_float_eq_tol(
		    h[0], (float)(0.25 * g[0] + 0.75 * g[2] - 0.25 * log(0.25) - 0.75 * log(0.75)),
		    1e-5f);
		ck_assert_float_eq_tol(h[1], g[1], 1e-6f);
		ck_assert_float_eq_tol(h[2], g[3], 1e-6f);
	}
}
END_TEST

/* Equal heads merged in equal shares: the mixture's preferences stay, for every psi. */
START_TEST(merging_copies_changes_nothing_but_the_number_of_heads)
{
	start(ROUTER_LINEAR);
	merge.share[0] = merge.share[2] = 0.5;
	for (size_t d = 0; d < PAIRS_DIM; d++) {
		model.heads.weight[d * K + 2] = model.heads.weight[d * K];
		model.router.first[d * K + 2] = model.router.first[d * K];
	}
	model.router.bias[2] = model.router.bias[0];
	apply();
	for (size_t n = 0; n < 50; n++) {
		float psi[PAIRS_DIM], phi[PAIRS_DIM], g[K], h[3], r[K], s[3], zero[K] = {0};
		double before[K], after[3];

		for (size_t d = 0; d < PAIRS_DIM; d++) {
			psi[d] = (float)rng_normal(&rng);
			phi[d] = (float)rng_normal(&rng);
		}
		logits_of(&model, psi, g);
		logits_of(&merged, psi, h);
		heads_rewards(&model.heads, feature_row_dense(phi, PAIRS_DIM), r);
		heads_rewards(&merged.heads, feature_row_dense(phi, PAIRS_DIM), s);
		mixture_log_weights(g, NULL, model.mask, K, before);
		mixture_log_weights(h, NULL, merged.mask, 3, after);
		ck_assert_double_eq_tol(mixture_log_preference(before, r, zero, K),
					mixture_log_preference(after, s, zero, 3), 1e-5);
	}
}
END_TEST

START_TEST(steps_give_the_same_as_at_once)
{
	struct head_merge second;
	struct model in_steps;

	start(ROUTER_LINEAR);
	model.mask[3] = false;
	apply(); /* 0 and 2, shares 1/4 and 3/4 */
	ck_assert_int_eq(head_merge_init(&second, 3, NULL), STATUS_OK);
	second.group[1] = 0;
	second.group[2] = 1;
	second.n_groups = 2;
	second.share[0] = 0.8;
	second.share[1] = 0.2;
	ck_assert_int_eq(head_merge_apply(&second, &merged, &in_steps, NULL), STATUS_OK);
	head_merge_free(&second);
	model_free(&merged);
	merge.group[1] = 0;
	merge.group[3] = 1;
	merge.n_groups = 2;
	merge.share[0] = 0.8 * 0.25;
	merge.share[1] = 0.2;
	merge.share[2] = 0.8 * 0.75;
	apply();
	for (size_t i = 0; i < 2 * PAIRS_DIM; i++)
		ck_assert_float_eq_tol(merged.heads.weight[i], in_steps.heads.weight[i], 1e-5f);
	for (size_t i = 0; i < merged.router.n_params; i++)
		ck_assert_float_eq_tol(merged.router.params[i], in_steps.router.params[i], 1e-5f);
	model_free(&in_steps);
}
END_TEST

START_TEST(no_merge_keeps_every_number_and_the_id)
{
	start(_i);
	head_merge_free(&merge);
	ck_assert_int_eq(head_merge_init(&merge, K, NULL), STATUS_OK);
	apply();
	model_update_id(&model);
	ck_assert_str_eq(merged.id, model.id);
	ck_assert_mem_eq(merged.router.params, model.router.params,
			 model.router.n_params * sizeof(float));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("head_merge");
	TCase *tcase = tcase_create("head_merge_apply");

	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_test(tcase, weights_and_centers_are_averaged_by_share);
	tcase_add_test(tcase, words_of_the_model_are_kept);
	tcase_add_test(tcase, static_router_gives_the_sum_of_the_weights);
	tcase_add_loop_test(tcase, logit_is_a_lower_bound_of_the_members_log_sum, 0,
			    N_ROUTER_KINDS);
	tcase_add_test(tcase, merging_copies_changes_nothing_but_the_number_of_heads);
	tcase_add_test(tcase, steps_give_the_same_as_at_once);
	tcase_add_loop_test(tcase, no_merge_keeps_every_number_and_the_id, 0, N_ROUTER_KINDS);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
