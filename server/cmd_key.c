/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_key.c - microd key new: a key for a client, and the line that lets it in. */
#include <stddef.h>
#include <string.h>

#include "core/base/options.h"
#include "server/api_key.h"
#include "server/command.h"

struct key_config {
	const char *name;
	const char *scopes;
};

static const struct option_spec options[] = {
    {.name = "name",
     .type = OPTION_STRING,
     .min = 1,
     .max = API_KEY_NAME_MAX,
     .required = true,
     .value_name = "NAME",
     .help = "Whose key it is; the log shows it. Letters, digits and . _ -",
     .offset = offsetof(struct key_config, name)},
    {.name = "scopes",
     .type = OPTION_STRING,
     .min = 1,
     .max = API_KEY_LINE_MAX,
     .required = true,
     .value_name = "LIST",
     .help = "What it may do: any of score (POST /score), feedback (POST /feedback) and "
	     "admin (/users), separated by commas, or none. Every key may read /metrics, "
	     "/model and /openapi.yaml.",
     .offset = offsetof(struct key_config, scopes)},
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

const struct help key_help = {
    .usage = "microd key new --name NAME --scopes LIST",
    .about = "Prints a new key, which is shown this once and stored nowhere, and below it the\n"
	     "line for the file of --api-keys, which has its hash only.",
    .groups = {&(const struct help_group){.specs = options, .n_specs = N_OPTIONS}},
};

static int print_key(struct api_key *key)
{
	char line[API_KEY_LINE_MAX], text[API_KEY_LEN + 1];

	api_key_random(randombytes_buf, text);
	api_key_hash(text, API_KEY_LEN, key->hash);
	api_key_line(key, line);
	printf("%s\n%s\n", text, line);
	sodium_memzero(text, sizeof(text));
	return command_end();
}

static enum status usage(enum status status, const char *option, struct err *err)
{
	if (status != STATUS_INVALID_VALUE)
		return status;
	err_wrap(err, "%s", option);
	err->code = STATUS_USAGE;
	return STATUS_USAGE;
}

int key_run(int argc, char **argv)
{
	struct key_config config;
	struct api_key key = {0};
	struct err err;
	enum status status;

	if (options_ask_for(argc, argv, "--help"))
		return command_help(&key_help);
	if (argc < 2 || strcmp(argv[1], "new") != 0) {
		err_set(&err, STATUS_USAGE, "want microd key new; see microd key --help");
		return command_fault(&err);
	}
	status = options_parse(options, N_OPTIONS, argc - 1, argv + 1, &config, NULL, NULL, &err);
	if (status == STATUS_OK)
		status = usage(api_key_set_name(&key, config.name, strlen(config.name), &err),
			       "--name", &err);
	if (status == STATUS_OK)
		status =
		    usage(scopes_parse(config.scopes, strlen(config.scopes), &key.scopes, &err),
			  "--scopes", &err);
	return status == STATUS_OK ? print_key(&key) : command_fault(&err);
}
