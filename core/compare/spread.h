/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spread.h - mean and standard deviation of a few values as they come (Welford 1962).
 * Until spread_finish() sd holds the sum of squared differences from the mean.
 */
#ifndef MICRO_COMPARE_SPREAD_H
#define MICRO_COMPARE_SPREAD_H

#include "core/compare/comparison.h"

/** spread_add(spread, value, n): the n-th value, from 1; a zeroed spread has none. */
void spread_add(struct spread *spread, double value, size_t n);

/** spread_finish(spread, n): of n >= 1 values; sd of the sample, 0 with one value. */
void spread_finish(struct spread *spread, size_t n);

/** compare_score_add(score, accuracy, nll, n), compare_score_finish(score, n): the same for both.
 */
void compare_score_add(struct compare_score *score, double accuracy, double nll, size_t n);
void compare_score_finish(struct compare_score *score, size_t n);

#endif
