/* SPDX-License-Identifier: Apache-2.0 */
/* json_line.h - machine output: one JSON value a line, numbers unrounded. */
#ifndef MICRO_TOOL_JSON_LINE_H
#define MICRO_TOOL_JSON_LINE_H

#include <stdio.h>

#include <jansson.h>

#include "core/base/err.h"

/**
 * json_line_append(array, value): append value and take its reference. If either is
 * NULL or memory lacks, *array is let go and becomes NULL: only the end needs a check.
 */
void json_line_append(json_t **array, json_t *value);

/** json_line_rows(x, n_rows, n_columns): x [n_rows, n_columns] as an array of arrays; NULL without
 * memory. */
json_t *json_line_rows(const double *x, size_t n_rows, size_t n_columns);

/** json_line_matrix(x, n): x [n, n] as an array of n arrays; NULL without memory. */
json_t *json_line_matrix(const double *x, size_t n);

/**
 * json_line_print(value, out, err): print value and let go of the caller's
 * reference. A NULL value, from a constructor that found no memory, is
 * STATUS_NO_MEMORY.
 */
enum status json_line_print(json_t *value, FILE *out, struct err *err);

#endif
