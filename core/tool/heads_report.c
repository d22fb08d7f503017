/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/heads_report.h"

#include "core/base/mem.h"
#include "core/tool/likeness_report.h"
#include "core/tool/table.h"

/* ---- scores ---- */

static enum status score_datasets(struct heads_report *report, struct err *err)
{
	enum status status = STATUS_OK;
	size_t begin = 0;

	for (size_t j = 0; j < report->n_datasets && status == STATUS_OK; j++) {
		status = head_scores_init(&report->scores[j], &report->margins, begin,
					  &report->datasets[j], err);
		begin += report->datasets[j].n_pairs;
	}
	return status;
}

static enum status correlate(struct heads_report *report, struct err *err)
{
	size_t n = report->model->heads.n_heads;
	double *matrix = mem_array(n, n * sizeof(*matrix));
	enum status status;

	if (matrix == NULL)
		return err_no_memory(err, "the heads' correlation");
	status = head_margins_correlation(&report->margins, matrix, err);
	if (status != STATUS_OK) {
		mem_free(matrix);
		return status;
	}
	head_likeness_of(&report->likeness, n, matrix);
	return STATUS_OK;
}

enum status heads_report_score(struct heads_report *report, struct err *err)
{
	enum status status;

	if (report->n_datasets == 0)
		return STATUS_OK;
	report->scores = mem_array(report->n_datasets, sizeof(*report->scores));
	if (report->scores == NULL)
		return err_no_memory(err, "the heads' scores");
	status = head_margins_init(&report->margins, report->model, report->datasets,
				   report->n_datasets, err);
	if (status == STATUS_OK)
		status = score_datasets(report, err);
	if (status == STATUS_OK)
		status = correlate(report, err);
	return status;
}

void heads_report_free(struct heads_report *report)
{
	if (report->scores != NULL) {
		for (size_t j = 0; j < report->n_datasets; j++)
			head_scores_free(&report->scores[j]);
	}
	mem_free(report->scores);
	head_margins_free(&report->margins);
	head_likeness_free(&report->likeness);
}

/* ---- for people ---- */

static void print_audit(const struct heads_report *report, FILE *out)
{
	const struct head_audit *audit = report->audit;
	size_t n_masked = 0;

	if (audit->n_heads == 0)
		return;
	fprintf(out, "audit on %zu pairs of %s, rejected above chosen:\n", audit->n_pairs,
		report->audit_data);
	for (size_t k = 0; k < audit->n_heads; k++) {
		n_masked += audit->masked[k];
		fprintf(out, "  head %zu: %.4f%s\n", k, audit->inverted[k],
			audit->masked[k] ? ", masked" : "");
	}
	fprintf(out, "more than %g: %zu of %zu heads\n\n", audit->threshold, n_masked,
		audit->n_heads);
}

static void print_merge(const struct heads_report *report, FILE *out)
{
	const struct head_merging *merging = report->merging;

	if (merging->merge.n_heads == 0)
		return;
	if (merging->merge.n_groups == merging->merge.n_heads) {
		fprintf(out, "no two heads correlate by %g or more: nothing is merged\n\n",
			merging->threshold);
		return;
	}
	fprintf(out, "merged: %s; %zu heads are left\n",
		model_fact(report->model, FACT_MERGED_HEADS), merging->merge.n_groups);
	for (size_t j = 0; j < report->n_datasets; j++)
		fprintf(out, "  %s: accuracy %.4f -> %.4f, NLL %.4f -> %.4f\n", report->paths[j],
			merging->before[j].accuracy, merging->after[j].accuracy,
			merging->before[j].nll, merging->after[j].nll);
	fputs("these are other heads: weights that users have learnt do not apply to them\n\n",
	      out);
}

static void add_head(struct table *table, const struct model *model, size_t k)
{
	table_add(table, "%zu", k);
	table_add(table, "%s", model->labels[k]);
	table_add(table, "%s", model->mask[k] ? "masked" : "");
}

/* The heads without data. */
static enum status print_heads(const struct heads_report *report, const struct terminal *terminal,
			       struct err *err)
{
	static const struct table_column columns[] = {
	    {"head", ALIGN_RIGHT},
	    {"label", ALIGN_LEFT},
	    {"masked", ALIGN_LEFT},
	};
	struct table table;
	enum status status;

	table_init(&table, columns, 3);
	for (size_t k = 0; k < report->model->heads.n_heads; k++)
		add_head(&table, report->model, k);
	status = table_print(&table, terminal, err);
	table_free(&table);
	return status;
}

/* The weight is the router's, a mean over all datasets. */
static enum status print_scores(const struct heads_report *report, size_t j,
				const struct terminal *terminal, struct err *err)
{
	static const struct table_column columns[] = {
	    {"head", ALIGN_RIGHT},   {"label", ALIGN_LEFT},	{"masked", ALIGN_LEFT},
	    {"weight", ALIGN_RIGHT}, {"accuracy", ALIGN_RIGHT}, {"NLL", ALIGN_RIGHT},
	};
	const struct head_score *score = report->scores[j].score;
	struct table table;
	enum status status;

	table_init(&table, columns, 6);
	for (size_t k = 0; k < report->model->heads.n_heads; k++) {
		add_head(&table, report->model, k);
		table_add(&table, "%.4f", report->margins.usage[k]);
		table_add(&table, "%.4f", score[k].accuracy);
		table_add(&table, "%.4f", score[k].nll);
	}
	status = table_print(&table, terminal, err);
	table_free(&table);
	return status;
}

static enum status print_contexts(const struct heads_report *report, size_t j,
				  const struct terminal *terminal, struct err *err)
{
	static const struct table_column columns[] = {
	    {"context", ALIGN_LEFT}, {"pairs", ALIGN_RIGHT},	{"best head", ALIGN_RIGHT},
	    {"label", ALIGN_LEFT},   {"accuracy", ALIGN_RIGHT}, {"NLL", ALIGN_RIGHT},
	};
	const struct model *model = report->model;
	struct table table;
	enum status status;

	table_init(&table, columns, 6);
	for (size_t c = 0; c < report->scores[j].n_contexts; c++) {
		const struct head_score *score = head_scores_context(&report->scores[j], c);
		size_t best = head_scores_best(score, model->mask, model->heads.n_heads);

		table_add(&table, "%s", report->datasets[j].context_names[c]);
		table_add(&table, "%zu", score[best].n_pairs);
		table_add(&table, "%zu", best);
		table_add(&table, "%s", model->labels[best]);
		table_add(&table, "%.4f", score[best].accuracy);
		table_add(&table, "%.4f", score[best].nll);
	}
	status = table_print(&table, terminal, err);
	table_free(&table);
	return status;
}

static enum status print_dataset(const struct heads_report *report, size_t j,
				 const struct terminal *terminal, struct err *err)
{
	enum status status;

	fprintf(terminal->out, "\n%s: %zu pairs\n", report->paths[j], report->datasets[j].n_pairs);
	status = print_scores(report, j, terminal, err);
	if (status != STATUS_OK || report->scores[j].n_contexts == 0)
		return status;
	fputc('\n', terminal->out);
	return print_contexts(report, j, terminal, err);
}

static enum status print_all(const struct heads_report *report, const struct terminal *terminal,
			     struct err *err)
{
	enum status status = STATUS_OK;

	print_audit(report, terminal->out);
	print_merge(report, terminal->out);
	fprintf(terminal->out, "model %s", report->model->id);
	fprintf(terminal->out, report->out == NULL ? "\n" : ", written to %s\n", report->out);
	if (report->n_datasets == 0) {
		fputc('\n', terminal->out);
		return print_heads(report, terminal, err);
	}
	for (size_t j = 0; j < report->n_datasets && status == STATUS_OK; j++)
		status = print_dataset(report, j, terminal, err);
	if (status != STATUS_OK)
		return status;
	return likeness_report_text(&report->likeness,
				    "correlation of the predictions of two heads", "correlation",
				    terminal, err);
}

enum status heads_report_text(const struct heads_report *report, const struct terminal *terminal,
			      struct err *err)
{
	bool tried = report->audit->n_heads > 0 || report->merging->merge.n_heads > 0;
	enum status status = print_all(report, terminal, err);

	if (status == STATUS_OK && tried && report->out == NULL)
		fputs("\nnothing is written; give --out\n", terminal->out);
	return status;
}
