/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/tool/head_changes.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/unit.h"

/* Heads like what even users like, but 2, which likes the opposite; 0 and 1 are the same. */
#define K 4

static const float taste[K] = {1, 1, -1, 0.1f};
static struct model model;
static struct dataset data;
static struct head_audit audit;
static struct head_merging merging;

static void setup(void)
{
	pairs_model(K, ROUTER_LINEAR, 0, &model);
	for (size_t k = 0; k < K; k++)
		model.heads.weight[k] = taste[k];
	model.heads.weight[3 * K + 3] = 1; /* head 3 looks elsewhere, too */
	pairs_one_taste(20, 4, 1, &data);
	memset(data.sha256, 'a', DIGEST_HEX_LEN);
}

static void teardown(void)
{
	head_audit_free(&audit);
	head_merging_free(&merging);
	model_free(&model);
	dataset_free(&data);
}

/* ---- labels and masks ---- */

START_TEST(orders_change_labels_and_masks_only)
{
	const struct head_orders orders = {.label = "1=calm", .mask = "2,3", .unmask = "0"};
	char id[DIGEST_HEX_LEN + 1];

	model.mask[0] = true;
	strcpy(id, model.id);
	ck_assert_int_eq(head_changes_order(&model, &orders, NULL), STATUS_OK);
	ck_assert_str_eq(model.labels[1], "calm");
	ck_assert(!model.mask[0] && !model.mask[1] && model.mask[2] && model.mask[3]);
	ck_assert_uint_eq(model.n_facts, 0);
}
END_TEST

static const struct {
	struct head_orders orders;
	const char *message;
} wrong_orders[] = {
    {{.label = "9=x"}, "--label: \"9\": want a head from 0 to 3"},
    {{.mask = "0,x"}, "--mask: \"x\": want a head from 0 to 3"},
    {{.unmask = "4"}, "--unmask: \"4\": want a head from 0 to 3"},
    {{.mask = "0,1,2,3"}, "--mask: all 4 heads would be masked, want one that is not"},
    {{.mask = "0,1", .unmask = "1"}, "--mask and --unmask: head 1 is in both"},
};

START_TEST(refuses_orders_and_keeps_the_mask)
{
	struct err err;

	ck_assert_int_eq(head_changes_order(&model, &wrong_orders[_i].orders, &err), STATUS_USAGE);
	ck_assert_str_eq(err.msg, wrong_orders[_i].message);
	for (size_t k = 0; k < K; k++)
		ck_assert(!model.mask[k]);
}
END_TEST

/* ---- audit ---- */

START_TEST(audit_masks_the_head_that_likes_the_rejected)
{
	ck_assert_int_eq(head_changes_audit(&model, &data, 0.5, &audit, NULL), STATUS_OK);
	ck_assert_uint_eq(audit.n_heads, K);
	ck_assert_uint_eq(audit.n_pairs, 80);
	ck_assert_double_eq(audit.inverted[0], 0);
	ck_assert_double_eq(audit.inverted[2], 1);
	ck_assert(!model.mask[0] && !model.mask[1] && model.mask[2]);
	ck_assert_int_eq(model.mask[3], audit.inverted[3] > 0.5);
	ck_assert_str_eq(model_fact(&model, "train.audit.threshold"), "0.5");
	ck_assert_str_eq(model_fact(&model, "train.audit.data.sha256"), data.sha256);
}
END_TEST

START_TEST(audit_that_finds_nothing_says_none)
{
	ck_assert_int_eq(head_changes_audit(&model, &data, 1, &audit, NULL), STATUS_OK);
	ck_assert_str_eq(model_fact(&model, "train.audit.masked"), "none");
}
END_TEST

START_TEST(audit_keeps_earlier_masks_and_lists_only_its_own)
{
	model.mask[0] = true;
	ck_assert_int_eq(head_changes_audit(&model, &data, 0.99, &audit, NULL), STATUS_OK);
	ck_assert(model.mask[0] && model.mask[2]);
	ck_assert_str_eq(model_fact(&model, "train.audit.masked"), "2");
}
END_TEST

START_TEST(audit_never_masks_all_heads)
{
	struct err err;

	for (size_t d = 0; d < PAIRS_DIM * K; d++)
		model.heads.weight[d] = 0;
	for (size_t k = 0; k < K; k++)
		model.heads.weight[k] = -1;
	ck_assert_int_eq(head_changes_audit(&model, &data, 0.5, &audit, &err),
			 STATUS_INVALID_VALUE);
	ck_assert_str_eq(err.msg, "all 4 heads would be masked, want one that is not");
	ck_assert(!model.mask[0] && !model.mask[3]);
	ck_assert_uint_eq(model.n_facts, 0);
}
END_TEST

/* ---- merge ---- */

START_TEST(merge_joins_equal_heads_and_keeps_the_mixture)
{
	struct err err;

	ck_assert_msg(head_changes_merge(&model, &data, 1, 0.99, &merging, &err) == STATUS_OK, "%s",
		      err.msg);
	ck_assert_uint_eq(model.heads.n_heads, 3);
	ck_assert_str_eq(model.labels[0], "head 0 + head 1");
	ck_assert_str_eq(model_fact(&model, FACT_MERGED_HEADS), "0+1");
	ck_assert_str_eq(model_fact(&model, "train.merge.threshold"), "0.99");
	ck_assert_str_eq(model_fact(&model, "train.merge.data.sha256"), data.sha256);
	ck_assert_double_eq_tol(merging.before[0].nll, merging.after[0].nll, 1e-6);
	ck_assert_double_eq_tol(merging.before[0].accuracy, merging.after[0].accuracy, 1e-12);
}
END_TEST

START_TEST(merge_of_nothing_leaves_the_model_alone)
{
	model.heads.weight[2 * K + 1] = 5;
	ck_assert_int_eq(head_changes_merge(&model, &data, 1, 0.999, &merging, NULL), STATUS_OK);
	ck_assert_uint_eq(merging.merge.n_groups, K);
	ck_assert_uint_eq(model.heads.n_heads, K);
	ck_assert_uint_eq(model.n_facts, 0);
	ck_assert_double_eq(merging.before[0].nll, merging.after[0].nll);
}
END_TEST

START_TEST(merge_facts_name_every_group_and_every_dataset)
{
	struct dataset twice[2] = {data, data};

	model.heads.weight[3 * K + 3] = 0; /* head 3 is a weak head 0 */
	model.mask[0] = true;
	model.heads.weight[2] = -1;
	ck_assert_int_eq(head_changes_merge(&model, twice, 2, 0.9, &merging, NULL), STATUS_OK);
	ck_assert_str_eq(model_fact(&model, FACT_MERGED_HEADS), "1+3");
	ck_assert_uint_eq(strlen(model_fact(&model, "train.merge.data.sha256")),
			  2 * DIGEST_HEX_LEN + 1);
	ck_assert(model.mask[0] && !model.mask[1] && !model.mask[2]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("head_changes");
	TCase *tcase = tcase_create("head_changes");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, orders_change_labels_and_masks_only);
	tcase_add_loop_test(tcase, refuses_orders_and_keeps_the_mask, 0, LENGTH(wrong_orders));
	tcase_add_test(tcase, audit_masks_the_head_that_likes_the_rejected);
	tcase_add_test(tcase, audit_that_finds_nothing_says_none);
	tcase_add_test(tcase, audit_keeps_earlier_masks_and_lists_only_its_own);
	tcase_add_test(tcase, audit_never_masks_all_heads);
	tcase_add_test(tcase, merge_joins_equal_heads_and_keeps_the_mixture);
	tcase_add_test(tcase, merge_of_nothing_leaves_the_model_alone);
	tcase_add_test(tcase, merge_facts_name_every_group_and_every_dataset);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
