/* SPDX-License-Identifier: Apache-2.0 */
#include "server/place.h"

#include <stdio.h>

/* room for "/items/N" before a field and "/N" after it */
#define PLACE_INDEX_MAX 32

struct place place_field(size_t item, const char *field)
{
	return (struct place){.item = item, .field = field, .index = PLACE_NONE};
}

/* RFC 6901: "~" is written "~0", "/" is written "~1". */
static size_t add_field(char *out, size_t len, const char *field)
{
	out[len++] = '/';
	for (; *field != '\0' && len < PLACE_TEXT_MAX - PLACE_INDEX_MAX; field++) {
		if (*field == '~' || *field == '/') {
			out[len++] = '~';
			out[len++] = *field == '~' ? '0' : '1';
		} else {
			out[len++] = *field;
		}
	}
	out[len] = '\0';
	return len;
}

const char *place_text(struct place place, char text_out[PLACE_TEXT_MAX])
{
	size_t len = 0;

	text_out[0] = '\0';
	if (place.item != PLACE_NONE)
		len = (size_t)snprintf(text_out, PLACE_INDEX_MAX, "/items/%zu", place.item);
	if (place.field != NULL)
		len = add_field(text_out, len, place.field);
	if (place.index != PLACE_NONE)
		snprintf(text_out + len, PLACE_TEXT_MAX - len, "/%zu", place.index);
	return text_out;
}

enum status place_line_fault(size_t line, const char *field, enum status code, const char *text,
			     struct err *err)
{
	char where[PLACE_TEXT_MAX];

	snprintf(where, sizeof(where), "/%zu/%s", line, field);
	return err_at(err, code, where, "line %zu: %s", line, text);
}
