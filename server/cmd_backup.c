/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_backup.c - microd backup FILE: a copy of the users' states while microd runs. */
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>

#include "core/base/mem.h"
#include "core/base/options.h"
#include "server/command.h"
#include "server/store_sqlite_offline.h"

struct backup_config {
	const char *state;
};

static const struct option_spec options[] = {
    {.name = "state",
     .env = "MICROD_STATE",
     .type = OPTION_STRING,
     .min = 1,
     .max = PATH_MAX,
     .default_text = "micro.db",
     .value_name = "FILE",
     .help = "SQLite database of the users' states, as microd has it.",
     .offset = offsetof(struct backup_config, state)},
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

const struct help backup_help = {
    .usage = "microd backup FILE [--state FILE]",
    .about = "Writes a copy of one moment of the database, which microd may be using, to a new\n"
	     "file. It appears when it is whole, checked and on disk. What was deleted is not\n"
	     "in it. To restore it: stop microd, move its database away together with the\n"
	     "files -wal and -shm beside it, put the copy there, start microd.",
    .groups = {&(const struct help_group){.specs = options, .n_specs = N_OPTIONS}},
};

static enum status parse(int argc, char **argv, struct backup_config *config, const char **to_out,
			 struct err *err)
{
	const char **words = mem_array((size_t)argc, sizeof(*words));
	enum status status;
	size_t n;

	if (words == NULL)
		return err_no_memory(err, "the command line");
	status = options_parse(options, N_OPTIONS, argc, argv, config, words, &n, err);
	if (status == STATUS_OK && n != 1)
		status = err_set(err, STATUS_USAGE, "want one FILE to write: microd backup FILE");
	if (status == STATUS_OK)
		*to_out = words[0];
	mem_free(words);
	return status;
}

int backup_run(int argc, char **argv)
{
	struct backup_config config;
	struct store_facts facts;
	const char *to = NULL;
	struct err err;

	if (options_ask_for(argc, argv, "--help"))
		return command_help(&backup_help);
	if (parse(argc, argv, &config, &to, &err) != STATUS_OK ||
	    store_sqlite_backup(config.state, to, &facts, &err) != STATUS_OK)
		return command_fault(&err);
	printf("%s: %" PRId64 " users, %" PRId64 " feedbacks\n", to, facts.n_users, facts.n_events);
	return command_end();
}
