/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_config.c - any words as the command line of microd, one a line: refused as wrong usage
 * with a message of one line, or a configuration whose values are within their ranges.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "server/config.h"
#include "server/listener.h"
#include "server/log.h"
#include "tests/fuzz/fuzz.h"

#define MAX_WORDS 64

static void require(bool ok)
{
	if (!ok)
		abort();
}

/* The ranges of the table, again: what other code relies on. */
static void check_numbers(const struct config *config)
{
	require(config->port >= 0 && config->port <= 65535);
	require(config->threads >= 1 && config->threads <= config->max_connections);
	require(config->max_body >= 1024 && config->max_items >= 1 && config->max_responses >= 2);
	require(config->queue >= 1 && config->max_batch >= 1 && config->busy_timeout >= 0);
	require(config->tau > 0 && isfinite(config->tau));
	require(config->drift >= 0 && config->drift < 1);
	require(config->max_strength >= 0 && isfinite(config->max_strength));
	require(config->grace >= 0 && config->grace <= 3600);
	require(config->log_level >= LOG_ERROR && config->log_level < N_LOG_LEVELS);
}

static void check_access(const struct config *config)
{
	require(config_has_keys(config) || config->allow_anonymous ||
		!listener_is_exposed(config->listen));
	require(config_has_keys(config) || !(config->rate_limit > 0));
	require((config->tls_cert == NULL) == (config->tls_key == NULL));
}

static void try_words(int argc, char **argv)
{
	struct err err = {.msg = ""};
	enum config_action action;
	struct config config;
	enum status status = config_parse(argc, argv, &config, &action, &err);

	if (status != STATUS_OK) {
		require(status == STATUS_USAGE && err.code == status);
		require(err.msg[0] != '\0' && strchr(err.msg, '\n') == NULL);
		return;
	}
	if (action != CONFIG_RUN)
		return;
	require(config.model != NULL && config.model[0] != '\0' && config.state[0] != '\0');
	check_numbers(&config);
	check_access(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_string((const char *)data, size), *rest = text;
	char *argv[MAX_WORDS + 1] = {"microd"};
	int argc = 1;

	require(text != NULL);
	clearenv(); /* of whoever runs it */
	while (argc < MAX_WORDS && rest != NULL)
		argv[argc++] = strsep(&rest, "\n");
	try_words(argc, argv);
	mem_free(text);
	return 0;
}
