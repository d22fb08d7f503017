/* SPDX-License-Identifier: Apache-2.0 */
/* heads_report.h - what the heads of a model are worth and what was changed, in words. */
#ifndef MICRO_TOOL_HEADS_REPORT_H
#define MICRO_TOOL_HEADS_REPORT_H

#include <stdio.h>

#include "core/eval/head_scores.h"
#include "core/tool/head_changes.h"
#include "core/tool/head_likeness.h"
#include "core/tool/terminal.h"

/* Everything but scores and likeness is the caller's. */
struct heads_report {
	const struct model *model; /* as it is now */
	const char *out;	   /* where it was written, NULL: nowhere */
	const struct head_audit *audit;
	const char *audit_data; /* path */
	const struct head_merging *merging;
	const char *const *paths; /* [n_datasets] */
	const struct dataset *datasets;
	size_t n_datasets; /* 0: the heads are not scored */
	struct head_margins margins;
	struct head_scores *scores;    /* [n_datasets] */
	struct head_likeness likeness; /* correlation of the predictions, over all datasets */
};

/**
 * heads_report_score(report, err): fill margins, scores and likeness;
 * heads_report_free() releases these, also after an error.
 */
enum status heads_report_score(struct heads_report *report, struct err *err);
void heads_report_free(struct heads_report *report);

/** heads_report_text(report, terminal, err): changes, a table for each dataset, correlations. */
enum status heads_report_text(const struct heads_report *report, const struct terminal *terminal,
			      struct err *err);

/**
 * heads_report_json(report, out, err): {"model","out","heads":[{"head","label","masked","center"}],
 * "audit":{"data","n_pairs","threshold","inverted":[...],"masked":[...]} or null,
 * "merge":{"threshold","groups":[[...]],"mixture":[{"data","before","after"}]} or null,
 * "sets":[{"data","n_pairs","heads":[{"accuracy","nll"}],
 *          "contexts":[{"context","n_pairs","best","heads":[...]}]}],
 * "weights":[...] and "correlation":[[...]], null without data}; numbers unrounded; out is null if
 * nothing is written.
 */
enum status heads_report_json(const struct heads_report *report, FILE *out, struct err *err);

#endif
