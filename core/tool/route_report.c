/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/route_report.h"

#include <math.h>

#include "core/tool/json_line.h"
#include "core/tool/table.h"
#include "core/tool/train_report.h"

void route_report_start(const char *path, const struct dataset *dataset, const struct model *model,
			FILE *out)
{
	train_report_data(path, dataset, out);
	fprintf(out, "%zu heads, %s router, encoder %s, model %s\n", model->heads.n_heads,
		router_kind_name(model->router.kind), model->encoder_spec, model->id);
	fflush(out);
}

void route_report_trial(struct progress *progress, const struct stage2_trial *trial)
{
	const struct eval_score *heldout = &trial->heldout;

	progress_note(progress, "%-11s  tau %-5g  held out: accuracy %.4f, NLL %.4f",
		      stage2_method_name(trial->method), trial->tau, heldout->accuracy,
		      heldout->nll);
	if (progress->form != PROGRESS_JSON)
		return;
	fprintf(progress->terminal->out,
		"{\"method\":\"%s\",\"tau\":%.17g,\"heldout\":{\"n_pairs\":%zu,"
		"\"accuracy\":%.17g,\"nll\":%.17g}}\n",
		stage2_method_name(trial->method), trial->tau, heldout->n_pairs, heldout->accuracy,
		heldout->nll);
	fflush(progress->terminal->out);
}

static void add_score(struct table *table, const struct eval_score *score)
{
	table_add(table, "%.4f", score->accuracy);
	table_add(table, "%.4f", score->nll);
}

static enum status print_methods(const struct stage2_result *result,
				 const struct terminal *terminal, struct err *err)
{
	static const struct table_column columns[] = {
	    {"held out", ALIGN_LEFT},
	    {"tau", ALIGN_RIGHT},
	    {"accuracy", ALIGN_RIGHT},
	    {"NLL", ALIGN_RIGHT},
	};
	struct table table;
	enum status status;

	table_init(&table, columns, 4);
	table_add(&table, "before");
	table_add(&table, "%s", "");
	add_score(&table, &result->before);
	for (size_t m = 0; m < STAGE2_AUTO; m++) {
		const struct stage2_trial *best = stage2_best(result, (enum stage2_method)m);

		if (best == NULL)
			continue;
		table_add(&table, "%s", stage2_method_name(best->method));
		table_add(&table, "%g", best->tau);
		add_score(&table, &best->heldout);
	}
	status = table_print(&table, terminal, err);
	table_free(&table);
	return status;
}

/* "0.0120 below iterate's" */
static void print_difference(double nll, double other_nll, const char *other, FILE *out)
{
	fprintf(out, "%.4f %s %s", fabs(nll - other_nll), nll > other_nll ? "above" : "below",
		other);
}

/* ": NLL 0.0120 below iterate's, 0.1032 below the router's before" */
static void print_advantage(const struct stage2_result *result, FILE *out)
{
	const struct stage2_trial *chosen = &result->trials[result->chosen];
	enum stage2_method other =
	    chosen->method == STAGE2_ITERATE ? STAGE2_CLOSED_FORM : STAGE2_ITERATE;
	const struct stage2_trial *loser = stage2_best(result, other);

	fputs(": NLL ", out);
	if (loser != NULL) {
		print_difference(chosen->heldout.nll, loser->heldout.nll, stage2_method_name(other),
				 out);
		fputs("'s, ", out);
	}
	print_difference(chosen->heldout.nll, result->before.nll, "the router's before", out);
}

enum status route_report_text(const struct route_report *report, const struct terminal *terminal,
			      struct err *err)
{
	const struct stage2_result *result = report->result;
	const struct stage2_trial *chosen = &result->trials[result->chosen];
	bool has_figures = result->before.n_pairs > 0;
	FILE *out = terminal->out;

	if (has_figures) {
		enum status status = print_methods(result, terminal, err);

		if (status != STATUS_OK)
			return status;
	}
	fprintf(out, "%s, tau %g", stage2_method_name(chosen->method), chosen->tau);
	if (has_figures)
		print_advantage(result, out);
	if (result->kept)
		fprintf(out, "\nkept: the router as it is; %zu pairs, %zu contexts; %.1f s\n",
			result->n_pairs, result->n_groups, report->seconds);
	else
		fprintf(out, "\n%s: model %s; %zu pairs, %zu contexts; %.1f s\n", report->out,
			report->model->id, result->n_pairs, result->n_groups, report->seconds);
	return STATUS_OK;
}

enum status route_report_json(const struct route_report *report, FILE *out, struct err *err)
{
	const struct stage2_result *result = report->result;
	const struct stage2_trial *chosen = &result->trials[result->chosen];
	char text[STAGE2_HELDOUT_TEXT];
	json_t *heldout; /* NULL without memory */

	stage2_heldout_text(result, text, sizeof(text));
	heldout = json_loads(text, JSON_DECODE_ANY, NULL);
	return json_line_print(
	    json_pack("{s:s, s:s?, s:b, s:I, s:I, s:s, s:f, s:o, s:f}", "model", report->model->id,
		      "out", result->kept ? NULL : report->out, "kept", result->kept, "n_pairs",
		      (json_int_t)result->n_pairs, "n_contexts", (json_int_t)result->n_groups,
		      "method", stage2_method_name(chosen->method), "tau", chosen->tau, "heldout",
		      heldout, "seconds", report->seconds),
	    out, err);
}
