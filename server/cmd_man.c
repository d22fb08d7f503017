/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_man.c - microd man: its manual page. */
#include "core/base/manual.h"
#include "core/base/options.h"
#include "server/command.h"

static const struct manual_command commands[] = {
    {"check", &check_help}, {"backup", &backup_help}, {"key", &key_help}, {"man", &man_help}};

static const struct manual_section sections[] = {
    {"SIGNALS",
     "SIGTERM and SIGINT: take no new work, finish what is in flight within --grace seconds,\n"
     "exit with status 0.\n\n"
     "SIGHUP: read the model file, the key file and the certificate again. What is bad is\n"
     "logged, and the old one stays."},
    {"EXIT STATUS", "0 after a signal, or done; 1 could not start or run, or something is WRONG,\n"
		    "and one line on standard error says what; 2 wrong options."},
    {"ENVIRONMENT",
     "Every option has a variable, named with it. The command line comes first, then the\n"
     "environment, then the default; an empty variable counts as none.\n\n"
     "MICROD_API_KEY: one API key that may do everything, for where a file of --api-keys is\n"
     "too much. MICROD_ENCODER_KEY: the key that the encoder's server wants. They are no\n"
     "options, because a command line is there for everyone to read."},
    {"FILES", "The state is an SQLite database; beside it are FILE-wal and FILE-shm while\n"
	      "microd runs. A copy of the one file is no backup: use microd backup."},
    {"SEE ALSO", "micro-model(1). The HTTP interface is served at /openapi.yaml."},
};

const struct help man_help = {
    .usage = "microd man",
    .about = "Writes the manual page microd(8), in the language of man(7).",
};

int man_run(int argc, char **argv)
{
	static const struct manual manual = {
	    .name = "microd",
	    .section = 8,
	    .summary = "serve a MiCRo reward model and learn each user's preferences",
	    .help = &serve_help,
	    .commands = commands,
	    .n_commands = sizeof(commands) / sizeof(commands[0]),
	    .sections = sections,
	    .n_sections = sizeof(sections) / sizeof(sections[0]),
	};
	struct err err = {0};

	if (options_ask_for(argc, argv, "--help"))
		return command_help(&man_help);
	if (argc > 1)
		err_set(&err, STATUS_USAGE, "unexpected argument %s: want none", argv[1]);
	else
		manual_write(&manual, stdout, &err);
	return err.code == STATUS_OK ? command_end() : command_fault(&err);
}
