/* SPDX-License-Identifier: Apache-2.0 */
/* table.h - columns for people: gather the cells, then print them as wide as they need. */
#ifndef MICRO_TOOL_TABLE_H
#define MICRO_TOOL_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"
#include "core/tool/terminal.h"

enum table_align { ALIGN_LEFT, ALIGN_RIGHT };

struct table_column {
	const char *title; /* NULL in the first column: a table without titles */
	enum table_align align;
};

struct table {
	const struct table_column *columns; /* [n_columns], the caller's */
	size_t n_columns;
	int gap;      /* blanks between columns */
	char **cells; /* [n_cells], row by row */
	size_t n_cells;
	size_t capacity; /* of cells */
	bool failed;	 /* a cell found no memory; table_print() says so */
};

/** table_init(table, columns, n_columns): no rows, a gap of 2; table_free() releases. */
void table_init(struct table *table, const struct table_column *columns, size_t n_columns);

/** table_free(table): frees the cells. */
void table_free(struct table *table);

/**
 * table_add(table, format, ...): the next cell; rows fill from left to right. A line
 * break is shown as \n, other control characters as '?': names come from files and
 * must not command the terminal.
 */
void table_add(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** table_print(table, terminal, err): STATUS_NO_MEMORY, and nothing printed, if a cell is missing.
 */
enum status table_print(const struct table *table, const struct terminal *terminal,
			struct err *err);

#endif
