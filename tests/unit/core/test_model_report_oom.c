/* SPDX-License-Identifier: Apache-2.0 */
/* test_model_report_oom.c - every allocation of a report on a model fails in turn. */
#include "core/tool/model_report.h"
#include "tests/unit/core/capture_fixture.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/unit.h"

static enum status report(const struct model *model, const struct terminal *terminal)
{
	struct head_likeness likeness;
	enum status status = head_likeness_init(&likeness, &model->heads, NULL);

	if (status != STATUS_OK)
		return status;
	status = model_report_text("m", model, &likeness, terminal, NULL);
	head_likeness_free(&likeness);
	return status;
}

/* 3 heads: a matrix; 17: a list */
static const size_t n_heads[] = {3, 17};

START_TEST(failure_is_reported_and_leaves_nothing)
{
	enum status status = STATUS_NO_MEMORY;
	struct capture capture;
	struct model model;
	long n;

	capture_start(&capture, false, false);
	pairs_model(n_heads[_i], ROUTER_STATIC, 0, &model);
	for (n = 0; status != STATUS_OK; n++) {
		mem_fail_after(n);
		status = report(&model, &capture.terminal);
		mem_fail_after(-1);
		ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
	}
	ck_assert_int_ge(n, 50);
	model_free(&model);
	capture_end(&capture);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("model_report out of memory");
	TCase *tcase = tcase_create("sweep");

	tcase_add_loop_test(tcase, failure_is_reported_and_leaves_nothing, 0, (int)LENGTH(n_heads));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
