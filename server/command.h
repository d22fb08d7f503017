/* SPDX-License-Identifier: Apache-2.0 */
/* command.h - what microd does: without a command it serves. */
#ifndef MICRO_SERVER_COMMAND_H
#define MICRO_SERVER_COMMAND_H

#include <stdio.h>

#include "core/base/err.h"
#include "core/base/help.h"

enum exit_status { EXIT_STATUS_OK, EXIT_STATUS_FAILED, EXIT_STATUS_USAGE };

/** command_run(argc, argv): the command that argv[1] names, or serving; the exit status. */
int command_run(int argc, char **argv);

/** command_list(out): the commands' part of --help. */
void command_list(FILE *out);

/** command_help(help): --help on standard output; the exit status. */
int command_help(const struct help *help);

/** command_fault(err): "microd: message" on stderr; the exit status for it. */
int command_fault(const struct err *err);

/** command_end(): flush standard output, where a full disk shows; the exit status. */
int command_end(void);

/* Each takes the arguments as main() does, with its own name as argv[0]. */
int serve_run(int argc, char **argv);
int check_run(int argc, char **argv);
int backup_run(int argc, char **argv);
int key_run(int argc, char **argv);
int man_run(int argc, char **argv);

extern const struct help serve_help, check_help, backup_help, key_help, man_help;

#endif
