/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/tool/route_config.h"
#include "tests/unit/core/capture_fixture.h"
#include "tests/unit/unit.h"

#define MAX_ARGUMENTS 7

/* Parse the required options and these arguments up to the first NULL. */
static enum status parse(const char *const arguments[MAX_ARGUMENTS], struct route_config *config,
			 struct stage2_options *options, struct err *err)
{
	char *argv[MAX_ARGUMENTS + 7] = {(char *)"route",  (char *)"--model", (char *)"m",
					 (char *)"--data", (char *)"d",	      (char *)"--out",
					 (char *)"o"};
	int argc = 7;

	for (size_t i = 0; i < MAX_ARGUMENTS && arguments[i] != NULL; i++)
		argv[argc++] = (char *)arguments[i];
	return route_config_parse(argc, argv, config, options, err);
}

static bool same_number(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

static void assert_same_options(const struct stage2_options *a, const struct stage2_options *b)
{
	ck_assert_int_eq(a->method, b->method);
	ck_assert(same_number(a->tau, b->tau));
	ck_assert_uint_eq(a->budget, b->budget);
	ck_assert_uint_eq(a->epochs, b->epochs);
	ck_assert_uint_eq(a->batch, b->batch);
	ck_assert(same_number(a->learning_rate, b->learning_rate));
	ck_assert(a->weight_decay == b->weight_decay);
	ck_assert(a->holdout == b->holdout);
	ck_assert_uint_eq(a->seed, b->seed);
	ck_assert_uint_eq(a->n_threads, b->n_threads);
}

START_TEST(without_options_the_defaults_are_those_of_route_run)
{
	struct stage2_options defaults, options;
	struct route_config config;

	stage2_defaults(&defaults);
	ck_assert_int_eq(parse((const char *[MAX_ARGUMENTS]){NULL}, &config, &options, NULL),
			 STATUS_OK);
	assert_same_options(&options, &defaults);
	ck_assert_str_eq(config.model, "m");
	ck_assert_str_eq(config.data, "d");
	ck_assert_str_eq(config.out, "o");
	ck_assert_int_eq(config.threads, 1);
	ck_assert(!config.json && !config.quiet);
}
END_TEST

START_TEST(what_is_given_beats_the_default)
{
	struct stage2_options wanted, options;
	struct route_config config;

	stage2_defaults(&wanted);
	wanted.method = STAGE2_ITERATE;
	wanted.tau = 0.001;
	wanted.budget = 50;
	wanted.learning_rate = 0.25;
	wanted.holdout = 0;
	wanted.seed = 9;
	wanted.n_threads = 2;
	ck_assert_int_eq(
	    parse((const char *[MAX_ARGUMENTS]){"--method=iterate", "--tau=1e-3", "--budget=50",
						"--learning-rate=0.25", "--holdout=0", "--seed=9",
						"--threads=2"},
		  &config, &options, NULL),
	    STATUS_OK);
	assert_same_options(&options, &wanted);
}
END_TEST

START_TEST(methods_have_their_names)
{
	for (int m = 0; m < N_STAGE2_METHODS; m++) {
		const char *arguments[MAX_ARGUMENTS] = {"--method",
							stage2_method_name((enum stage2_method)m)};
		struct stage2_options options;
		struct route_config config;

		ck_assert_int_eq(parse(arguments, &config, &options, NULL), STATUS_OK);
		ck_assert_int_eq(options.method, m);
	}
}
END_TEST

static const struct {
	const char *arguments[MAX_ARGUMENTS];
	const char *message;
} faults[] = {
    {{"--method", "em"}, "--method em: want iterate, closed-form or auto"},
    {{"--tau", "warm"}, "--tau warm: want auto or a number, 1e-06 to 1e+06"},
    {{"--tau", "0"}, "--tau 0: want auto or a number, 1e-06 to 1e+06"},
    {{"--tau", "nan"}, "--tau nan: want auto or a number, 1e-06 to 1e+06"},
    {{"--tau", "1x"}, "--tau 1x: want auto or a number, 1e-06 to 1e+06"},
    {{"--budget", "-1"}, "--budget -1: want a whole number, 0 to 4294967294"},
    {{"--epochs", "0"}, "--epochs 0: want a whole number, 1 to 100000"},
    {{"--holdout", "0.6"}, "--holdout 0.6: want a number, 0 to 0.5"},
    {{"--holdout", "0"},
     "--holdout 0: the method is chosen on held-out pairs; give a --method and a --tau, or hold "
     "pairs out"},
    {{"--holdout", "0", "--method", "iterate"},
     "--holdout 0: tau is chosen on held-out pairs; give a --method and a --tau, or hold pairs "
     "out"},
    {{"--heads", "3"}, "unknown option --heads, the nearest one is --threads"},
    {{"--json", "--out", "\xff"}, "--out: want valid UTF-8"},
};

START_TEST(fault_is_refused_with_what_would_be_right)
{
	struct stage2_options options;
	struct route_config config;
	struct err err;

	ck_assert_int_eq(parse(faults[_i].arguments, &config, &options, &err), STATUS_USAGE);
	ck_assert_str_eq(err.msg, faults[_i].message);
}
END_TEST

START_TEST(help_fits_a_window)
{
	struct capture capture;
	const char *text;

	capture_start(&capture, false, false);
	help_print(&route_config_help, capture.terminal.out);
	text = capture_text(&capture);
	ck_assert_ptr_nonnull(strstr(text, "--budget N\n"));
	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
		ck_assert_uint_le(strcspn(line, "\n"), 80);
	capture_end(&capture);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("route_config");
	TCase *tcase = tcase_create("route_config");

	tcase_add_test(tcase, without_options_the_defaults_are_those_of_route_run);
	tcase_add_test(tcase, what_is_given_beats_the_default);
	tcase_add_test(tcase, methods_have_their_names);
	tcase_add_loop_test(tcase, fault_is_refused_with_what_would_be_right, 0,
			    (int)LENGTH(faults));
	tcase_add_test(tcase, help_fits_a_window);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
