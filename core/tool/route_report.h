/* SPDX-License-Identifier: Apache-2.0 */
/* route_report.h - what micro-model route says before, meanwhile and after. */
#ifndef MICRO_TOOL_ROUTE_REPORT_H
#define MICRO_TOOL_ROUTE_REPORT_H

#include <stdio.h>

#include "core/tool/progress.h"
#include "core/train/stage2.h"

struct route_report {
	const struct model *model; /* adapted, with its facts */
	const struct stage2_result *result;
	const char *out; /* path of the model file */
	double seconds;	 /* the whole command */
};

/** route_report_start(path, dataset, model, out): what is adapted to what. */
void route_report_start(const char *path, const struct dataset *dataset, const struct model *model,
			FILE *out);

/**
 * route_report_trial(progress, trial): one line in progress' form:
 * {"method","tau","heldout":{"n_pairs","accuracy","nll"}} for machines.
 */
void route_report_trial(struct progress *progress, const struct stage2_trial *trial);

/** route_report_text(report, terminal, err): the methods side by side, and which one won. */
enum status route_report_text(const struct route_report *report, const struct terminal *terminal,
			      struct err *err);

/**
 * route_report_json(report, out, err): {"model","out","kept","n_pairs","n_contexts",
 * "method","tau","heldout","seconds"}; heldout: stage2_heldout_text()'s. kept: the best trial,
 * whose method and tau stand here, does not predict better than the router as it is, nothing
 * is written, and out is null. n_contexts counts the router texts of pairs without a context, too.
 */
enum status route_report_json(const struct route_report *report, FILE *out, struct err *err);

#endif
