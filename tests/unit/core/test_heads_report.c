/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <jansson.h>

#include "core/tool/heads_report.h"
#include "tests/unit/core/capture_fixture.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/unit.h"

/* Head 0 is always right, head 1 says half of it, head 2 the opposite; 2 is audited. */
static const char *const paths[] = {"pairs.jsonl"};
static struct capture capture;
static struct model model;
static struct dataset data;
static struct head_audit audit;
static struct head_merging merging;
static struct heads_report report;

static void setup(void)
{
	capture_start(&capture, false, false);
	pairs_model(3, ROUTER_STATIC, 0, &model);
	model.heads.weight[0] = 1;
	model.heads.weight[1] = 0.5f;
	model.heads.weight[2] = -1;
	pairs_one_taste(10, 2, 1, &data);
	report = (struct heads_report){.model = &model,
				       .audit = &audit,
				       .audit_data = "safety.jsonl",
				       .merging = &merging,
				       .paths = paths,
				       .datasets = &data};
}

static void teardown(void)
{
	heads_report_free(&report);
	head_audit_free(&audit);
	head_merging_free(&merging);
	model_free(&model);
	dataset_free(&data);
	capture_end(&capture);
}

static void score(void)
{
	struct err err;

	report.n_datasets = 1;
	ck_assert_msg(heads_report_score(&report, &err) == STATUS_OK, "%s", err.msg);
}

static void change(void)
{
	ck_assert_int_eq(head_changes_audit(&model, &data, 0.5, &audit, NULL), STATUS_OK);
	ck_assert_int_eq(head_changes_merge(&model, &data, 1, 0.5, &merging, NULL), STATUS_OK);
}

static const char *print_text(void)
{
	ck_assert_int_eq(heads_report_text(&report, &capture.terminal, NULL), STATUS_OK);
	return capture_text(&capture);
}

static void assert_shows(const char *text, const char *wanted)
{
	ck_assert_msg(strstr(text, wanted) != NULL, "no %s in\n%s", wanted, text);
}

START_TEST(text_without_data_lists_the_heads)
{
	const char *text;

	model.mask[1] = true;
	text = print_text();
	assert_shows(text, "head  label   masked\n"
			   "   0  head 0  \n"
			   "   1  head 1  masked\n");
	ck_assert_ptr_null(strstr(text, "accuracy"));
}
END_TEST

START_TEST(text_has_scores_and_correlations)
{
	const char *text;

	score();
	text = print_text();
	assert_shows(text, "pairs.jsonl: 20 pairs\n"
			   "head  label   masked  weight  accuracy     NLL\n"
			   "   0  head 0          0.3333    1.0000  ");
	assert_shows(text, "   2  head 2          0.3333    0.0000  ");
	assert_shows(text, "\ncorrelation of the predictions of two heads: mean ");
	assert_shows(text, "2 -100 ");
	ck_assert_ptr_null(strstr(text, "context"));
}
END_TEST

START_TEST(text_says_what_was_changed)
{
	const char *text;

	change();
	report.out = "out.safetensors";
	score();
	text = print_text();
	assert_shows(text, "audit on 20 pairs of safety.jsonl, rejected above chosen:\n"
			   "  head 0: 0.0000\n"
			   "  head 1: 0.0000\n"
			   "  head 2: 1.0000, masked\n"
			   "more than 0.5: 1 of 3 heads\n");
	assert_shows(text, "merged: 0+1; 2 heads are left\n"
			   "  pairs.jsonl: accuracy 1.0000 -> 1.0000, NLL ");
	assert_shows(text, ", written to out.safetensors\n");
}
END_TEST

START_TEST(text_says_that_nothing_is_merged)
{
	ck_assert_int_eq(head_changes_merge(&model, &data, 1, 1, &merging, NULL), STATUS_OK);
	score();
	assert_shows(print_text(), "no two heads correlate by 1 or more: nothing is merged\n");
}
END_TEST

START_TEST(json_has_every_number_and_null_for_what_was_not_asked)
{
	json_t *object;

	score();
	ck_assert_int_eq(heads_report_json(&report, capture.terminal.out, NULL), STATUS_OK);
	object = json_loads(capture_text(&capture), JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(object);
	ck_assert(json_is_null(json_object_get(object, "audit")));
	ck_assert(json_is_null(json_object_get(object, "merge")));
	ck_assert_uint_eq(json_array_size(json_object_get(object, "heads")), 3);
	ck_assert_uint_eq(json_array_size(json_object_get(object, "weights")), 3);
	ck_assert_uint_eq(json_array_size(json_object_get(object, "correlation")), 3);
	ck_assert_uint_eq(json_array_size(json_object_get(object, "sets")), 1);
	json_decref(object);
}
END_TEST

START_TEST(json_names_the_groups_and_the_masked)
{
	json_t *object, *groups, *masked, *wanted_groups, *wanted_masked;

	change();
	score();
	ck_assert_int_eq(heads_report_json(&report, capture.terminal.out, NULL), STATUS_OK);
	object = json_loads(capture_text(&capture), JSON_REJECT_DUPLICATES, NULL);
	groups = json_object_get(json_object_get(object, "merge"), "groups");
	masked = json_object_get(json_object_get(object, "audit"), "masked");
	wanted_groups = json_pack("[[i,i],[i]]", 0, 1, 2);
	wanted_masked = json_pack("[i]", 2);
	ck_assert(json_equal(groups, wanted_groups));
	ck_assert(json_equal(masked, wanted_masked));
	json_decref(wanted_groups);
	json_decref(wanted_masked);
	json_decref(object);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("heads_report");
	TCase *tcase = tcase_create("heads_report");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, text_without_data_lists_the_heads);
	tcase_add_test(tcase, text_has_scores_and_correlations);
	tcase_add_test(tcase, text_says_what_was_changed);
	tcase_add_test(tcase, text_says_that_nothing_is_merged);
	tcase_add_test(tcase, json_has_every_number_and_null_for_what_was_not_asked);
	tcase_add_test(tcase, json_names_the_groups_and_the_masked);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
