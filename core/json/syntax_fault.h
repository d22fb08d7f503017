/* SPDX-License-Identifier: Apache-2.0 */
/* syntax_fault.h - what is wrong with a text, and where: by line and column. */
#ifndef MICRO_JSON_SYNTAX_FAULT_H
#define MICRO_JSON_SYNTAX_FAULT_H

#include "core/base/err.h"

/**
 * syntax_locate(text, end, at, err): puts "line L, column C: " of at in front of what err says
 * already; text is not empty, and what ends too early is at fault at its last character. Lines are
 * counted by '\n', columns in characters of UTF-8. Returns STATUS_MALFORMED.
 */
enum status syntax_locate(const char *text, const char *end, const char *at, struct err *err);

/** syntax_unexpected(text, end, at, want, err): what stands at at, or that nothing does, is not
 * what must be there. Returns STATUS_MALFORMED. */
enum status syntax_unexpected(const char *text, const char *end, const char *at, const char *want,
			      struct err *err);

#endif
