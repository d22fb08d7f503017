/* SPDX-License-Identifier: Apache-2.0 */
/* test_train_oom.c - every allocation of training and evaluation fails in turn. */
#include <stdlib.h>

#include "core/eval/eval.h"
#include "core/train/train.h"
#include "tests/unit/core/dense_fixture.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/unit.h"

#define MAX_ALLOCATIONS 500

START_TEST(train_run_survives_any_failed_allocation)
{
	struct train_options options;
	struct dataset data;
	enum status status = STATUS_NO_MEMORY;
	long n;

	train_defaults((enum objective)_i, &options);
	options.n_heads = _i == OBJECTIVE_BT ? 1 : 2;
	options.n_hidden = 4;
	if (options.epochs > 0)
		options.epochs = 1;
	pairs_two_tastes(6, 3, 1, &data);
	pairs_set_contexts(&data);
	for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		struct model model;
		struct err err;

		pairs_model(options.n_heads, options.router, 4, &model);
		mem_fail_after(n);
		status = train_run(&data, &options, NULL, NULL, &model, &err);
		mem_fail_after(-1);
		ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY,
			      "allocation %ld: %s", n, err.msg);
		model_free(&model);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_gt(n, 20);
	dataset_free(&data);
}
END_TEST

START_TEST(train_run_on_threads_survives_any_failed_allocation)
{
	enum status status = STATUS_NO_MEMORY;
	struct train_options options;
	struct dataset data;
	long n;

	train_defaults(OBJECTIVE_MICRO, &options);
	options.n_heads = 2;
	options.n_hidden = 4;
	options.epochs = 1;
	options.n_threads = 2;
	dense_pairs(_i, &data);
	for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		struct model model;

		dense_model(2, ROUTER_MLP, 4, &model);
		mem_fail_after(n);
		status = train_run(&data, &options, NULL, NULL, &model, NULL);
		mem_fail_after(-1);
		ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY,
			      "allocation %ld: %s", n, status_code(status));
		model_free(&model);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_gt(n, 20);
	dataset_free(&data);
}
END_TEST

START_TEST(eval_run_survives_any_failed_allocation)
{
	struct eval_options options = {.shots = {1}, .n_shots = 1, .temperature = 1};
	enum status status = STATUS_NO_MEMORY;
	struct dataset data;
	struct model model;
	long n;

	pairs_two_tastes(6, 3, 1, &data);
	pairs_model(2, ROUTER_MLP, 4, &model);
	for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		struct eval_result result;
		struct err err;

		mem_fail_after(n);
		status = eval_run(&model, &data, &options, &result, &err);
		mem_fail_after(-1);
		ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY,
			      "allocation %ld: %s", n, err.msg);
		if (status == STATUS_OK)
			eval_result_free(&result);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_gt(n, 5);
	model_free(&model);
	dataset_free(&data);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("train out of memory");
	TCase *tcase = tcase_create("sweep");

	tcase_add_loop_test(tcase, train_run_survives_any_failed_allocation, OBJECTIVE_BT,
			    N_OBJECTIVES);
	tcase_add_loop_test(tcase, train_run_on_threads_survives_any_failed_allocation, 0, 2);
	tcase_add_test(tcase, eval_run_survives_any_failed_allocation);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
