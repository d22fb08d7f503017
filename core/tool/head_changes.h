/* SPDX-License-Identifier: Apache-2.0 */
/*
 * head_changes.h - what micro-model heads does to a model, and what came of it: labels and
 * masks first, by the numbers that the file has, then the audit, then the merge, in
 * which masked heads take no part.
 */
#ifndef MICRO_TOOL_HEAD_CHANGES_H
#define MICRO_TOOL_HEAD_CHANGES_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"
#include "core/data/dataset.h"
#include "core/eval/eval.h"
#include "core/model/head_merge.h"
#include "core/model/model.h"

#define FACT_MERGED_HEADS "train.merge.heads" /* such as "0+3 1+5" */

/* What was asked for, as in head_list.h; NULL: not asked for. A head in both masks is masked. */
struct head_orders {
	const char *label;
	const char *mask;
	const char *unmask;
};

/* What an audit found; n_heads 0: there was none. */
struct head_audit {
	size_t n_heads;
	size_t n_pairs;
	double threshold;
	double *inverted; /* [n_heads]: share of pairs with the rejected response above */
	bool *masked;	  /* [n_heads]: by this audit */
};

/* What a merge did; merge.n_heads 0: there was none. */
struct head_merging {
	struct head_merge merge;
	double threshold;
	size_t n_datasets;
	struct eval_score *before, *after; /* [n_datasets]: the mixture on each */
};

/** head_changes_order(model, orders, err): STATUS_USAGE names the option. */
enum status head_changes_order(struct model *model, const struct head_orders *orders,
			       struct err *err);

/**
 * head_changes_audit(model, safety, threshold, audit_out, err): mask the heads that score the
 * rejected response above the chosen one in more than threshold of the pairs; facts
 * train.audit.* say so. STATUS_INVALID_VALUE if that leaves no head; the model is as
 * it was then. head_audit_free() releases, also after an error.
 */
enum status head_changes_audit(struct model *model, const struct dataset *safety, double threshold,
			       struct head_audit *audit_out, struct err *err);
void head_audit_free(struct head_audit *audit);

/**
 * head_changes_merge(model, datasets, n_datasets, threshold, merging_out, err): merge the
 * heads that redundancy_find() names; model is replaced, and facts train.merge.* say so,
 * if there are any. head_merging_free() releases, also after an error.
 */
enum status head_changes_merge(struct model *model, const struct dataset *datasets,
			       size_t n_datasets, double threshold,
			       struct head_merging *merging_out, struct err *err);
void head_merging_free(struct head_merging *merging);

#endif
