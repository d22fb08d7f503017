/* SPDX-License-Identifier: Apache-2.0 */
/* commands.c - which commands there are. */
#include "core/tool/command.h"

const struct command *const commands[] = {
    &diagnose_command, &embed_command, &train_command,	&route_command, &eval_command,
    &show_command,     &heads_command, &import_command, &man_command,
};

const size_t n_commands = sizeof(commands) / sizeof(commands[0]);

static void write_commands(FILE *out)
{
	for (size_t i = 0; i < n_commands; i++)
		fprintf(out, "  %-9s%s\n", commands[i]->name, commands[i]->summary);
}

const struct help program_help = {
    .usage = "micro-model COMMAND [options]",
    .about = "Makes and examines MiCRo models: mixtures of reward heads learnt from pairs.",
    .list_title = "commands, each with its own --help",
    .write_list = write_commands,
    .has_version = true,
};
