/* SPDX-License-Identifier: Apache-2.0 */
/* jsontext.h - JSON texts inside files of ours: reading and writing them. */
#ifndef MICRO_BASE_JSONTEXT_H
#define MICRO_BASE_JSONTEXT_H

#include <stddef.h>

#include <jansson.h>

#include "core/base/err.h"

/**
 * jsontext_load(bytes, len, what, value_out, err): parse a JSON text, duplicate
 * keys refused; the caller releases it with json_decref(). Errors: STATUS_BAD_FILE
 * "<what>: line L, column C: ...", STATUS_NO_MEMORY.
 */
enum status jsontext_load(const char *bytes, size_t len, const char *what, json_t **value_out,
			  struct err *err);

/**
 * jsontext_dump(value, flags): like json_dumps(), a new string; free with
 * mem_free(). NULL without memory, also if value is NULL.
 */
char *jsontext_dump(const json_t *value, size_t flags);

#endif
