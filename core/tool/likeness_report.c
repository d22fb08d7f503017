/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/likeness_report.h"

#include <math.h>

#include "core/tool/table.h"

#define MAX_MATRIX_HEADS 16 /* more columns do not fit a window */

/* Hundredths, the diagonal left out: two or three characters a column. */
static enum status print_matrix(const struct head_likeness *likeness,
				const struct terminal *terminal, struct err *err)
{
	static const char *const numbers[MAX_MATRIX_HEADS] = {
	    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15"};
	struct table_column columns[MAX_MATRIX_HEADS + 1] = {{"", ALIGN_RIGHT}};
	size_t n = likeness->n_heads;
	struct table table;
	enum status status;

	for (size_t k = 0; k < n; k++)
		columns[k + 1] = (struct table_column){numbers[k], ALIGN_RIGHT};
	table_init(&table, columns, n + 1);
	table.gap = 1;
	for (size_t a = 0; a < n; a++) {
		table_add(&table, "%zu", a);
		for (size_t b = 0; b < n; b++) {
			if (a == b)
				table_add(&table, ".");
			else
				table_add(&table, "%ld", lround(100 * likeness->cosine[a * n + b]));
		}
	}
	status = table_print(&table, terminal, err);
	table_free(&table);
	return status;
}

static enum status print_most_alike(const struct head_likeness *likeness, const char *measure,
				    const struct terminal *terminal, struct err *err)
{
	const struct table_column columns[] = {
	    {"most alike", ALIGN_RIGHT}, {"", ALIGN_RIGHT}, {measure, ALIGN_RIGHT}};
	struct table table;
	enum status status;

	table_init(&table, columns, 3);
	for (size_t i = 0; i < likeness->n_pairs; i++) {
		table_add(&table, "%zu", likeness->pairs[i].a);
		table_add(&table, "%zu", likeness->pairs[i].b);
		table_add(&table, "%.4f", likeness->pairs[i].cosine);
	}
	status = table_print(&table, terminal, err);
	table_free(&table);
	return status;
}

enum status likeness_report_text(const struct head_likeness *likeness, const char *title,
				 const char *measure, const struct terminal *terminal,
				 struct err *err)
{
	if (likeness->n_pairs == 0)
		return STATUS_OK;
	fprintf(terminal->out, "\n%s: mean %.4f, max %.4f\n", title, likeness->mean, likeness->max);
	if (likeness->n_heads > MAX_MATRIX_HEADS)
		return print_most_alike(likeness, measure, terminal, err);
	fputs("in hundredths:\n", terminal->out);
	return print_matrix(likeness, terminal, err);
}
