/* SPDX-License-Identifier: Apache-2.0 */
/*
 * foresight.h - what a fitted mixture says of the pairs of people it has not seen: one
 * sum a person, so that errors can be counted by people.
 *
 * A group is a person, or a pair that is nobody's (dataset_by_user()).
 */
#ifndef MICRO_DIAGNOSE_FORESIGHT_H
#define MICRO_DIAGNOSE_FORESIGHT_H

#include <stdint.h>

#include "core/base/err.h"
#include "core/data/dataset.h"
#include "core/eval/score_table.h"
#include "core/eval/tally.h"
#include "core/model/model.h"

/* One model on one dataset; both outlive it. */
struct foresight {
	const struct model *model;
	const struct dataset *dataset;
	uint32_t *order; /* group g is order[start[g] .. start[g + 1]) */
	size_t *start;	 /* [n_groups + 1] */
	size_t n_groups;
	struct score_table table;
	double scale; /* what the table's rewards are multiplied by: 1 after foresight_init() */
	double *log_weight, *loss, *state; /* [n_heads], scratch */
};

/*
 * Sums over a group's pairs of what Theorem 3.2 speaks of, with weights f_k = f_k(c,x) of the
 * population, no feedback, and h(p) = -p log p - (1 - p) log(1 - p):
 */
struct foresight_terms {
	double noise;	 /* sum_k f_k h(p_k): what remains when the subpopulation is known */
	double variance; /* sum_k f_k (p_k - pbar)^2,  pbar = sum_k f_k p_k */
	double entropy;	 /* h(pbar): noise and disagreement together */
};

/**
 * foresight_init(f, model, dataset, err): all scores. foresight_free() releases, also on error.
 * Errors: STATUS_NOT_FINITE, STATUS_NO_MEMORY.
 */
enum status foresight_init(struct foresight *f, const struct model *model,
			   const struct dataset *dataset, struct err *err);

/** foresight_free(f): a zeroed one is allowed. */
void foresight_free(struct foresight *f);

/** foresight_scale(f, scale): as if the model's heads were multiplied by scale > 0. */
void foresight_scale(struct foresight *f, double scale);

/** foresight_size(f, g): pairs of group g. */
size_t foresight_size(const struct foresight *f, size_t g);

/**
 * foresight_sequence(f, g, tally_out, err): each pair of group g predicted from the group's earlier
 * ones, which the model learns from by Hedge with temperature 1. Error: STATUS_NOT_FINITE.
 */
enum status foresight_sequence(struct foresight *f, size_t g, struct tally *tally_out,
			       struct err *err);

/**
 * foresight_after(f, g, shots, first, tally_out, err): the pairs of group g from number first
 * on, predicted after feedback with the first shots <= first of them: eval.h's protocol.
 */
enum status foresight_after(struct foresight *f, size_t g, size_t shots, size_t first,
			    struct tally *tally_out, struct err *err);

/** foresight_terms(f, g): the sums over group g. */
struct foresight_terms foresight_terms(struct foresight *f, size_t g);

/** foresight_entropy(log_p, log_q): h(p) in nats from log p and log(1 - p); 0 at the ends. */
double foresight_entropy(double log_p, double log_q);

#endif
