/* SPDX-License-Identifier: Apache-2.0 */
/* jsontext.h - JSON values as text in the project's own memory. */
#ifndef MICRO_BASE_JSONTEXT_H
#define MICRO_BASE_JSONTEXT_H

#include <stddef.h>

#include <jansson.h>

/**
 * jsontext_dump(value, flags): like json_dumps(), a new string; free with
 * mem_free(). NULL without memory, also if value is NULL.
 */
char *jsontext_dump(const json_t *value, size_t flags);

#endif
