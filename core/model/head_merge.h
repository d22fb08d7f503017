/* SPDX-License-Identifier: Apache-2.0 */
/*
 * head_merge.h - several heads become one (MiCRo, appendix C.3).
 *
 * With shares pi_k that sum to 1 in each group G,
 *   W_G = sum pi_k W_k,   center_G = sum pi_k center_k
 * and the router should give the group what its heads had, f_G = sum f_k, that is
 *   g_G = log sum exp g_k                             (not linear in psi)
 * Its best bound that is linear in the g_k, so that any router stays what it is (Gibbs):
 *   g_G = sum pi_k g_k + H(pi),   H(pi) = -sum pi_k log pi_k
 * is exact wherever the router divides the group as pi does, thus everywhere for a
 * static router when pi_k are its own shares. Merging in steps gives the same as at once.
 */
#ifndef MICRO_MODEL_HEAD_MERGE_H
#define MICRO_MODEL_HEAD_MERGE_H

#include <stddef.h>

#include "core/base/err.h"
#include "core/model/model.h"

struct head_merge {
	size_t n_heads;
	size_t n_groups;
	size_t *group; /* [n_heads], < n_groups; every group has a head */
	double *share; /* [n_heads]: pi; sums to 1 in each group */
};

/** head_merge_init(merge, n_heads, err): every head a group of its own; head_merge_free(). */
enum status head_merge_init(struct head_merge *merge, size_t n_heads, struct err *err);

/** head_merge_free(merge): a zeroed one is allowed. */
void head_merge_free(struct head_merge *merge);

/**
 * head_merge_apply(merge, model, merged_out, err): a new model with a head for each
 * group, labels joined by " + "; encoder, templates and facts are copied. The heads
 * of a group are either all masked or none. The caller frees merged_out with
 * model_free(). STATUS_NO_MEMORY; nothing is owned then.
 */
enum status head_merge_apply(const struct head_merge *merge, const struct model *model,
			     struct model *merged_out, struct err *err);

#endif
