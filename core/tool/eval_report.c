/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/eval_report.h"

#include <string.h>

#include "core/tool/json_line.h"
#include "core/tool/table.h"

#define BAR_WIDTH 30 /* characters from accuracy 0.5 to 1 */

/* ---- for people ---- */

static void add_score(struct table *table, const char *name, const struct eval_score *score)
{
	table_add(table, "%s", name);
	table_add(table, "%zu", score->n_pairs);
	table_add(table, "%.4f", score->accuracy);
	table_add(table, "%.4f", score->nll);
}

static enum status print_pairs(const struct eval_report *report, const struct terminal *terminal,
			       struct err *err)
{
	static const struct table_column columns[] = {
	    {"context", ALIGN_LEFT},
	    {"pairs", ALIGN_RIGHT},
	    {"accuracy", ALIGN_RIGHT},
	    {"NLL", ALIGN_RIGHT},
	};
	const struct eval_result *result = &report->result;
	struct table table;
	enum status status;

	table_init(&table, columns, 4);
	add_score(&table, "(all pairs)", &result->overall);
	for (size_t c = 0; c < result->n_contexts; c++)
		add_score(&table, report->dataset->context_names[c], &result->contexts[c]);
	if (result->n_contexts > 0)
		add_score(&table, "(mean of contexts)", &result->context_mean);
	status = table_print(&table, terminal, err);
	table_free(&table);
	return status;
}

static void add_bar(struct table *table, double accuracy)
{
	char bar[BAR_WIDTH + 1];
	double height = (accuracy - 0.5) / 0.5;
	int filled = height > 0 ? (int)(height * BAR_WIDTH + 0.5) : 0;

	memset(bar, '.', BAR_WIDTH);
	memset(bar, '#', (size_t)filled);
	bar[BAR_WIDTH] = '\0';
	table_add(table, "%s", bar);
}

/* The last column, accuracies as bars, is for eyes only: not when a program reads. */
static enum status print_shots(const struct eval_result *result, const struct terminal *terminal,
			       struct err *err)
{
	static const struct table_column columns[] = {
	    {"feedbacks", ALIGN_RIGHT}, {"users", ALIGN_RIGHT},	  {"accuracy", ALIGN_RIGHT},
	    {"NLL", ALIGN_RIGHT},	{"0.5 .. 1", ALIGN_LEFT},
	};
	struct table table;
	enum status status;

	table_init(&table, columns, terminal->interactive ? 5 : 4);
	for (size_t j = 0; j < result->n_shots; j++) {
		const struct eval_shot *shot = &result->shots[j];

		table_add(&table, "%zu", shot->shots);
		table_add(&table, "%zu", shot->users);
		table_add(&table, "%.4f", shot->accuracy);
		table_add(&table, "%.4f", shot->nll);
		if (terminal->interactive)
			add_bar(&table, shot->accuracy);
	}
	status = table_print(&table, terminal, err);
	table_free(&table);
	return status;
}

enum status eval_report_text(const struct eval_report *report, const struct terminal *terminal,
			     struct err *err)
{
	const struct eval_result *result = &report->result;
	enum status status;

	fprintf(terminal->out, "%s: %zu pairs, %zu users; model %s\n\n", report->data,
		report->dataset->n_pairs, report->dataset->n_users, report->model->id);
	status = print_pairs(report, terminal, err);
	if (status != STATUS_OK || result->n_shots == 0)
		return status;
	fputc('\n', terminal->out);
	status = print_shots(result, terminal, err);
	if (status == STATUS_OK && result->users_left_out > 0)
		fprintf(terminal->out, "%zu users left out: no pair beyond the first %zu\n",
			result->users_left_out, result->shots[result->n_shots - 1].shots);
	return status;
}

/* ---- for machines; NULL anywhere: no memory ---- */

static json_t *shots_json(const struct eval_result *result)
{
	json_t *array = json_array();

	for (size_t j = 0; j < result->n_shots; j++) {
		const struct eval_shot *shot = &result->shots[j];
		json_t *row = json_pack("{s:I, s:I, s:f, s:f}", "shots", (json_int_t)shot->shots,
					"users", (json_int_t)shot->users, "accuracy",
					shot->accuracy, "nll", shot->nll);

		json_line_append(&array, row);
	}
	return array;
}

static json_t *contexts_json(const struct eval_report *report)
{
	json_t *array = json_array();

	for (size_t c = 0; c < report->result.n_contexts; c++) {
		const struct eval_score *score = &report->result.contexts[c];
		json_t *row = json_pack(
		    "{s:s, s:I, s:f, s:f}", "context", report->dataset->context_names[c], "n_pairs",
		    (json_int_t)score->n_pairs, "accuracy", score->accuracy, "nll", score->nll);

		json_line_append(&array, row);
	}
	return array;
}

static json_t *context_mean_json(const struct eval_result *result)
{
	if (result->n_contexts == 0)
		return json_null();
	return json_pack("{s:I, s:f, s:f}", "n_contexts", (json_int_t)result->n_contexts,
			 "accuracy", result->context_mean.accuracy, "nll",
			 result->context_mean.nll);
}

enum status eval_report_json(const struct eval_report *report, FILE *out, struct err *err)
{
	const struct eval_score *overall = &report->result.overall;

	return json_line_print(
	    json_pack("{s:I, s:f, s:f, s:o, s:o, s:o}", "n_pairs", (json_int_t)overall->n_pairs,
		      "accuracy", overall->accuracy, "nll", overall->nll, "shots",
		      shots_json(&report->result), "contexts", contexts_json(report),
		      "context_mean", context_mean_json(&report->result)),
	    out, err);
}
