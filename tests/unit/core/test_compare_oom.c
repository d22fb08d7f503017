/* SPDX-License-Identifier: Apache-2.0 */
/* test_compare_oom.c - every allocation of a comparison and of its report fails in turn. */
#include <jansson.h>

#include "core/base/mem.h"
#include "core/compare/compare.h"
#include "core/tool/compare_report.h"
#include "tests/unit/core/capture_fixture.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/unit.h"

#define MAX_ALLOCATIONS 20000

static const size_t heads[] = {3}, budgets[] = {8};
static const uint32_t map_pairs[] = {0, 3};
static char even[] = "even", odd[] = "odd";
static char *map_names[] = {even, odd};

static void *allocate(size_t size)
{
	return mem_array(size, 1);
}

static double no_clock(void)
{
	return 0;
}

static struct encoder *encoder;
static struct dataset data;
static struct compare_methods methods;
static struct compare_options options;

static void setup(void)
{
	ck_assert_int_eq(encoder_open("none:4", &encoder, NULL), STATUS_OK);
	pairs_two_tastes(6, 3, 1, &data);
	pairs_set_contexts(&data);
	ck_assert_int_eq(compare_methods_parse("bt+lore,panel", &methods, NULL), STATUS_OK);
	options = (struct compare_options){
	    .encoder = encoder,
	    .train = {"train", &data},
	    .test = {"test", &data},
	    .route = {"route", &data},
	    .methods = &methods,
	    .n_heads = 2,
	    .epochs = 1,
	    .shots = {0, 1},
	    .n_threads = 1,
	    .n_shots = 2,
	    .n_seeds = 1,
	    .heads_curve = {heads, 1},
	    .budgets = {budgets, 1},
	    .map_pairs = map_pairs,
	    .map_names = map_names,
	    .n_map_rows = 2,
	    .clock = no_clock,
	};
}

static void teardown(void)
{
	dataset_free(&data);
	encoder_close(encoder);
}

/* In seven parts, every seventh allocation each, so that none takes long. */
START_TEST(compare_run_survives_any_failed_allocation)
{
	enum status status = STATUS_NO_MEMORY;
	long n, n_tried = 0;

	for (n = _i; n < MAX_ALLOCATIONS && status != STATUS_OK; n += 7) {
		struct comparison comparison;
		struct err err;

		mem_fail_after(n);
		status = compare_run(&options, NULL, NULL, &comparison, &err);
		mem_fail_after(-1);
		ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY,
			      "allocation %ld: %s", n, err.msg);
		if (status == STATUS_OK)
			comparison_free(&comparison);
		else
			ck_assert_uint_eq(comparison.n_results, 0);
		n_tried++;
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_gt(n_tried, 100);
}
END_TEST

START_TEST(compare_map_rows_survives_any_failed_allocation)
{
	enum status status = STATUS_NO_MEMORY;
	uint32_t pairs[4];
	size_t n_rows;
	long n;

	for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		mem_fail_after(n);
		status = compare_map_rows(&data, pairs, 4, &n_rows, NULL);
		mem_fail_after(-1);
		ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_gt(n, 4);
}
END_TEST

typedef enum status report_fn(const struct compare_report *report, const struct terminal *terminal,
			      struct err *err);

static enum status report_json(const struct compare_report *report, const struct terminal *terminal,
			       struct err *err)
{
	return compare_report_json(report, terminal->out, err);
}

static report_fn *const reports[] = {compare_report_text, report_json};

START_TEST(reports_survive_any_failed_allocation)
{
	enum status status = STATUS_NO_MEMORY;
	struct compare_report report = {.n_left_out = 1, .left_out = {{"drm", "drm: no"}}};
	struct capture capture;
	long n;

	ck_assert_int_eq(compare_run(&options, NULL, NULL, &report.comparison, NULL), STATUS_OK);
	for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		capture_start(&capture, false, false);
		mem_fail_after(n);
		status = reports[_i](&report, &capture.terminal, NULL);
		mem_fail_after(-1);
		ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
		capture_end(&capture);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_gt(n, 20);
	comparison_free(&report.comparison);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("compare out of memory");
	TCase *tcase = tcase_create("sweep");

	json_set_alloc_funcs(allocate, mem_free);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, compare_run_survives_any_failed_allocation, 0, 7);
	tcase_add_test(tcase, compare_map_rows_survives_any_failed_allocation);
	tcase_add_loop_test(tcase, reports_survive_any_failed_allocation, 0, 2);
	tcase_set_timeout(tcase, 120);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
