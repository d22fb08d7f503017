/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_field.h - fields of JSON that is written, for wire_write.c and wire_lines_write.c. before is
 * JSON up to the place of the value, such as ",\"id\":"; all is here, so that a literal's length is
 * a constant.
 */
#ifndef MICRO_SERVER_JSON_FIELD_H
#define MICRO_SERVER_JSON_FIELD_H

#include <stdint.h>
#include <string.h>

#include "server/buffer.h"
#include "server/clock.h"

/** json_text(out, before, text): a string. */
static inline void json_text(struct buffer *out, const char *before, const char *text)
{
	buffer_add_string(out, before);
	buffer_add_quoted(out, text, strlen(text));
}

/** json_optional(out, before, text): the same, but null for NULL and for "", which is how the
 * server says that there is none. */
static inline void json_optional(struct buffer *out, const char *before, const char *text)
{
	buffer_add_string(out, before);
	if (text == NULL || text[0] == '\0')
		buffer_add_string(out, "null");
	else
		buffer_add_quoted(out, text, strlen(text));
}

/** json_count(out, before, n): decimal. */
static inline void json_count(struct buffer *out, const char *before, uint64_t n)
{
	buffer_add_string(out, before);
	buffer_add_uint(out, n);
}

/** json_time(out, before, time_us): as clock_text() has it. */
static inline void json_time(struct buffer *out, const char *before, int64_t time_us)
{
	char text[CLOCK_TEXT_LEN + 1];

	clock_text(time_us, text);
	json_text(out, before, text);
}

#endif
