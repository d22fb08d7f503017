/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "core/compare/method.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/unit.h"

START_TEST(names_stand_for_an_objective_and_a_way_to_adapt)
{
	struct compare_methods methods;

	ck_assert_int_eq(compare_methods_parse("ensemble,micro+lore,panel", &methods, NULL),
			 STATUS_OK);
	ck_assert_uint_eq(methods.n, 3);
	ck_assert(!methods.all);
	ck_assert_str_eq(methods.method[0].name, "ensemble");
	ck_assert_int_eq(methods.method[0].objective, OBJECTIVE_ENSEMBLE);
	ck_assert_int_eq(methods.method[0].adapt, ADAPT_HYRE);
	ck_assert_str_eq(methods.method[1].name, "micro+lore");
	ck_assert_int_eq(methods.method[1].objective, OBJECTIVE_MICRO);
	ck_assert_int_eq(methods.method[1].adapt, ADAPT_LORE);
	ck_assert_int_eq(methods.method[2].objective, OBJECTIVE_PANEL);
	ck_assert_int_eq(methods.method[2].adapt, ADAPT_HEDGE);
}
END_TEST

/* a new objective must not be forgotten here */
START_TEST(all_has_every_objective)
{
	struct compare_methods methods;

	ck_assert_int_eq(compare_methods_parse("all", &methods, NULL), STATUS_OK);
	ck_assert(methods.all);
	ck_assert_uint_eq(methods.n, N_OBJECTIVES - 1);
	for (int objective = OBJECTIVE_AUTO + 1; objective < N_OBJECTIVES; objective++) {
		size_t n = 0;

		for (size_t i = 0; i < methods.n; i++)
			n += (int)methods.method[i].objective == objective;
		ck_assert_uint_eq(n, 1);
	}
}
END_TEST

static const struct {
	const char *list, *message;
} refusals[] = {
    {"", ": want all, bt, static,"},
    {"bt,", ": want all, bt, static,"},
    {"bt,,panel", ": want all, bt, static,"},
    {"bert", "bert: want all, bt, static,"},
    {"auto+hedge", "auto+hedge: want all,"},
    {"panel+", "panel+: want all,"},
    {"+lore", "+lore: want all,"},
    {"panel+hedge+lore", "panel+hedge+lore: want all,"},
    {"all,bt", "all: want all,"},
    {"bt,micro,bt", "bt is there twice"},
};

START_TEST(refuses)
{
	struct compare_methods methods;
	struct err err;

	ck_assert_int_eq(compare_methods_parse(refusals[_i].list, &methods, &err),
			 STATUS_INVALID_VALUE);
	ck_assert_msg(strstr(err.msg, refusals[_i].message) == err.msg, "%s", err.msg);
}
END_TEST

START_TEST(a_method_too_many_is_refused)
{
	static const char *const objectives[] = {"bt",	       "static", "ensemble", "drm",
						 "attributes", "micro",	 "lore",     "panel"};
	static const char *const adapts[] = {"hedge", "none", "hyre", "lore"};
	char list[COMPARE_MAX_METHODS * 20 + 8] = "";
	struct compare_methods methods;
	struct err err;

	for (size_t i = 0; i < COMPARE_MAX_METHODS; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%s%s+%s", i == 0 ? "" : ",", objectives[i / 4],
			 adapts[i % 4]);
		strcat(list, name);
	}
	ck_assert_int_eq(compare_methods_parse(list, &methods, &err), STATUS_OK);
	strcat(list, ",panel");
	ck_assert_int_eq(compare_methods_parse(list, &methods, &err), STATUS_INVALID_VALUE);
	ck_assert_str_eq(err.msg, "want at most 32 methods");
}
END_TEST

START_TEST(describes_both_parts)
{
	struct compare_methods methods;
	char text[256];

	ck_assert_int_eq(compare_methods_parse("panel+lore", &methods, NULL), STATUS_OK);
	compare_method_describe(&methods.method[0], text, sizeof(text));
	ck_assert_ptr_eq(strstr(text, objective_summary(OBJECTIVE_PANEL)), text);
	ck_assert_ptr_nonnull(strstr(text, "; a user's weights are fitted"));
	ck_assert_int_eq(text[strlen(text) - 1], '.');
}
END_TEST

START_TEST(heads_and_epochs_are_put_in_where_they_are_free)
{
	struct compare_methods methods;
	struct train_options options;
	struct dataset data;

	pairs_two_tastes(4, 3, 1, &data);
	ck_assert_int_eq(compare_methods_parse("bt,panel", &methods, NULL), STATUS_OK);
	ck_assert_int_eq(compare_method_options(&methods.method[0], &data, 5, 3, &options, NULL),
			 STATUS_OK);
	ck_assert_uint_eq(options.n_heads, 1);
	ck_assert_uint_eq(options.epochs, 3);
	ck_assert_int_eq(compare_method_options(&methods.method[1], &data, 5, 0, &options, NULL),
			 STATUS_OK);
	ck_assert_uint_eq(options.n_heads, 5);
	ck_assert_uint_gt(options.epochs, 3);
	dataset_free(&data);
}
END_TEST

START_TEST(data_that_lacks_what_a_method_needs_is_refused_by_its_name)
{
	struct compare_methods methods;
	struct train_options options;
	struct dataset data;
	struct err err;

	pairs_two_tastes(4, 3, 1, &data);
	ck_assert_int_eq(compare_methods_parse("attributes", &methods, NULL), STATUS_OK);
	ck_assert_int_eq(compare_method_options(&methods.method[0], &data, 5, 0, &options, &err),
			 STATUS_INVALID_VALUE);
	ck_assert_msg(strstr(err.msg, "attributes: ") == err.msg, "%s", err.msg);
	dataset_free(&data);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("method");
	TCase *tcase = tcase_create("method");

	tcase_add_test(tcase, names_stand_for_an_objective_and_a_way_to_adapt);
	tcase_add_test(tcase, all_has_every_objective);
	tcase_add_loop_test(tcase, refuses, 0, (int)LENGTH(refusals));
	tcase_add_test(tcase, a_method_too_many_is_refused);
	tcase_add_test(tcase, describes_both_parts);
	tcase_add_test(tcase, heads_and_epochs_are_put_in_where_they_are_free);
	tcase_add_test(tcase, data_that_lacks_what_a_method_needs_is_refused_by_its_name);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
