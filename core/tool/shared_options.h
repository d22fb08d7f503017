/* SPDX-License-Identifier: Apache-2.0 */
/* shared_options.h - what the option tables of several commands have in common. */
#ifndef MICRO_TOOL_SHARED_OPTIONS_H
#define MICRO_TOOL_SHARED_OPTIONS_H

#include <limits.h>

#include "core/base/options.h"
#include "core/tool/encoder_address.h"

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

/* --json, --quiet and their like. */
#define FLAG_ROW(option, at, text)                                                                 \
	{                                                                                          \
		.name = (option), .type = OPTION_FLAG, .help = (text), .offset = (at)              \
	}

/* usual: the default as it is typed, NULL: none. */
#define SEED_ROW(most, usual, at, text)                                                            \
	{                                                                                          \
		.name = "seed", .type = OPTION_INT, .min = 0, .max = (most),                       \
		.default_text = (usual), .value_name = "N", .help = (text), .offset = (at)         \
	}

#define THREADS_ROW(at, text)                                                                      \
	{                                                                                          \
		.name = "threads", .type = OPTION_INT, .min = 1, .max = 256, .default_text = "1",  \
		.value_name = "N", .help = (text), .offset = (at)                                  \
	}

#define ENCODER_ROW(usual, at, text)                                                               \
	{                                                                                          \
		.name = "encoder", .type = OPTION_STRING, .min = 1, .max = ENCODER_SPEC_MAX,       \
		.default_text = (usual), .value_name = "SPEC", .help = (text), .offset = (at)      \
	}
#define ENCODER_SPECS                                                                              \
	"What makes vectors of texts: hash:D, none:D for data with "                               \
	"vectors, " ENCODER_ADDRESS_SPECS

#define TEMPLATE_ROW(option, at, text)                                                             \
	{                                                                                          \
		.name = (option), .type = OPTION_STRING, .max = MAX_TEMPLATE,                      \
		.value_name = "TEXT", .help = (text), .offset = (at)                               \
	}

#endif
