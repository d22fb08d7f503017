/* SPDX-License-Identifier: Apache-2.0 */
/*
 * head_margins.h - what every head alone says about pairs:
 *   margin      m_k,i = r_k(chosen) - r_k(rejected)
 *   prediction  p_k,i = sigmoid(m_k,i)
 * over one or more datasets, one after the other.
 */
#ifndef MICRO_EVAL_HEAD_MARGINS_H
#define MICRO_EVAL_HEAD_MARGINS_H

#include <stddef.h>

#include "core/base/err.h"
#include "core/data/dataset.h"
#include "core/model/model.h"

struct head_margins {
	size_t n_heads;
	size_t n_pairs; /* of all datasets */
	float *margin;	/* [n_heads, n_pairs] */
	double *usage;	/* [n_heads]: mean over the pairs of the router's f_k; masked heads: 0 */
};

/**
 * head_margins_init(margins, model, datasets, n_datasets, err): n_datasets >= 1.
 * head_margins_free() releases. Errors: STATUS_WRONG_DIMENSION, STATUS_NOT_FINITE
 * naming the pair and the head, STATUS_NO_MEMORY; nothing is owned then.
 */
enum status head_margins_init(struct head_margins *margins, const struct model *model,
			      const struct dataset *datasets, size_t n_datasets, struct err *err);

/** head_margins_free(margins): a zeroed one is allowed. */
void head_margins_free(struct head_margins *margins);

/**
 * head_margins_correlation(margins, matrix_out, err): matrix_out [n_heads, n_heads],
 * Pearson correlation of the heads' predictions when each pair counts in both
 * orders. Then every mean is 1/2, whoever was chosen, and the correlation is the
 * cosine of 2 p - 1. 0 with a head that never prefers anything. STATUS_NO_MEMORY.
 */
enum status head_margins_correlation(const struct head_margins *margins, double *matrix_out,
				     struct err *err);

#endif
