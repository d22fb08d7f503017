/* SPDX-License-Identifier: Apache-2.0 */
/* heads_report_json.c - heads_report for machines; NULL anywhere means no memory. */
#include "core/tool/heads_report.h"
#include "core/tool/json_line.h"

static json_t *heads_json(const struct model *model)
{
	json_t *array = json_array();

	for (size_t k = 0; k < model->heads.n_heads; k++)
		json_line_append(&array,
				 json_pack("{s:I, s:s, s:b, s:f}", "head", (json_int_t)k, "label",
					   model->labels[k], "masked", (int)model->mask[k],
					   "center", (double)model->heads.center[k]));
	return array;
}

static json_t *audit_json(const struct heads_report *report)
{
	const struct head_audit *audit = report->audit;
	json_t *inverted, *masked;

	if (audit->n_heads == 0)
		return json_null();
	inverted = json_array();
	masked = json_array();
	for (size_t k = 0; k < audit->n_heads; k++) {
		json_line_append(&inverted, json_real(audit->inverted[k]));
		if (audit->masked[k])
			json_line_append(&masked, json_integer((json_int_t)k));
	}
	return json_pack("{s:s, s:I, s:f, s:o, s:o}", "data", report->audit_data, "n_pairs",
			 (json_int_t)audit->n_pairs, "threshold", audit->threshold, "inverted",
			 inverted, "masked", masked);
}

/* For each head that is left, the numbers of those it was made of. */
static json_t *groups_json(const struct head_merge *merge)
{
	json_t *groups = json_array();

	for (size_t g = 0; g < merge->n_groups; g++) {
		json_t *group = json_array();

		for (size_t k = 0; k < merge->n_heads; k++) {
			if (merge->group[k] == g)
				json_line_append(&group, json_integer((json_int_t)k));
		}
		json_line_append(&groups, group);
	}
	return groups;
}

static json_t *mixture_json(const struct eval_score *score)
{
	return json_pack("{s:f, s:f}", "accuracy", score->accuracy, "nll", score->nll);
}

static json_t *merge_json(const struct heads_report *report)
{
	const struct head_merging *merging = report->merging;
	json_t *mixture;

	if (merging->merge.n_heads == 0)
		return json_null();
	mixture = json_array();
	for (size_t j = 0; j < report->n_datasets; j++)
		json_line_append(&mixture, json_pack("{s:s, s:o, s:o}", "data", report->paths[j],
						     "before", mixture_json(&merging->before[j]),
						     "after", mixture_json(&merging->after[j])));
	return json_pack("{s:f, s:o, s:o}", "threshold", merging->threshold, "groups",
			 groups_json(&merging->merge), "mixture", mixture);
}

static json_t *scores_json(const struct head_score *score, size_t n_heads)
{
	json_t *array = json_array();

	for (size_t k = 0; k < n_heads; k++)
		json_line_append(&array, json_pack("{s:f, s:f}", "accuracy", score[k].accuracy,
						   "nll", score[k].nll));
	return array;
}

static json_t *contexts_json(const struct heads_report *report, size_t j)
{
	const struct head_scores *scores = &report->scores[j];
	json_t *array = json_array();

	for (size_t c = 0; c < scores->n_contexts; c++) {
		const struct head_score *score = head_scores_context(scores, c);
		size_t best = head_scores_best(score, report->model->mask, scores->n_heads);

		json_line_append(&array, json_pack("{s:s, s:I, s:I, s:o}", "context",
						   report->datasets[j].context_names[c], "n_pairs",
						   (json_int_t)score[best].n_pairs, "best",
						   (json_int_t)best, "heads",
						   scores_json(score, scores->n_heads)));
	}
	return array;
}

static json_t *sets_json(const struct heads_report *report)
{
	json_t *array = json_array();

	for (size_t j = 0; j < report->n_datasets; j++) {
		const struct head_scores *scores = &report->scores[j];

		json_line_append(&array,
				 json_pack("{s:s, s:I, s:o, s:o}", "data", report->paths[j],
					   "n_pairs", (json_int_t)report->datasets[j].n_pairs,
					   "heads", scores_json(scores->score, scores->n_heads),
					   "contexts", contexts_json(report, j)));
	}
	return array;
}

static json_t *weights_json(const struct heads_report *report)
{
	json_t *array;

	if (report->n_datasets == 0)
		return json_null();
	array = json_array();
	for (size_t k = 0; k < report->margins.n_heads; k++)
		json_line_append(&array, json_real(report->margins.usage[k]));
	return array;
}

static json_t *correlation_json(const struct heads_report *report)
{
	if (report->n_datasets == 0)
		return json_null();
	return json_line_matrix(report->likeness.cosine, report->likeness.n_heads);
}

enum status heads_report_json(const struct heads_report *report, FILE *out, struct err *err)
{
	return json_line_print(
	    json_pack("{s:s, s:s?, s:o, s:o, s:o, s:o, s:o, s:o}", "model", report->model->id,
		      "out", report->out, "heads", heads_json(report->model), "audit",
		      audit_json(report), "merge", merge_json(report), "sets", sets_json(report),
		      "weights", weights_json(report), "correlation", correlation_json(report)),
	    out, err);
}
