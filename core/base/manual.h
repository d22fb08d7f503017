/* SPDX-License-Identifier: Apache-2.0 */
/* manual.h - the manual page of a program, of the same tables as its --help. */
#ifndef MICRO_BASE_MANUAL_H
#define MICRO_BASE_MANUAL_H

#include <stddef.h>
#include <stdio.h>

#include "core/base/help.h"

struct manual_command {
	const char *name; /* "show" */
	const struct help *help;
};

struct manual_section {
	const char *title; /* "EXIT STATUS" */
	const char *text;  /* paragraphs, as in struct help */
};

struct manual {
	const char *name;    /* "micro-model" */
	int section;	     /* of the manual: 1 programs, 8 administration */
	const char *summary; /* a few words, without a capital and a full stop */
	const struct help *help;
	const struct manual_command *commands;
	size_t n_commands;
	const struct manual_section *sections; /* what follows the options and commands */
	size_t n_sections;
};

/**
 * manual_write(manual, out, err): the page as man(7) source. A command that takes the program's
 * own table of options refers to it. STATUS_NO_MEMORY; a failed write shows in ferror(out).
 */
enum status manual_write(const struct manual *manual, FILE *out, struct err *err);

#endif
