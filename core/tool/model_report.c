/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/model_report.h"

#include "core/tool/likeness_report.h"
#include "core/tool/table.h"

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

enum status model_report_text(const char *path, const struct model *model,
			      const struct head_likeness *likeness, const struct terminal *terminal,
			      struct err *err)
{
	enum status status = print_facts(path, model, terminal, err);

	if (status != STATUS_OK)
		return status;
	fputc('\n', terminal->out);
	status = print_heads(model, terminal, err);
	if (status != STATUS_OK)
		return status;
	return likeness_report_text(likeness, "cosine of the weights of two heads", "cosine",
				    terminal, err);
}
