/* SPDX-License-Identifier: Apache-2.0 */
/* usage.h - faults of what was typed. */
#ifndef MICRO_TOOL_USAGE_H
#define MICRO_TOOL_USAGE_H

#include "core/base/err.h"

/**
 * usage_of_option(status, option, err): a value that its own module refuses is a wrong option
 * all the same: STATUS_INVALID_VALUE becomes STATUS_USAGE with "--option: " before the message.
 */
enum status usage_of_option(enum status status, const char *option, struct err *err);

/**
 * usage_keep(out, path, option, err): STATUS_USAGE if the file that --out names is also the
 * one that --option names, which would be lost. A file that is not there is no fault here.
 */
enum status usage_keep(const char *out, const char *path, const char *option, struct err *err);

/** usage_keep_from(out_option, out, path, option, err): the same for a file to write that another
 * option names. */
enum status usage_keep_from(const char *out_option, const char *out, const char *path,
			    const char *option, struct err *err);

/** usage_utf8(text, option, err): STATUS_USAGE if text, which may be NULL, is not UTF-8. */
enum status usage_utf8(const char *text, const char *option, struct err *err);

#endif
