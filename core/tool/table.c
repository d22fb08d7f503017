/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <uniwidth.h>

#include "core/base/mem.h"

void table_init(struct table *table, const struct table_column *columns, size_t n_columns)
{
	*table = (struct table){.columns = columns, .n_columns = n_columns, .gap = 2};
}

void table_free(struct table *table)
{
	for (size_t i = 0; i < table->n_cells; i++)
		mem_free(table->cells[i]);
	mem_free(table->cells);
	*table = (struct table){0};
}

/*
 * text into out, which has twice its room: a line break as \n, '?' for the other
 * control characters of ASCII and U+0080 to U+009F, which terminals obey as well.
 */
static void copy_printable(const char *text, char *out)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)text[0], next = (unsigned char)text[1];

		if (c == '\n') {
			*out++ = '\\';
			*out++ = 'n';
		} else if (c < 0x20 || c == 0x7f) {
			*out++ = '?';
		} else if (c == 0xc2 && next >= 0x80 && next < 0xa0) {
			*out++ = '?';
			text++;
		} else {
			*out++ = (char)c;
		}
	}
	*out = '\0';
}

static bool reserve(struct table *table)
{
	size_t wanted = table->capacity == 0 ? 16 : 2 * table->capacity;
	char **grown;

	if (table->n_cells < table->capacity)
		return true;
	grown = mem_grow(table->cells, table->n_cells, wanted, sizeof(*grown));
	if (grown == NULL)
		return false;
	table->cells = grown;
	table->capacity = wanted;
	return true;
}

void table_add(struct table *table, const char *format, ...)
{
	char *raw, *cell;
	va_list args;
	size_t len;

	va_start(args, format);
	len = (size_t)vsnprintf(NULL, 0, format, args);
	va_end(args);
	raw = mem_array(len + 1, 1);
	cell = mem_array(2 * len + 1, 1);
	if (raw == NULL || cell == NULL || !reserve(table)) {
		table->failed = true;
		mem_free(raw);
		mem_free(cell);
		return;
	}
	va_start(args, format);
	vsnprintf(raw, len + 1, format, args);
	va_end(args);
	copy_printable(raw, cell);
	mem_free(raw);
	table->cells[table->n_cells++] = cell;
}

static int text_width(const char *text)
{
	return u8_strwidth((const uint8_t *)text, "UTF-8");
}

static bool has_titles(const struct table *table)
{
	return table->columns[0].title != NULL;
}

static int column_width(const struct table *table, size_t column)
{
	int width = has_titles(table) ? text_width(table->columns[column].title) : 0;

	for (size_t i = column; i < table->n_cells; i += table->n_columns) {
		int cell_width = text_width(table->cells[i]);

		if (cell_width > width)
			width = cell_width;
	}
	return width;
}

/* One cell with its blanks; none at the end of a line. */
static void print_cell(const struct table *table, size_t column, const char *text, int width,
		       FILE *out)
{
	bool is_last = column + 1 == table->n_columns;
	int blanks = width - text_width(text);

	if (table->columns[column].align == ALIGN_RIGHT)
		fprintf(out, "%*s%s", blanks, "", text);
	else
		fprintf(out, "%s%*s", text, is_last ? 0 : blanks, "");
	fprintf(out, is_last ? "\n" : "%*s", table->gap, "");
}

static void print_titles(const struct table *table, const int *widths,
			 const struct terminal *terminal)
{
	fputs(terminal_style(terminal, STYLE_BOLD), terminal->out);
	for (size_t c = 0; c < table->n_columns; c++)
		print_cell(table, c, table->columns[c].title, widths[c], terminal->out);
	fputs(terminal_style(terminal, STYLE_PLAIN), terminal->out);
}

enum status table_print(const struct table *table, const struct terminal *terminal, struct err *err)
{
	int *widths;

	if (table->failed)
		return err_no_memory(err, "a table");
	assert(table->n_columns > 0);
	assert(table->n_cells % table->n_columns == 0);
	widths = mem_array(table->n_columns, sizeof(*widths));
	if (widths == NULL)
		return err_no_memory(err, "a table");
	for (size_t c = 0; c < table->n_columns; c++)
		widths[c] = column_width(table, c);
	if (has_titles(table))
		print_titles(table, widths, terminal);
	for (size_t i = 0; i < table->n_cells; i++) {
		size_t c = i % table->n_columns;

		print_cell(table, c, table->cells[i], widths[c], terminal->out);
	}
	mem_free(widths);
	return STATUS_OK;
}
