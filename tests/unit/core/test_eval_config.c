/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/eval/adapt.h"
#include "core/tool/eval_config.h"
#include "tests/unit/core/capture_fixture.h"
#include "tests/unit/unit.h"

#define MAX_ARGUMENTS 10

static struct eval_config config;
static struct err err;

/* Parse the arguments up to the first NULL. */
static enum status parse(const char *const arguments[MAX_ARGUMENTS])
{
	char *argv[MAX_ARGUMENTS + 1] = {(char *)"eval"};
	int argc = 1;

	for (size_t i = 0; i < MAX_ARGUMENTS && arguments[i] != NULL; i++)
		argv[argc++] = (char *)arguments[i];
	return eval_config_parse(argc, argv, &config, &err);
}

START_TEST(one_model_adapts_by_hedge_without_a_protocol)
{
	ck_assert_int_eq(parse((const char *[MAX_ARGUMENTS]){"--model=m", "--data=d"}), STATUS_OK);
	ck_assert_str_eq(config.model, "m");
	ck_assert_str_eq(config.data, "d");
	ck_assert_int_eq(config.adapt, ADAPT_HEDGE);
	ck_assert_double_eq(config.tau, 1);
	ck_assert_double_eq(config.drift, 0);
	ck_assert_uint_eq(config.shots.n, 0);
	ck_assert_ptr_null(config.compare);
}
END_TEST

START_TEST(ways_to_adapt_have_their_names)
{
	const char *name = adapt_name((enum adapt_method)_i);

	ck_assert_int_eq(parse((const char *[MAX_ARGUMENTS]){"--model=m", "--data=d", "--adapt",
							     name, "--shots=0,4"}),
			 STATUS_OK);
	ck_assert_int_eq(config.adapt, _i);
	ck_assert_uint_eq(config.shots.number[1], 4);
}
END_TEST

START_TEST(a_comparison_has_defaults)
{
	ck_assert_int_eq(
	    parse((const char *[MAX_ARGUMENTS]){"--compare=bt,panel", "--data=d", "--test=t"}),
	    STATUS_OK);
	ck_assert_str_eq(config.test, "t");
	ck_assert_uint_eq(config.methods.n, 2);
	ck_assert_uint_eq(config.shots.n, 5);
	ck_assert_uint_eq(config.shots.number[4], 8);
	ck_assert_int_eq(config.seed, 1);
	ck_assert_int_eq(config.seeds, 3);
	ck_assert_int_eq(config.heads, 16);
	ck_assert_int_eq(config.epochs, 0);
	ck_assert_ptr_null(config.encoder);
}
END_TEST

START_TEST(a_comparison_reads_its_lists)
{
	ck_assert_int_eq(parse((const char *[MAX_ARGUMENTS]){
			     "--compare=panel", "--data=d", "--test=t", "--route=r", "--contexts=c",
			     "--heads-curve=2,8", "--budgets=26,104", "--shots=3"}),
			 STATUS_OK);
	ck_assert_uint_eq(config.heads_curve.n, 2);
	ck_assert_uint_eq(config.heads_curve.number[1], 8);
	ck_assert_uint_eq(config.budgets.number[0], 26);
	ck_assert_uint_eq(config.shots.n, 1);
}
END_TEST

static const struct {
	const char *arguments[MAX_ARGUMENTS];
	const char *message;
} refusals[] = {
    {{"--data=d"}, "--model is missing"},
    {{"--model=m"}, "--data"},
    {{"--model=m", "--data=d", "--test=t"}, "--test goes with --compare only"},
    {{"--model=m", "--data=d", "--seeds", "3"}, "--seeds goes with --compare only"},
    {{"--model=m", "--data=d", "--report=r"}, "--report goes with --compare only"},
    {{"--model=m", "--data=d", "--quiet"}, "--quiet goes with --compare only"},
    {{"--model=m", "--data=d", "--adapt=lore"}, "--adapt needs --shots"},
    {{"--model=m", "--data=d", "--tau=2"}, "--tau needs --shots"},
    {{"--model=m", "--data=d", "--drift=0.1"}, "--drift needs --shots"},
    {{"--model=m", "--data=d", "--shots=2", "--adapt=hyre", "--tau=2"},
     "--tau goes with --adapt hedge, not with --adapt hyre"},
    {{"--model=m", "--data=d", "--shots=2", "--adapt=none", "--drift", "0"},
     "--drift goes with --adapt hedge, not with --adapt none"},
    {{"--model=m", "--data=d", "--adapt=magic"}, "hedge, none, hyre"},
    {{"--compare=bt", "--data=d"}, "--test is missing"},
    {{"--compare=bt", "--data=d", "--test=t", "--model=m"}, "--model does not go with --compare"},
    {{"--compare=bt", "--data=d", "--test=t", "--adapt=lore"},
     "--adapt does not go with --compare"},
    {{"--compare=bt", "--data=d", "--test=t", "--tau=1"}, "--tau does not go with --compare"},
    {{"--compare=bt", "--data=d", "--test=t", "--budgets=8"}, "--budgets needs the pairs of"},
    {{"--compare=bert", "--data=d", "--test=t"}, "--compare: bert: want all, bt,"},
    {{"--compare=bt", "--data=d", "--test=t", "--shots=2,1"}, "--shots 2,1: want ascending"},
    {{"--compare=bt", "--data=d", "--test=t", "--heads-curve=1,2"}, "--heads-curve 1,2: want"},
    {{"--compare=bt", "--data=d", "--test=\xff"}, "--test: want valid UTF-8"},
    {{"--compare=bt", "--data=/dev/null", "--test=t", "--report=/dev/null"},
     "--report /dev/null is the file of --data"},
};

START_TEST(refuses)
{
	ck_assert_int_eq(parse(refusals[_i].arguments), STATUS_USAGE);
	ck_assert_msg(strstr(err.msg, refusals[_i].message) != NULL, "%s", err.msg);
}
END_TEST

START_TEST(help_tells_both_ways_apart)
{
	struct capture capture;
	const char *text, *adapt, *comparisons, *compare, *test;

	capture_start(&capture, false, false);
	help_print(&eval_config_help, capture.terminal.out);
	text = capture_text(&capture);
	adapt = strstr(text, "--adapt");
	comparisons = strstr(text, "\nto compare methods:\n");
	ck_assert(adapt != NULL && comparisons != NULL && adapt < comparisons);
	compare = strstr(comparisons, "\n  --compare");
	test = strstr(comparisons, "\n  --test");
	ck_assert(compare != NULL && test != NULL);
	capture_end(&capture);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("eval_config");
	TCase *tcase = tcase_create("eval_config");

	tcase_add_test(tcase, one_model_adapts_by_hedge_without_a_protocol);
	tcase_add_loop_test(tcase, ways_to_adapt_have_their_names, 0, N_ADAPT_METHODS);
	tcase_add_test(tcase, a_comparison_has_defaults);
	tcase_add_test(tcase, a_comparison_reads_its_lists);
	tcase_add_loop_test(tcase, refuses, 0, (int)LENGTH(refusals));
	tcase_add_test(tcase, help_tells_both_ways_apart);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
