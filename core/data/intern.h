/* SPDX-License-Identifier: Apache-2.0 */
/* intern.h - numbers for byte strings: equal strings get the same one, new ones the next. */
#ifndef MICRO_DATA_INTERN_H
#define MICRO_DATA_INTERN_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

/* Zeroed: empty. Keeps a copy of each distinct string. */
struct intern {
	struct intern_entry *table; /* by string; iterates in order of the numbers */
	uint32_t n;
};

/**
 * intern_add(intern, bytes, len, id_out, err): the number of the string, 0, 1, ...
 * in order of first appearance; it is new if that was intern->n before the call.
 * Errors: STATUS_NO_MEMORY; intern is unchanged then.
 */
enum status intern_add(struct intern *intern, const char *bytes, size_t len, uint32_t *id_out,
		       struct err *err);

/**
 * intern_strings(intern, strings_out, err): a new array [intern->n] of new
 * NUL-terminated strings, by number; the caller frees each and the array with
 * mem_free(). On error nothing is owned.
 */
enum status intern_strings(const struct intern *intern, char ***strings_out, struct err *err);

/** intern_free(intern): zeroed is allowed; empty afterwards. */
void intern_free(struct intern *intern);

#endif
