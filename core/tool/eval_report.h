/* SPDX-License-Identifier: Apache-2.0 */
/* eval_report.h - the results of an evaluation, for people and for machines. */
#ifndef MICRO_TOOL_EVAL_REPORT_H
#define MICRO_TOOL_EVAL_REPORT_H

#include <stdio.h>

#include "core/eval/eval.h"
#include "core/tool/terminal.h"

struct eval_report {
	const char *data; /* path of the pairs */
	const struct model *model;
	const struct dataset *dataset;
	struct eval_result result;
};

/**
 * eval_report_text(report, terminal, err): tables: overall with each context and their mean, and
 * accuracy after each number of feedbacks, on a terminal with a bar chart.
 */
enum status eval_report_text(const struct eval_report *report, const struct terminal *terminal,
			     struct err *err);

/**
 * eval_report_json(report, out, err): {"n_pairs","accuracy","nll",
 * "shots":[{"shots","users","accuracy","nll"}],
 * "contexts":[{"context","n_pairs","accuracy","nll"}],
 * "context_mean":{"n_contexts","accuracy","nll"}}, numbers unrounded. context_mean
 * counts each context the same; it is null without contexts.
 */
enum status eval_report_json(const struct eval_report *report, FILE *out, struct err *err);

#endif
