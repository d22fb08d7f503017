/* SPDX-License-Identifier: Apache-2.0 */
/* command.h - the commands of micro-model; each is one file, cmd_<name>.c. */
#ifndef MICRO_TOOL_COMMAND_H
#define MICRO_TOOL_COMMAND_H

#include <stddef.h>

#include "core/base/err.h"
#include "core/base/help.h"

struct command {
	const char *name;
	const char *summary; /* one line of micro-model --help */
	const struct help *help;
	/* argv[0] is the command's name; results go to stdout, faults into err */
	enum status (*run)(int argc, char **argv, struct err *err);
};

extern const struct command embed_command;
extern const struct command train_command;
extern const struct command route_command;
extern const struct command eval_command;
extern const struct command show_command;
extern const struct command heads_command;
extern const struct command import_command;
extern const struct command diagnose_command;
extern const struct command man_command;

extern const struct command *const commands[];
extern const size_t n_commands;

/* The program's own. */
extern const struct help program_help;

#endif
