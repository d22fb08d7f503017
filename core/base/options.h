/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h - command-line options and environment variables from one table.
 *
 * The table is the truth: --help, the range checks and their messages come
 * from it. Order of precedence: command line, environment, default.
 */
#ifndef MICRO_BASE_OPTIONS_H
#define MICRO_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/base/err.h"

enum option_type {
	OPTION_STRING, /* const char *; range: length in bytes */
	OPTION_INT,    /* int64_t */
	OPTION_SIZE,   /* int64_t bytes; accepts the suffixes K, M, G (powers of 1024) */
	OPTION_REAL,   /* double */
	OPTION_FLAG,   /* bool; no value on the command line; 0, 1, true, false in environment */
	OPTION_CHOICE, /* int: index in choices */
};

struct option_spec {
	const char *name; /* "listen-port", without dashes */
	const char *env;  /* "MICROD_LISTEN_PORT", NULL for none */
	enum option_type type;
	double min, max;	    /* inclusive; ignored for FLAG and CHOICE */
	const char *default_text;   /* as it would be typed; NULL: see options_parse() */
	bool required;		    /* STRING only */
	const char *const *choices; /* CHOICE: NULL-terminated */
	const char *value_name;	    /* "PORT", for --help */
	const char *help;	    /* one sentence; --help adds range, default, environment */
	size_t offset;		    /* of the field in the config struct */
};

/**
 * options_parse(specs, n_specs, argc, argv, config, positionals_out,
 * n_positionals_out, err): fill config: first defaults (without one a string is
 * NULL and a number or choice stays what config holds), then environment, then
 * argv[1..]: "--name value", "--name=value", "--flag"; "--" ends options; the
 * last of repeated options counts. A value that begins with "--" needs the form
 * with "=". An empty environment variable counts as unset.
 * Strings point into argv, the environment or the table. positionals_out: array
 * of argc pointers given by the caller, or NULL to refuse positionals. Errors:
 * STATUS_USAGE naming the option, the value, and the range or the choices;
 * an unknown option's message names the nearest known one.
 */
enum status options_parse(const struct option_spec *specs, size_t n_specs, int argc, char **argv,
			  void *config, const char **positionals_out, size_t *n_positionals_out,
			  struct err *err);

/** options_ask_for(argc, argv, flag): whether flag, such as "--help", is there before any "--". */
bool options_ask_for(int argc, char **argv, const char *flag);

/** options_given(argc, argv, name): whether "--name" or "--name=..." is there before any "--". */
bool options_given(int argc, char **argv, const char *name);

#define OPTION_TEXT_MAX 1024 /* bytes that hold what is to be said of any option */

/** option_describe(spec, text_out): help, range, default and environment as sentences on one
 * line. */
void option_describe(const struct option_spec *spec, char text_out[OPTION_TEXT_MAX]);

/** options_help(specs, n_specs, out): the options part of --help, wrapped at 80 columns. */
void options_help(const struct option_spec *specs, size_t n_specs, FILE *out);

#endif
