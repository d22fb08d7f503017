/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/options.h"
#include "tests/unit/unit.h"

struct config {
	const char *model;
	const char *pid_file;
	const char *label;
	int64_t port;
	int64_t body;
	double tau;
	bool keep;
	int level;
};

static const char *const levels[] = {"error", "warn", "info", NULL};

#define AT(field) offsetof(struct config, field)

static const struct option_spec specs[] = {
    {.name = "model",
     .env = "TEST_MODEL",
     .type = OPTION_STRING,
     .min = 1,
     .max = 20,
     .required = true,
     .value_name = "FILE",
     .help = "Model file.",
     .offset = AT(model)},
    {.name = "pid-file",
     .type = OPTION_STRING,
     .min = 1,
     .max = 20,
     .value_name = "FILE",
     .help = "Where the process id goes.",
     .offset = AT(pid_file)},
    {.name = "label",
     .type = OPTION_STRING,
     .max = 20,
     .default_text = "two\nlines",
     .value_name = "TEXT",
     .help = "Some label.",
     .offset = AT(label)},
    {.name = "port",
     .env = "TEST_PORT",
     .type = OPTION_INT,
     .min = 0,
     .max = 65535,
     .default_text = "8080",
     .value_name = "PORT",
     .help = "TCP port to listen on; with 0 the system chooses one that is free.",
     .offset = AT(port)},
    {.name = "max-body",
     .env = "TEST_MAX_BODY",
     .type = OPTION_SIZE,
     .min = 1024,
     .max = 1073741824,
     .default_text = "64M",
     .value_name = "SIZE",
     .help = "Longest request body.",
     .offset = AT(body)},
    {.name = "tau",
     .env = "TEST_TAU",
     .type = OPTION_REAL,
     .min = -1,
     .max = 100,
     .default_text = "1.5",
     .value_name = "T",
     .help = "Temperature.",
     .offset = AT(tau)},
    {.name = "keep",
     .env = "TEST_KEEP",
     .type = OPTION_FLAG,
     .help = "Keep the inputs.",
     .offset = AT(keep)},
    {.name = "log-level",
     .env = "TEST_LOG_LEVEL",
     .type = OPTION_CHOICE,
     .default_text = "info",
     .choices = levels,
     .value_name = "LEVEL",
     .help = "What is logged.",
     .offset = AT(level)},
};

#define MAX_ARGUMENTS 8

/* Parse "program", then the arguments up to the first NULL. */
static enum status parse(const char *const arguments[MAX_ARGUMENTS], struct config *config,
			 struct err *err)
{
	char *argv[MAX_ARGUMENTS + 2] = {(char *)"program"};
	int argc = 1;

	for (size_t i = 0; i < MAX_ARGUMENTS && arguments[i] != NULL; i++)
		argv[argc++] = (char *)arguments[i];
	memset(config, 0x55, sizeof(*config));
	return options_parse(specs, LENGTH(specs), argc, argv, config, NULL, NULL, err);
}

/* ---- values ---- */

START_TEST(defaults_fill_what_is_not_given)
{
	struct config config;

	ck_assert_int_eq(parse((const char *[MAX_ARGUMENTS]){"--model", "m"}, &config, NULL),
			 STATUS_OK);
	ck_assert_str_eq(config.model, "m");
	ck_assert_ptr_null(config.pid_file);
	ck_assert_str_eq(config.label, "two\nlines");
	ck_assert_int_eq(config.port, 8080);
	ck_assert_int_eq(config.body, 64 << 20);
	ck_assert(config.tau == 1.5);
	ck_assert(!config.keep);
	ck_assert_int_eq(config.level, 2);
}
END_TEST

START_TEST(number_without_default_stays_what_it_was)
{
	static const struct option_spec epochs_spec = {.name = "epochs",
						       .type = OPTION_INT,
						       .min = 1,
						       .max = 9,
						       .value_name = "N",
						       .help = "Passes."};
	char *argv[] = {(char *)"program", (char *)"--epochs=3", NULL};
	int64_t epochs = 7;

	ck_assert_int_eq(options_parse(&epochs_spec, 1, 1, argv, &epochs, NULL, NULL, NULL),
			 STATUS_OK);
	ck_assert_int_eq(epochs, 7);
	ck_assert_int_eq(options_parse(&epochs_spec, 1, 2, argv, &epochs, NULL, NULL, NULL),
			 STATUS_OK);
	ck_assert_int_eq(epochs, 3);
}
END_TEST

START_TEST(both_forms_of_a_value_are_read)
{
	struct config config;

	ck_assert_int_eq(
	    parse((const char *[MAX_ARGUMENTS]){"--model=m=x", "--port", "0", "--tau=-1", "--keep",
						"--log-level=warn", "--label="},
		  &config, NULL),
	    STATUS_OK);
	ck_assert_str_eq(config.model, "m=x");
	ck_assert_int_eq(config.port, 0);
	ck_assert(config.tau == -1);
	ck_assert(config.keep);
	ck_assert_int_eq(config.level, 1);
	ck_assert_str_eq(config.label, "");
}
END_TEST

START_TEST(negative_numbers_are_values_not_options)
{
	struct config config;

	ck_assert_int_eq(
	    parse((const char *[MAX_ARGUMENTS]){"--model", "m", "--tau", "-0.5"}, &config, NULL),
	    STATUS_OK);
	ck_assert(config.tau == -0.5);
}
END_TEST

START_TEST(last_of_repeated_options_counts)
{
	struct config config;

	ck_assert_int_eq(
	    parse((const char *[MAX_ARGUMENTS]){"--model", "m", "--port", "1", "--port", "2"},
		  &config, NULL),
	    STATUS_OK);
	ck_assert_int_eq(config.port, 2);
}
END_TEST

static const struct {
	const char *text;
	int64_t bytes;
} sizes[] = {{"1024", 1024}, {"1K", 1024}, {"3M", 3 << 20}, {"1G", 1 << 30}};

START_TEST(sizes_have_suffixes)
{
	struct config config;

	ck_assert_int_eq(
	    parse((const char *[MAX_ARGUMENTS]){"--model", "m", "--max-body", sizes[_i].text},
		  &config, NULL),
	    STATUS_OK);
	ck_assert_int_eq(config.body, sizes[_i].bytes);
}
END_TEST

/* ---- environment ---- */

START_TEST(environment_is_between_command_line_and_default)
{
	struct config config;

	setenv("TEST_MODEL", "from-environment", 1);
	setenv("TEST_PORT", "81", 1);
	setenv("TEST_MAX_BODY", "2K", 1);
	setenv("TEST_KEEP", "true", 1);
	setenv("TEST_LOG_LEVEL", "error", 1);
	setenv("TEST_TAU", "", 1); /* counts as unset */
	ck_assert_int_eq(parse((const char *[MAX_ARGUMENTS]){"--port", "82"}, &config, NULL),
			 STATUS_OK);
	ck_assert_str_eq(config.model, "from-environment");
	ck_assert_int_eq(config.port, 82);
	ck_assert_int_eq(config.body, 2048);
	ck_assert(config.keep);
	ck_assert_int_eq(config.level, 0);
	ck_assert(config.tau == 1.5);
}
END_TEST

static const struct {
	const char *name, *value, *message;
} bad_environments[] = {
    {"TEST_PORT", "http", "TEST_PORT=http: want a whole number, 0 to 65535"},
    {"TEST_KEEP", "yes", "TEST_KEEP=yes: want 0, 1, true or false"},
    {"TEST_LOG_LEVEL", "loud", "TEST_LOG_LEVEL=loud: want error, warn or info"},
};

START_TEST(bad_environment_names_the_variable)
{
	struct config config;
	struct err err;

	setenv(bad_environments[_i].name, bad_environments[_i].value, 1);
	ck_assert_int_eq(parse((const char *[MAX_ARGUMENTS]){"--model", "m"}, &config, &err),
			 STATUS_USAGE);
	ck_assert_str_eq(err.msg, bad_environments[_i].message);
}
END_TEST

/* ---- faults ---- */

static const struct {
	const char *arguments[MAX_ARGUMENTS];
	const char *message;
} faults[] = {
    {{NULL}, "--model FILE (or TEST_MODEL in the environment) is required"},
    {{"--model"}, "--model needs a value: --model FILE"},
    {{"--model", "--port"}, "--model needs a value: --model FILE"},
    {{"--model="}, "--model : want a text whose length in bytes is 1 to 20"},
    {{"--port", "70000"}, "--port 70000: want a whole number, 0 to 65535"},
    {{"--port=-1"}, "--port -1: want a whole number, 0 to 65535"},
    {{"--port", "80x"}, "--port 80x: want a whole number, 0 to 65535"},
    {{"--port", "8.5"}, "--port 8.5: want a whole number, 0 to 65535"},
    {{"--port", " 80"}, "--port  80: want a whole number, 0 to 65535"},
    {{"--port", "1K"}, "--port 1K: want a whole number, 0 to 65535"},
    {{"--port="}, "--port : want a whole number, 0 to 65535"},
    {{"--port", "99999999999999999999"},
     "--port 99999999999999999999: want a whole number, 0 to 65535"},
    {{"--max-body", "1023"}, "--max-body 1023: want a size such as 512K or 64M, 1K to 1G"},
    {{"--max-body", "1T"}, "--max-body 1T: want a size such as 512K or 64M, 1K to 1G"},
    {{"--max-body", "1KB"}, "--max-body 1KB: want a size such as 512K or 64M, 1K to 1G"},
    {{"--max-body", "9007199254740992G"},
     "--max-body 9007199254740992G: want a size such as 512K or 64M, 1K to 1G"},
    {{"--tau", "nan"}, "--tau nan: want a number, -1 to 100"},
    {{"--tau", "inf"}, "--tau inf: want a number, -1 to 100"},
    {{"--tau", "1,5"}, "--tau 1,5: want a number, -1 to 100"},
    {{"--tau", " 1"}, "--tau  1: want a number, -1 to 100"},
    {{"--tau", ""}, "--tau : want a number, -1 to 100"},
    {{"--tau", "101"}, "--tau 101: want a number, -1 to 100"},
    {{"--keep=1"}, "--keep takes no value"},
    {{"--log-level", "inf"}, "--log-level inf: want error, warn or info"},
    {{"--prot", "80"}, "unknown option --prot, the nearest one is --port"},
    {{"--log_level=info"}, "unknown option --log_level, the nearest one is --log-level"},
    {{"-p", "80"}, "unexpected argument -p; options begin with --"},
    {{"--model", "m", "more"}, "unexpected argument more; options begin with --"},
    {{"--", "--port"}, "unexpected argument --port; options begin with --"},
};

START_TEST(fault_says_what_would_be_right)
{
	struct config config;
	struct err err;

	ck_assert_int_eq(parse(faults[_i].arguments, &config, &err), STATUS_USAGE);
	ck_assert_str_eq(err.msg, faults[_i].message);
}
END_TEST

START_TEST(required_option_without_environment_is_named)
{
	static const struct option_spec out_spec = {.name = "out",
						    .type = OPTION_STRING,
						    .min = 1,
						    .max = 20,
						    .required = true,
						    .value_name = "FILE",
						    .help = "Where to."};
	char *argv[] = {(char *)"program", NULL};
	const char *out;
	struct err err;

	ck_assert_int_eq(options_parse(&out_spec, 1, 1, argv, &out, NULL, NULL, &err),
			 STATUS_USAGE);
	ck_assert_str_eq(err.msg, "--out FILE is required");
}
END_TEST

/* ---- positionals ---- */

START_TEST(positionals_are_listed_in_order)
{
	char *argv[] = {(char *)"program", (char *)"a",	 (char *)"--model", (char *)"m",
			(char *)"b",	   (char *)"--", (char *)"--port",  NULL};
	const char *positionals[7];
	struct config config;
	size_t n;

	ck_assert_int_eq(
	    options_parse(specs, LENGTH(specs), 7, argv, &config, positionals, &n, NULL),
	    STATUS_OK);
	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(positionals[0], "a");
	ck_assert_str_eq(positionals[1], "b");
	ck_assert_str_eq(positionals[2], "--port");
}
END_TEST

/* ---- options_ask_for ---- */

START_TEST(ask_for_looks_only_before_the_end_of_options)
{
	char *argv[] = {(char *)"--help", (char *)"--port", (char *)"--version",
			(char *)"--",	  (char *)"--help", NULL};

	ck_assert(options_ask_for(5, argv, "--version"));
	ck_assert(!options_ask_for(5, argv, "--help"));
}
END_TEST

/* ---- options_help ---- */

START_TEST(given_sees_both_forms_and_no_other_names)
{
	char *argv[] = {(char *)"tool", (char *)"--heads", (char *)"3",	     (char *)"--seed=4",
			(char *)"-q",	(char *)"--",	   (char *)"--quiet"};

	ck_assert(options_given(7, argv, "heads"));
	ck_assert(options_given(7, argv, "seed"));
	ck_assert(!options_given(7, argv, "head"));
	ck_assert(!options_given(7, argv, "seeds"));
	ck_assert(!options_given(7, argv, "quiet"));
	ck_assert(!options_given(7, argv, "q"));
}
END_TEST

START_TEST(help_shows_range_default_and_environment)
{
	static const char *const wanted[] = {
	    "  --model FILE\n      Model file. Required. Environment: TEST_MODEL.\n\n",
	    "  --label TEXT\n      Some label. Default: two\\nlines.\n\n",
	    "  --port PORT\n"
	    "      TCP port to listen on; with 0 the system chooses one that is free. Range:\n"
	    "      0 to 65535. Default: 8080. Environment: TEST_PORT.\n\n",
	    "Range: 1K to 1G. Default: 64M. Environment:\n      TEST_MAX_BODY.\n\n",
	    "Range: -1 to 100. Default: 1.5. Environment: TEST_TAU.\n\n",
	    "  --keep\n      Keep the inputs. Environment: TEST_KEEP.\n\n",
	    "One of: error, warn or info. Default: info.",
	};
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	options_help(specs, LENGTH(specs), out);
	fclose(out);
	for (size_t i = 0; i < LENGTH(wanted); i++)
		ck_assert_msg(strstr(text, wanted[i]) != NULL, "no %s in\n%s", wanted[i], text);
	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
		ck_assert_uint_le(strcspn(line, "\n"), 80);
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("options");
	TCase *values = tcase_create("values");
	TCase *environment = tcase_create("environment");
	TCase *refused = tcase_create("faults");
	TCase *rest = tcase_create("positionals and help");

	tcase_add_test(values, defaults_fill_what_is_not_given);
	tcase_add_test(values, number_without_default_stays_what_it_was);
	tcase_add_test(values, both_forms_of_a_value_are_read);
	tcase_add_test(values, negative_numbers_are_values_not_options);
	tcase_add_test(values, last_of_repeated_options_counts);
	tcase_add_loop_test(values, sizes_have_suffixes, 0, (int)LENGTH(sizes));
	suite_add_tcase(suite, values);
	tcase_add_test(environment, environment_is_between_command_line_and_default);
	tcase_add_loop_test(environment, bad_environment_names_the_variable, 0,
			    (int)LENGTH(bad_environments));
	suite_add_tcase(suite, environment);
	tcase_add_loop_test(refused, fault_says_what_would_be_right, 0, (int)LENGTH(faults));
	tcase_add_test(refused, required_option_without_environment_is_named);
	suite_add_tcase(suite, refused);
	tcase_add_test(rest, positionals_are_listed_in_order);
	tcase_add_test(rest, ask_for_looks_only_before_the_end_of_options);
	tcase_add_test(rest, given_sees_both_forms_and_no_other_names);
	tcase_add_test(rest, help_shows_range_default_and_environment);
	suite_add_tcase(suite, rest);
	return unit_run(suite);
}
