/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tally.h - accuracy and negative log-likelihood of predictions, as they come.
 *
 * A pair counts as right when P(chosen > rejected) > 1/2, half when it is 1/2.
 * NLL is the mean of -log P in nats.
 */
#ifndef MICRO_EVAL_TALLY_H
#define MICRO_EVAL_TALLY_H

#include <stddef.h>

struct eval_score {
	size_t n_pairs;
	double accuracy;
	double nll;
};

/* A zeroed tally is empty. */
struct tally {
	size_t n_pairs;
	double right;
	double nll; /* sum */
};

/** tally_add(tally, log_preference): a pair with log P(chosen > rejected). */
void tally_add(struct tally *tally, double log_preference);

/** tally_score(tally): the means; zeros of an empty tally. */
struct eval_score tally_score(const struct tally *tally);

#endif
