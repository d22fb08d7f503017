/* SPDX-License-Identifier: Apache-2.0 */
/* name_list.h - names by number as one text: a JSON array of strings. */
#ifndef MICRO_DATA_NAME_LIST_H
#define MICRO_DATA_NAME_LIST_H

#include <stddef.h>

#include "core/base/err.h"
#include "core/data/intern.h"

/**
 * name_list_text(names, text_out, err): a new string, mem_free(). STATUS_NO_MEMORY, or
 * STATUS_INVALID_VALUE for a name that is not UTF-8.
 */
enum status name_list_text(const struct intern *names, char **text_out, struct err *err);

/**
 * name_list_parse(text, what, names, err): fill names, which is empty, with the strings of
 * the array, numbered as they stand. One string at a time is in memory as JSON: a list may
 * be as long as a safetensors header. STATUS_BAD_FILE beginning with what, for what is no
 * such array, an empty name or one that stands twice; STATUS_NO_MEMORY. intern_free().
 */
enum status name_list_parse(const char *text, const char *what, struct intern *names,
			    struct err *err);

#endif
