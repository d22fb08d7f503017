/* SPDX-License-Identifier: Apache-2.0 */
/* test_diagnosis_oom.c - every allocation of micro-model diagnose's work fails in turn. */
#include <jansson.h>

#include "core/base/mem.h"
#include "core/tool/diagnose_report.h"
#include "tests/unit/core/capture_fixture.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/unit.h"

#define MAX_ALLOCATIONS 3000
#define N_PEOPLE	DIAGNOSIS_MIN_USERS

static void *allocate(size_t size)
{
	return mem_array(size, 1);
}

static enum status examine(const struct dataset *data, const struct encoder *encoder, bool json,
			   struct capture *capture, struct err *err)
{
	const struct diagnosis_options options = {
	    .seed = 1, .budget = DIAGNOSIS_BUDGET, .n_threads = 1};
	struct diagnose_report report = {.data = "pairs.jsonl", .encoder = "none:4", .seed = 1};
	enum status status = repeats_measure(data, &report.repeats, err);

	if (status == STATUS_OK)
		status = diagnosis_run(data, encoder, &options, NULL, NULL, &report.diagnosis, err);
	if (status == STATUS_OK)
		status = json ? diagnose_report_json(&report, capture->terminal.out, err)
			      : diagnose_report_text(&report, &capture->terminal, err);
	return status;
}

START_TEST(diagnosis_survives_any_failed_allocation)
{
	enum status status = STATUS_NO_MEMORY;
	struct encoder *encoder;
	struct capture capture;
	struct dataset data;
	long n;

	json_set_alloc_funcs(allocate, mem_free);
	capture_start(&capture, true, true);
	pairs_two_tastes(N_PEOPLE, 2, 1, &data);
	ck_assert(encoder_open("none:4", &encoder, NULL) == STATUS_OK);
	for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		struct err err;

		mem_fail_after(n);
		status = examine(&data, encoder, _i == 1, &capture, &err);
		mem_fail_after(-1);
		ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY,
			      "allocation %ld: %s", n, err.msg);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_gt(n, 200);
	encoder_close(encoder);
	dataset_free(&data);
	capture_end(&capture);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("diagnosis out of memory");
	TCase *tcase = tcase_create("sweep");

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, diagnosis_survives_any_failed_allocation, 0, 2);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
