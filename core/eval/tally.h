/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tally.h - accuracy and negative log-likelihood of predictions, as they come.
 *
 * A pair counts as right when P(chosen > rejected) > 1/2, half when it is 1/2 but
 * for rounding (TALLY_TIE). NLL is the mean of -log P in nats.
 */
#ifndef MICRO_EVAL_TALLY_H
#define MICRO_EVAL_TALLY_H

#include <stddef.h>

/* how far from log 1/2 equal responses may come out: rounding of a mixture's sum */
#define TALLY_TIE 1e-12

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
