/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command.h"

#include <stddef.h>
#include <string.h>

#include "core/base/edit_distance.h"

static const struct {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
} commands[] = {
    {"check", "say what microd would do with these options, and what is wrong", check_run},
    {"backup", "copy the users' states while microd runs", backup_run},
    {"key", "make an API key", key_run},
    {"man", "write the manual page", man_run},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static size_t nearest_command(const char *name)
{
	size_t nearest = 0;

	for (size_t i = 1; i < N_COMMANDS; i++) {
		if (edit_distance(name, commands[i].name) <
		    edit_distance(name, commands[nearest].name))
			nearest = i;
	}
	return nearest;
}

int command_run(int argc, char **argv)
{
	struct err err;
	size_t nearest;

	if (argc < 2 || argv[1][0] == '-')
		return serve_run(argc, argv);
	nearest = nearest_command(argv[1]);
	if (strcmp(argv[1], commands[nearest].name) == 0)
		return commands[nearest].run(argc - 1, argv + 1);
	err_set(&err, STATUS_USAGE, "unknown command %s, the nearest one is %s; see microd --help",
		argv[1], commands[nearest].name);
	return command_fault(&err);
}

void command_list(FILE *out)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(out, "  %-8s%s\n", commands[i].name, commands[i].summary);
}

int command_help(const struct help *help)
{
	help_print(help, stdout);
	return command_end();
}

int command_fault(const struct err *err)
{
	fprintf(stderr, "microd: %s\n", err->msg);
	return err->code == STATUS_USAGE ? EXIT_STATUS_USAGE : EXIT_STATUS_FAILED;
}

int command_end(void)
{
	struct err err;

	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_STATUS_OK;
	err_errno(&err, STATUS_IO, "standard output");
	return command_fault(&err);
}
