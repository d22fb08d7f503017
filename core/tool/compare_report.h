/* SPDX-License-Identifier: Apache-2.0 */
/* compare_report.h - a comparison for people and for machines. */
#ifndef MICRO_TOOL_COMPARE_REPORT_H
#define MICRO_TOOL_COMPARE_REPORT_H

#include <stdio.h>

#include "core/compare/comparison.h"
#include "core/compare/method.h"
#include "core/tool/terminal.h"

/* A method of "all" that the data does not allow. */
struct compare_left_out {
	const char *name;
	char reason[sizeof(((struct err *)0)->msg)];
};

struct compare_report {
	struct comparison comparison;
	struct compare_left_out left_out[COMPARE_MAX_METHODS];
	size_t n_left_out;
	size_t shots_missed; /* by default, but no user has pairs enough; 0: none */
};

/**
 * compare_report_text(report, terminal, err): tables: accuracy and NLL after each number of
 * feedbacks, then contexts and training times, then curves. '*' marks the best of a column;
 * columns that do not fit the window go into another table.
 */
enum status compare_report_text(const struct compare_report *report,
				const struct terminal *terminal, struct err *err);

/**
 * compare_report_json(report, out, err): one object, numbers unrounded; SPREAD is
 * {"mean","sd"}, SCORE is {"accuracy":SPREAD,"nll":SPREAD}:
 * {"train":{"path","n_pairs","n_users"},"test":{...},"route":PATH,"contexts":PATH,
 *  "encoder","first_seed","n_seeds",
 *  "methods":[{"name","description","objective","adapt","n_heads","seconds":SPREAD,
 *    "overall":SCORE,"shots":[{"shots",...SCORE}],"contexts":[{"context",...SCORE}],
 *    "context_mean":SCORE}],
 *  "left_out":[{"name","reason"}],"shots_missed",
 *  "heads_curve":{"method","points":[{"n_heads",...SCORE}]},
 *  "budget_curve":{"method","points":[{"n_pairs",...SCORE}]},
 *  "router_map":{"method","prompts":[],"heads":[],"weights":[[]]},
 *  "head_map":{"method","contexts":[],"heads":[],"accuracy":[[]]},
 *  "sha256":{"train","test","route","contexts"},"options":{"heads","epochs"},
 *  "version","libraries"}
 * epochs: null where each method has its own. Digests of files,
 * paths, shots_missed, context_mean, curves and maps that the comparison lacks are null.
 */
enum status compare_report_json(const struct compare_report *report, FILE *out, struct err *err);

#endif
