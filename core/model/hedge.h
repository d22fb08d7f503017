/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hedge.h - learning online which heads matter (MiCRo, section 4, eq. 5, in
 * closed form): exponential weights (Hedge; Freund and Schapire 1997) on each
 * user's log-weights s. With temperature 1 the step is Bayes' rule.
 */
#ifndef MICRO_MODEL_HEDGE_H
#define MICRO_MODEL_HEDGE_H

#include <stddef.h>

#include "core/base/err.h"

/** hedge_losses(reward_chosen, reward_rejected, n_heads, loss_out):
 * L_k = -log sigmoid(r_k(chosen) - r_k(rejected)); loss_out [n_heads]. */
void hedge_losses(const float *reward_chosen, const float *reward_rejected, size_t n_heads,
		  double *loss_out);

/** hedge_start(log_weight_out, n_heads): the uniform start, s_k = -log K. */
void hedge_start(double *log_weight_out, size_t n_heads);

/**
 * hedge_update(log_weight, loss, n_heads, temperature, strength, err):
 *   s_k <- s_k - L_k / tau * strength, then logsumexp(s) = 0
 * Updates commute. Errors: STATUS_NOT_FINITE for a non-finite loss or result,
 * STATUS_INVALID_VALUE unless temperature > 0 and strength >= 0; log_weight is
 * unchanged then.
 */
enum status hedge_update(double *log_weight, const double *loss, size_t n_heads, double temperature,
			 double strength, struct err *err);

/**
 * hedge_share(log_weight, n_heads, drift): fixed share (Herbster and Warmuth
 * 1998) for tastes that change: w <- (1 - d) w + d / K, 0 <= drift < 1.
 */
void hedge_share(double *log_weight, size_t n_heads, double drift);

#endif
