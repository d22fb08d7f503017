/* SPDX-License-Identifier: Apache-2.0 */
/* test_pool_oom.c - every allocation of a pool fails in turn. */
#include "core/base/pool.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/unit.h"

START_TEST(pool_start_survives_any_failed_allocation)
{
	enum status status = STATUS_NO_MEMORY;
	long n;

	for (n = 0; n < 10 && status != STATUS_OK; n++) {
		struct pool *pool;

		mem_fail_after(n);
		status = pool_start(3, &pool, NULL);
		mem_fail_after(-1);
		if (status == STATUS_OK)
			pool_stop(pool);
		else
			ck_assert_int_eq(status, STATUS_NO_MEMORY);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_eq(n, 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pool out of memory");
	TCase *tcase = tcase_create("sweep");

	tcase_add_test(tcase, pool_start_survives_any_failed_allocation);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
