/* SPDX-License-Identifier: Apache-2.0 */
/* test_heads_report_oom.c - every allocation of micro-model heads' work fails in turn. */
#include <jansson.h>

#include "core/base/mem.h"
#include "core/tool/heads_report.h"
#include "tests/unit/core/capture_fixture.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/unit.h"

#define MAX_ALLOCATIONS 2000

enum form { FORM_TEXT, FORM_JSON, N_FORMS };

static void *allocate(size_t size)
{
	return mem_array(size, 1);
}

static enum status change(struct model *model, const struct dataset *data, struct head_audit *audit,
			  struct head_merging *merging, struct err *err)
{
	const struct head_orders orders = {.label = "0=a", .mask = "2", .unmask = "1"};
	enum status status = head_changes_order(model, &orders, err);

	if (status == STATUS_OK)
		status = head_changes_audit(model, data, 0.9, audit, err);
	if (status == STATUS_OK)
		status = head_changes_merge(model, data, 1, 0.5, merging, err);
	return status;
}

static enum status examine(struct model *model, const struct dataset *data, enum form form,
			   struct capture *capture, struct err *err)
{
	const char *path = "pairs.jsonl";
	struct head_audit audit = {0};
	struct head_merging merging = {0};
	struct heads_report report = {.model = model,
				      .audit = &audit,
				      .audit_data = path,
				      .merging = &merging,
				      .paths = &path,
				      .datasets = data,
				      .n_datasets = 1};
	enum status status = change(model, data, &audit, &merging, err);

	if (status == STATUS_OK)
		status = heads_report_score(&report, err);
	if (status == STATUS_OK)
		status = form == FORM_JSON ? heads_report_json(&report, capture->terminal.out, err)
					   : heads_report_text(&report, &capture->terminal, err);
	heads_report_free(&report);
	head_audit_free(&audit);
	head_merging_free(&merging);
	return status;
}

START_TEST(changes_and_reports_survive_any_failed_allocation)
{
	enum status status = STATUS_NO_MEMORY;
	struct capture capture;
	struct dataset data;
	long n;

	json_set_alloc_funcs(allocate, mem_free);
	capture_start(&capture, false, false);
	pairs_one_taste(6, 3, 1, &data);
	for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		struct model model;
		struct err err;

		pairs_model(4, ROUTER_LINEAR, 0, &model);
		model.heads.weight[0] = model.heads.weight[1] = 1;
		mem_fail_after(n);
		status = examine(&model, &data, _i, &capture, &err);
		mem_fail_after(-1);
		ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY,
			      "allocation %ld: %s", n, err.msg);
		model_free(&model);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_gt(n, 80);
	capture_end(&capture);
	dataset_free(&data);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("heads_report out of memory");
	TCase *tcase = tcase_create("sweep");

	tcase_add_loop_test(tcase, changes_and_reports_survive_any_failed_allocation, 0, N_FORMS);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
