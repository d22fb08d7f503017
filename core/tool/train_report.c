/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/train_report.h"

#include <math.h>

#include "core/tool/json_line.h"
#include "core/train/train_memory.h"

void train_report_data(const char *path, const struct dataset *dataset, FILE *out)
{
	fprintf(out, "%s: %zu pairs, %zu users, %zu contexts, %zu responses, %zu prompts\n", path,
		dataset->n_pairs, dataset->n_users, dataset->n_contexts, dataset->phi.n_rows,
		dataset->psi.n_rows);
}

/* Rounded up to MB. */
static double megabytes(double bytes)
{
	return ceil(bytes / 1e6);
}

static void print_memory(const struct dataset *dataset, const struct train_options *options,
			 FILE *out)
{
	struct train_memory m;

	train_memory_of(dataset, options, &m);
	fprintf(
	    out,
	    "needs at most %.0f MB: parameters %.0f, batch %.0f, pairs %.0f, names %.0f, window "
	    "%.0f, program %.0f\n",
	    megabytes(m.total), megabytes(m.parameters), megabytes(m.batch), megabytes(m.pairs),
	    megabytes(m.names), megabytes(m.window), megabytes(m.program));
}

void train_report_start(const char *path, const struct dataset *dataset,
			const struct train_options *options, const struct encoder *encoder,
			FILE *out)
{
	train_report_data(path, dataset, out);
	fprintf(out, "%zu heads, %s router, encoder %s, objective %s\n", options->n_heads,
		router_kind_name(options->router), encoder_spec(encoder),
		objective_name(options->objective));
	if (dataset_block(dataset) > 0)
		print_memory(dataset, options, out);
	fflush(out);
}

/* A new reference: the fact train.heldout, null if nothing was held out, NULL without memory. */
static json_t *heldout_json(const struct model *model)
{
	const char *text = model_fact(model, "train.heldout");

	return text == NULL ? json_null() : json_loads(text, 0, NULL);
}

enum status train_report_text(const struct train_report *report, FILE *out, struct err *err)
{
	json_t *heldout = heldout_json(report->model);

	if (heldout == NULL)
		return err_no_memory(err, "held-out figures");
	fprintf(out, "%s: model %s", report->out, report->model->id);
	if (json_is_object(heldout))
		fprintf(out, "; held out: accuracy %.4f, NLL %.4f",
			json_number_value(json_object_get(heldout, "accuracy")),
			json_number_value(json_object_get(heldout, "nll")));
	fprintf(out, "; %.1f s\n", report->seconds);
	json_decref(heldout);
	return STATUS_OK;
}

enum status train_report_json(const struct train_report *report, FILE *out, struct err *err)
{
	return json_line_print(json_pack("{s:s, s:s, s:I, s:o, s:f}", "model", report->model->id,
					 "out", report->out, "n_pairs",
					 (json_int_t)report->dataset->n_pairs, "heldout",
					 heldout_json(report->model), "seconds", report->seconds),
			       out, err);
}
