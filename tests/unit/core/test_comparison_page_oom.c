/* SPDX-License-Identifier: Apache-2.0 */
/* test_comparison_page_oom.c - every allocation of the page fails in turn. */
#include "core/report/comparison_page.h"
#include "tests/unit/core/capture_fixture.h"
#include "tests/unit/core/comparison_fixture.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/unit.h"

#define MAX_ALLOCATIONS 100

START_TEST(page_survives_any_failed_allocation)
{
	static struct comparison_fixture fixture;
	enum status status = STATUS_NO_MEMORY;
	struct capture capture;
	long n;

	fixture_make(&fixture, &(struct fixture_size){3, 4, 4, 2, 2});
	capture_start(&capture, false, false);
	for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		struct err err;

		mem_fail_after(n);
		status = comparison_page_write(&fixture.comparison, capture.terminal.out, &err);
		mem_fail_after(-1);
		ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY,
			      "allocation %ld: %s", n, err.msg);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_gt(n, 8);
	capture_end(&capture);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("comparison_page out of memory");
	TCase *tcase = tcase_create("sweep");

	tcase_add_test(tcase, page_survives_any_failed_allocation);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
