/* SPDX-License-Identifier: Apache-2.0 */
/* test_writer_oom.c - every allocation of the writer fails in turn. */
#include "server/writer.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/unit.h"

START_TEST(start_survives_any_failed_allocation)
{
	struct store store = {0}; /* nothing is submitted to it */
	enum status status = STATUS_NO_MEMORY;
	struct writer *writer;
	long n;

	for (n = 0; n < 10 && status != STATUS_OK; n++) {
		struct err err = {0};

		mem_fail_after(n);
		status = writer_start(&store, 4, 4, &writer, &err);
		mem_fail_after(-1);
		ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY,
			      "allocation %ld: %s", n, err.msg);
		ck_assert((writer != NULL) == (status == STATUS_OK));
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_gt(n, 2);
	writer_stop(writer);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("writer_oom");
	TCase *tcase = tcase_create("sweep");

	tcase_add_test(tcase, start_survives_any_failed_allocation);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
