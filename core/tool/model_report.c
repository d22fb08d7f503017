/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/model_report.h"

#include <math.h>

#include "core/tool/table.h"

#define MAX_MATRIX_HEADS 16 /* more columns do not fit a window */

static void add_row(struct table *table, const char *name, const char *value)
{
	table_add(table, "%s", name);
	table_add(table, "%s", value);
}

static enum status print_facts(const char *path, const struct model *model,
			       const struct terminal *terminal, struct err *err)
{
	static const struct table_column columns[] = {{NULL, ALIGN_LEFT}, {NULL, ALIGN_LEFT}};
	const struct router *router = &model->router;
	struct table table;
	enum status status;

	table_init(&table, columns, 2);
	add_row(&table, "file", path);
	add_row(&table, "id", model->id);
	add_row(&table, "format", MODEL_FORMAT);
	table_add(&table, "heads");
	table_add(&table, "%zu of dimension %zu", model->heads.n_heads, model->heads.dim);
	table_add(&table, "router");
	if (router->kind == ROUTER_MLP)
		table_add(&table, "mlp with %zu hidden units", router->n_hidden);
	else
		table_add(&table, "%s", router_kind_name(router->kind));
	add_row(&table, "encoder", model->encoder_spec);
	add_row(&table, "template phi", model->template_phi);
	add_row(&table, "template psi", model->template_psi);
	for (size_t i = 0; i < model->n_facts; i++)
		add_row(&table, model->facts[i].key, model->facts[i].value);
	status = table_print(&table, terminal, err);
	table_free(&table);
	return status;
}

static enum status print_heads(const struct model *model, const struct terminal *terminal,
			       struct err *err)
{
	static const struct table_column columns[] = {
	    {"head", ALIGN_RIGHT},
	    {"label", ALIGN_LEFT},
	    {"masked", ALIGN_LEFT},
	    {"mean reward", ALIGN_RIGHT},
	};
	struct table table;
	enum status status;

	table_init(&table, columns, 4);
	for (size_t k = 0; k < model->heads.n_heads; k++) {
		table_add(&table, "%zu", k);
		table_add(&table, "%s", model->labels[k]);
		table_add(&table, "%s", model->mask[k] ? "masked" : "");
		table_add(&table, "%.4f", (double)model->heads.center[k]);
	}
	status = table_print(&table, terminal, err);
	table_free(&table);
	return status;
}

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

static enum status print_most_alike(const struct head_likeness *likeness,
				    const struct terminal *terminal, struct err *err)
{
	static const struct table_column columns[] = {
	    {"most alike", ALIGN_RIGHT}, {"", ALIGN_RIGHT}, {"cosine", ALIGN_RIGHT}};
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

static enum status print_likeness(const struct head_likeness *likeness,
				  const struct terminal *terminal, struct err *err)
{
	if (likeness->n_pairs == 0)
		return STATUS_OK;
	fprintf(terminal->out, "\ncosine of the weights of two heads: mean %.4f, max %.4f\n",
		likeness->mean, likeness->max);
	if (likeness->n_heads > MAX_MATRIX_HEADS)
		return print_most_alike(likeness, terminal, err);
	fputs("in hundredths:\n", terminal->out);
	return print_matrix(likeness, terminal, err);
}

enum status model_report_text(const char *path, const struct model *model,
			      const struct head_likeness *likeness, const struct terminal *terminal,
			      struct err *err)
{
	enum status status = print_facts(path, model, terminal, err);

	if (status != STATUS_OK)
		return status;
	fputc('\n', terminal->out);
	status = print_heads(model, terminal, err);
	return status == STATUS_OK ? print_likeness(likeness, terminal, err) : status;
}
