/* SPDX-License-Identifier: Apache-2.0 */
/* head_scores.h - how well every head alone predicts a labelled set, also in each context. */
#ifndef MICRO_EVAL_HEAD_SCORES_H
#define MICRO_EVAL_HEAD_SCORES_H

#include <stdbool.h>
#include <stddef.h>

#include "core/eval/head_margins.h"

struct head_score {
	size_t n_pairs;
	double accuracy; /* a tie counts half */
	double nll;	 /* mean of -log p_k, nats */
	double inverted; /* share of pairs with the rejected response above the chosen one */
};

struct head_scores {
	size_t n_heads;
	size_t n_contexts;	  /* of the dataset */
	struct head_score *score; /* [1 + n_contexts, n_heads]: all pairs, then each context */
};

/**
 * head_scores_init(scores, margins, begin, dataset, err): the pairs of dataset are columns
 * begin, begin + 1, ... of margins. STATUS_NO_MEMORY. head_scores_free() releases.
 */
enum status head_scores_init(struct head_scores *scores, const struct head_margins *margins,
			     size_t begin, const struct dataset *dataset, struct err *err);

/** head_scores_free(scores): a zeroed one is allowed. */
void head_scores_free(struct head_scores *scores);

/** head_scores_context(scores, c): [n_heads], of context c. */
const struct head_score *head_scores_context(const struct head_scores *scores, size_t c);

/**
 * head_scores_best(score, mask, n_heads): the most accurate of the heads that are not
 * masked, of equals the one of lower NLL; score [n_heads]; at least one is not masked.
 */
size_t head_scores_best(const struct head_score *score, const bool *mask, size_t n_heads);

#endif
