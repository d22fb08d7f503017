/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json/syntax_fault.h"

#include <stddef.h>

enum status syntax_locate(const char *text, const char *end, const char *at, struct err *err)
{
	size_t line = 1, column = 0;

	if (at >= end)
		at = end - 1;
	for (const char *p = text; p <= at; p++) {
		if (p > text && p[-1] == '\n') {
			line++;
			column = 0;
		}
		column += ((unsigned char)*p & 0xc0) != 0x80;
	}
	err_wrap(err, "line %zu, column %zu", line, column == 0 ? 1 : column);
	return STATUS_MALFORMED;
}

enum status syntax_unexpected(const char *text, const char *end, const char *at, const char *want,
			      struct err *err)
{
	unsigned char c = (unsigned char)*at;

	if (at == end)
		err_set(err, STATUS_MALFORMED, "the text ends here, want %s", want);
	else if (c <= ' ' || c >= 0x7f)
		err_set(err, STATUS_MALFORMED, "got the byte 0x%02x, want %s", c, want);
	else
		err_set(err, STATUS_MALFORMED, "got '%c', want %s", c, want);
	return syntax_locate(text, end, at, err);
}
