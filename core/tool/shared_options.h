/* SPDX-License-Identifier: Apache-2.0 */
/* shared_options.h - what the option tables of several commands have in common. */
#ifndef MICRO_TOOL_SHARED_OPTIONS_H
#define MICRO_TOOL_SHARED_OPTIONS_H

#include <limits.h>

#include "core/base/options.h"

#define MAX_TEMPLATE 65536
#define MAX_SEED     9007199254740991.0 /* 2^53 - 1: every JSON reader gets it exactly */

/* A row of the table: the name of a file, at offset in the command's config. */
#define FILE_ROW(option, is_required, at, text)                                                    \
	{                                                                                          \
		.name = (option), .type = OPTION_STRING, .min = 1, .max = PATH_MAX,                \
		.required = (is_required), .value_name = "FILE", .help = (text), .offset = (at)    \
	}
#define REQUIRED_FILE(option, at, text) FILE_ROW(option, true, at, text)
#define OPTIONAL_FILE(option, at, text) FILE_ROW(option, false, at, text)

#endif
