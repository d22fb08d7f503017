/* SPDX-License-Identifier: Apache-2.0 */
/* test_stage2_oom.c - every allocation of stage 2 fails in turn. */
#include <string.h>

#include "core/train/stage2.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/unit.h"

#define MAX_ALLOCATIONS 5000

static const enum router_kind kinds[] = {ROUTER_LINEAR, ROUTER_MLP};

START_TEST(stage2_run_survives_any_failed_allocation)
{
	struct stage2_options options;
	enum status status = STATUS_NO_MEMORY;
	struct dataset data;
	long n;

	stage2_defaults(&options);
	options.epochs = 1;
	options.holdout = 0.5;
	pairs_two_tastes(6, 3, 1, &data);
	pairs_set_contexts(&data);
	for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		struct stage2_result result;
		struct model model, before;
		struct err err;

		pairs_opposed_model(kinds[_i], 4, &model);
		pairs_opposed_model(kinds[_i], 4, &before);
		mem_fail_after(n);
		status = stage2_run(&data, &options, NULL, NULL, &model, &result, &err);
		mem_fail_after(-1);
		ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY,
			      "allocation %ld: %s", n, err.msg);
		if (status != STATUS_OK)
			ck_assert_mem_eq(model.router.params, before.router.params,
					 before.router.n_params * sizeof(float));
		model_free(&model);
		model_free(&before);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_gt(n, 100);
	dataset_free(&data);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stage2 out of memory");
	TCase *tcase = tcase_create("sweep");

	tcase_add_loop_test(tcase, stage2_run_survives_any_failed_allocation, 0,
			    (int)LENGTH(kinds));
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
