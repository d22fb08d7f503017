/* SPDX-License-Identifier: Apache-2.0 */
/*
 * help.h - what a command says of itself; --help and the manual page are made of it.
 */
#ifndef MICRO_BASE_HELP_H
#define MICRO_BASE_HELP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "core/base/options.h"

#define HELP_MAX_GROUPS 3

/* Options that stand together. */
struct help_group {
	const char *title; /* "to compare methods"; NULL for those that come first */
	const struct option_spec *specs;
	size_t n_specs;
};

struct help {
	const char *usage; /* one line for each form: "micro-model show --model FILE [--json]" */
	/* Paragraphs, an empty line between them, in lines that fit a terminal; one whose lines
	 * begin with two spaces stays as it is. */
	const char *about;
	const char *list_title; /* of commands; NULL: there are none */
	void (*write_list)(FILE *out);
	const struct help_group *groups[HELP_MAX_GROUPS + 1]; /* ends with NULL */
	bool has_version;				      /* it takes --version */
	void (*write_notes)(FILE *out); /* what comes last, as it is; NULL: nothing */
};

/** help_print(help, out): the text of --help. */
void help_print(const struct help *help, FILE *out);

#endif
