/* SPDX-License-Identifier: Apache-2.0 */
/* place.h - where in a request something stands; a JSON pointer (RFC 6901) once it is a fault. */
#ifndef MICRO_SERVER_PLACE_H
#define MICRO_SERVER_PLACE_H

#include <stddef.h>

#include "core/base/err.h"

#define PLACE_NONE     ((size_t)-1)
#define PLACE_TEXT_MAX 128

struct place {
	size_t item;	   /* index in /items, or PLACE_NONE */
	const char *field; /* outlives the place; NULL: the item itself */
	size_t index;	   /* index in the field's array, or PLACE_NONE */
};

/** place_field(item, field): the place of a field of an item (PLACE_NONE: of the request). */
struct place place_field(size_t item, const char *field);

/** place_text(place, text_out): "/items/3/responses/1", "/chosen" or ""; returns text_out.
 * A field too long for it is cut. */
const char *place_text(struct place place, char text_out[PLACE_TEXT_MAX]);

/** place_line_fault(line, field, code, text, err): "line N: text" at "/N/field", of a body that is
 * lines of JSON; returns code. */
enum status place_line_fault(size_t line, const char *field, enum status code, const char *text,
			     struct err *err);

#endif
