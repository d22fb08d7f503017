/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/config.h"
#include "server/log.h"
#include "tests/unit/unit.h"

#define MAX_ARGUMENTS 8

/* arguments: NULL-terminated, without the program's name */
static enum status parse(const char *const *arguments, struct config *config,
			 enum config_action *action, struct err *err)
{
	char *argv[MAX_ARGUMENTS + 2] = {(char *)"microd"};
	int argc = 1;

	for (; arguments[argc - 1] != NULL; argc++)
		argv[argc] = (char *)arguments[argc - 1];
	return config_parse(argc, argv, config, action, err);
}

START_TEST(defaults_are_those_of_the_contract)
{
	struct config config;
	enum config_action action;
	struct err err = {0};

	ck_assert_msg(parse((const char *const[]){"--model", "m", NULL}, &config, &action, &err) ==
			  STATUS_OK,
		      "%s", err.msg);
	ck_assert_int_eq(action, CONFIG_RUN);
	ck_assert_str_eq(config.model, "m");
	ck_assert_str_eq(config.state, "micro.db");
	ck_assert_str_eq(config.listen, "127.0.0.1");
	ck_assert_ptr_null(config.port_file);
	ck_assert_int_eq(config.port, 8080);
	ck_assert_int_eq(config.threads, 2);
	ck_assert_int_eq(config.max_body, 64 << 20);
	ck_assert_int_eq(config.max_items, 4096);
	ck_assert_int_eq(config.max_responses, 1024);
	ck_assert_int_eq(config.max_connections, 1024);
	ck_assert_int_eq(config.connection_memory, 16 << 10);
	ck_assert_int_eq(config.idle_timeout, 60);
	ck_assert_double_eq(config.tau, 1);
	ck_assert_double_eq(config.drift, 0);
	ck_assert_double_eq(config.max_strength, 10);
	ck_assert_int_eq(config.queue, 1024);
	ck_assert_int_eq(config.max_batch, 512);
	ck_assert_int_eq(config.busy_timeout, 5000);
	ck_assert_double_eq(config.grace, 10);
	ck_assert_ptr_null(config.api_keys);
	ck_assert_ptr_null(config.api_key);
	ck_assert(!config_has_keys(&config));
	ck_assert(!config.allow_anonymous);
	ck_assert_double_eq(config.rate_limit, 0);
	ck_assert_double_eq(config.rate_burst, 100);
	ck_assert_ptr_null(config.tls_cert);
	ck_assert_ptr_null(config.tls_key);
	ck_assert(!config.access_log);
	ck_assert(!config.keep_inputs);
	ck_assert(!config.no_state_check);
	ck_assert_int_eq(config.log_level, LOG_INFO);
}
END_TEST

START_TEST(command_line_wins_over_the_environment)
{
	struct config config;
	enum config_action action;

	setenv("MICROD_TAU", "0.5", 1);
	setenv("MICROD_PORT", "1", 1);
	setenv("MICROD_KEEP_INPUTS", "1", 1);
	setenv("MICROD_LOG_LEVEL", "debug", 1);
	ck_assert_int_eq(
	    parse((const char *const[]){"--model=m", "--port", "2", NULL}, &config, &action, NULL),
	    STATUS_OK);
	ck_assert_double_eq(config.tau, 0.5);
	ck_assert_int_eq(config.port, 2);
	ck_assert(config.keep_inputs);
	ck_assert_int_eq(config.log_level, LOG_DEBUG);
}
END_TEST

START_TEST(help_and_version_come_before_any_fault)
{
	struct config config;
	enum config_action action;

	ck_assert_int_eq(
	    parse((const char *const[]){"--port", "x", "--help", NULL}, &config, &action, NULL),
	    STATUS_OK);
	ck_assert_int_eq(action, CONFIG_HELP);
	ck_assert_int_eq(parse((const char *const[]){"--version", NULL}, &config, &action, NULL),
			 STATUS_OK);
	ck_assert_int_eq(action, CONFIG_VERSION);
}
END_TEST

START_TEST(fault_names_the_option_and_what_would_be_right)
{
	static const struct {
		const char *arguments[MAX_ARGUMENTS];
		const char *message[2];
	} cases[] = {
	    {{NULL}, {"--model", ""}},
	    {{"--model", "m", "--port", "65536"}, {"--port", "65535"}},
	    {{"--model", "m", "--port", "-1"}, {"--port", "0"}},
	    {{"--model", "m", "--threads", "0"}, {"--threads", "256"}},
	    {{"--model", "m", "--max-body", "100"}, {"--max-body", "1K"}},
	    {{"--model", "m", "--tau", "0"}, {"--tau", ""}},
	    {{"--model", "m", "--drift", "1"}, {"--drift", "0.999"}},
	    {{"--model", "m", "--log-level", "loud"}, {"--log-level", "debug"}},
	    {{"--model", "m", "--prot", "1"}, {"--prot", "--port"}},
	    {{"--model", "m", "stray"}, {"stray", ""}},
	    {{"--model", "m", "--threads", "8", "--max-connections", "4"},
	     {"--max-connections 4", "--threads 8"}},
	    {{"--model", "m", "--listen", "0.0.0.0"}, {"--api-keys", "--allow-anonymous"}},
	    {{"--model", "m", "--listen", "::"}, {"--listen ::", "MICROD_API_KEY"}},
	    {{"--model", "m", "--tls-cert", "c"}, {"--tls-key FILE is missing", ""}},
	    {{"--model", "m", "--tls-key", "k"}, {"--tls-cert FILE is missing", ""}},
	    {{"--model", "m", "--rate-limit", "5"}, {"--rate-limit", "--api-keys"}},
	    {{"--model", "m", "--rate-burst", "0"}, {"--rate-burst", "1"}},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct config config;
		enum config_action action;
		struct err err = {0};

		ck_assert_msg(parse(cases[i].arguments, &config, &action, &err) == STATUS_USAGE,
			      "case %zu", i);
		for (size_t j = 0; j < 2; j++)
			ck_assert_msg(strstr(err.msg, cases[i].message[j]) != NULL, "case %zu: %s",
				      i, err.msg);
	}
}
END_TEST

START_TEST(other_addresses_need_a_key_or_a_word)
{
	const char *const with_file[] = {"--model=m", "--listen=::", "--api-keys=k", NULL};
	const char *const anonymous[] = {"--model=m", "--listen=::", "--allow-anonymous", NULL};
	const char *const with_key[] = {"--model=m", "--listen=::", NULL};
	struct config config;
	enum config_action action;

	ck_assert_int_eq(parse(with_file, &config, &action, NULL), STATUS_OK);
	ck_assert(config_has_keys(&config));
	ck_assert_int_eq(parse(anonymous, &config, &action, NULL), STATUS_OK);
	ck_assert(!config_has_keys(&config));
	setenv("MICROD_API_KEY", "", 1);
	ck_assert_int_eq(parse(with_key, &config, &action, NULL), STATUS_USAGE);
	setenv("MICROD_API_KEY", "a key", 1);
	ck_assert_int_eq(parse(with_key, &config, &action, NULL), STATUS_OK);
	ck_assert_str_eq(config.api_key, "a key");
	ck_assert(config_has_keys(&config));
}
END_TEST

START_TEST(help_fits_a_terminal)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	options_help(config_options.specs, config_options.n_specs, out);
	fclose(out);
	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
		ck_assert_msg(strcspn(line, "\n") <= 80, "%.*s", (int)strcspn(line, "\n"), line);
	ck_assert_ptr_nonnull(strstr(text, "--keep-inputs"));
	ck_assert_ptr_nonnull(strstr(text, "MICROD_NO_STATE_CHECK"));
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *tcase = tcase_create("config");

	tcase_add_test(tcase, defaults_are_those_of_the_contract);
	tcase_add_test(tcase, command_line_wins_over_the_environment);
	tcase_add_test(tcase, help_and_version_come_before_any_fault);
	tcase_add_test(tcase, fault_names_the_option_and_what_would_be_right);
	tcase_add_test(tcase, other_addresses_need_a_key_or_a_word);
	tcase_add_test(tcase, help_fits_a_terminal);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
