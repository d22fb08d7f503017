/* SPDX-License-Identifier: Apache-2.0 */
/* test_train_settle.c - objective, options and data go together, or are refused by name. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/train/train.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/unit.h"

START_TEST(settle_puts_in_what_the_data_tells)
{
	struct train_options options, again;
	struct dataset data;

	pairs_two_tastes(20, 8, 1, &data);
	pairs_set_contexts(&data);
	train_defaults(OBJECTIVE_ATTRIBUTES, &options);
	ck_assert(train_settle(&data, &options, NULL) == STATUS_OK);
	ck_assert_uint_eq(options.n_heads, 2);
	ck_assert(isfinite(options.init_scale));
	again = options;
	ck_assert(train_settle(&data, &again, NULL) == STATUS_OK);
	ck_assert_mem_eq(&again, &options, sizeof(options));
	train_defaults(OBJECTIVE_AUTO, &options);
	ck_assert(train_settle(&data, &options, NULL) == STATUS_OK);
	ck_assert_int_eq(options.objective, OBJECTIVE_PANEL);
	dataset_free(&data);
}
END_TEST

START_TEST(settle_refuses_a_pair_without_context_by_its_number)
{
	struct train_options options;
	struct dataset data;
	struct err err;

	pairs_two_tastes(20, 8, 1, &data);
	pairs_set_contexts(&data);
	data.context[6] = data.context[9] = DATASET_NONE;
	train_defaults(OBJECTIVE_ATTRIBUTES, &options);
	ck_assert_int_eq(train_settle(&data, &options, &err), STATUS_INVALID_VALUE);
	ck_assert_msg(strstr(err.msg, "2 of 160 have none, the first is pair 7") != NULL, "%s",
		      err.msg);
	dataset_free(&data);
}
END_TEST

START_TEST(settle_refuses_other_heads_than_contexts)
{
	struct train_options options;
	struct dataset data;
	struct err err;

	pairs_two_tastes(20, 8, 1, &data);
	pairs_set_contexts(&data);
	train_defaults(OBJECTIVE_ATTRIBUTES, &options);
	options.n_heads = 3;
	ck_assert_int_eq(train_settle(&data, &options, &err), STATUS_INVALID_VALUE);
	ck_assert_str_eq(err.msg, "the attributes objective makes a head for each of 2 contexts, "
				  "not 3 heads");
	dataset_free(&data);
}
END_TEST

START_TEST(settle_refuses_more_contexts_than_heads_are_allowed)
{
	struct train_options options;
	struct dataset data;
	struct err err;

	pairs_two_tastes(20, 8, 1, &data);
	memset(data.context, 0, data.n_pairs * sizeof(*data.context));
	data.n_contexts = HEADS_MAX + 1;
	train_defaults(OBJECTIVE_ATTRIBUTES, &options);
	ck_assert_int_eq(train_settle(&data, &options, &err), STATUS_INVALID_VALUE);
	ck_assert_msg(strstr(err.msg, "1025 contexts, and at most 1024 heads") != NULL, "%s",
		      err.msg);
	data.n_contexts = 0;
	dataset_free(&data);
}
END_TEST

/* bt, static, ensemble, drm, lore: other routers make no sense */
START_TEST(settle_refuses_a_router_that_the_objective_cannot_have)
{
	static const enum objective objectives[] = {
	    OBJECTIVE_BT, OBJECTIVE_STATIC, OBJECTIVE_ENSEMBLE, OBJECTIVE_DRM, OBJECTIVE_LORE};
	struct train_options options;
	struct dataset data;
	char want[80];
	struct err err;

	pairs_two_tastes(20, 8, 1, &data);
	train_defaults(objectives[_i], &options);
	options.router = ROUTER_MLP;
	snprintf(want, sizeof(want),
		 "the %s objective has a static router, not a router of kind mlp",
		 objective_name(objectives[_i]));
	ck_assert_int_eq(train_settle(&data, &options, &err), STATUS_INVALID_VALUE);
	ck_assert_str_eq(err.msg, want);
	dataset_free(&data);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("train_settle");
	TCase *settle = tcase_create("train_settle");

	tcase_add_test(settle, settle_puts_in_what_the_data_tells);
	tcase_add_test(settle, settle_refuses_a_pair_without_context_by_its_number);
	tcase_add_test(settle, settle_refuses_other_heads_than_contexts);
	tcase_add_test(settle, settle_refuses_more_contexts_than_heads_are_allowed);
	tcase_add_loop_test(settle, settle_refuses_a_router_that_the_objective_cannot_have, 0, 5);
	suite_add_tcase(suite, settle);
	return unit_run(suite);
}
