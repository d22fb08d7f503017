/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - micro-model: makes, adapts, examines and changes model files. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/edit_distance.h"
#include "core/base/options.h"
#include "core/math/linalg.h"
#include "core/tool/command.h"

#define PROGRAM "micro-model"

enum exit_status { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

static const struct command *nearest_command(const char *name)
{
	const struct command *nearest = commands[0];

	for (size_t i = 1; i < n_commands; i++) {
		if (edit_distance(name, commands[i]->name) < edit_distance(name, nearest->name))
			nearest = commands[i];
	}
	return nearest;
}

static const struct command *find_command(const char *name, struct err *err)
{
	const struct command *nearest = nearest_command(name);

	if (strcmp(name, nearest->name) == 0)
		return nearest;
	err_set(err, STATUS_USAGE,
		"unknown command %s, the nearest one is %s; see " PROGRAM " --help", name,
		nearest->name);
	return NULL;
}

static int exit_status_of(enum status status)
{
	switch (status) {
	case STATUS_OK:
		return EXIT_OK;
	case STATUS_USAGE:
		return EXIT_USAGE;
	case STATUS_INTERRUPTED:
		return EXIT_INTERRUPTED;
	default:
		return EXIT_FAILED;
	}
}

/* A full disk behind standard output shows at the latest when it is flushed. */
static enum status flush_output(struct err *err)
{
	if (fflush(stdout) != 0)
		return err_errno(err, STATUS_IO, "standard output");
	if (ferror(stdout))
		return err_set(err, STATUS_IO, "standard output: a write failed");
	return STATUS_OK;
}

/* command_out: the command that argv names, NULL if there is none. */
static enum status run_program(int argc, char **argv, const struct command **command_out,
			       struct err *err)
{
	*command_out = NULL;
	if (argc < 2)
		return err_set(err, STATUS_USAGE, "no command; see " PROGRAM " --help");
	if (strcmp(argv[1], "--help") == 0) {
		help_print(&program_help, stdout);
		return STATUS_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts(PROGRAM " " MICRO_VERSION);
		return STATUS_OK;
	}
	*command_out = find_command(argv[1], err);
	if (*command_out == NULL)
		return STATUS_USAGE;
	if (options_ask_for(argc - 1, argv + 1, "--help")) {
		help_print((*command_out)->help, stdout);
		return STATUS_OK;
	}
	return (*command_out)->run(argc - 1, argv + 1, err);
}

int main(int argc, char **argv)
{
	const struct command *command;
	struct err err;
	enum status status;

	linalg_choose_kernel(argv);
	status = run_program(argc, argv, &command, &err);
	if (status == STATUS_OK)
		status = flush_output(&err);
	if (status != STATUS_OK)
		fprintf(stderr, PROGRAM "%s%s: %s\n", command != NULL ? " " : "",
			command != NULL ? command->name : "", err.msg);
	return exit_status_of(status);
}
