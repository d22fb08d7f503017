/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lore_fit.h - weights over the heads fitted to a user's few pairs by gradient (LoRe; Bose
 * et al., arXiv 2504.14439): the user's reward is sum_k w_k r_k with w on the simplex,
 * w = softmax(a), and P(a_w > a_l) = sigmoid(sum_k w_k m_k), m_k = r_k(a_w) - r_k(a_l).
 *
 * LoRe starts anywhere and stops after a number of steps. Here a is the router's logits
 * plus the user's shift s, and the shift is where this has its minimum, so that without
 * pairs the router's weights remain and the result does not hang on a number of steps:
 *   F(s) = -sum_i log sigmoid(z_i) + lambda / 2 |s|^2,   z_i = sum_k w_ik m_ik,
 *   w_i = softmax(g_i + s)
 *   dF/ds_k = -sum_i sigmoid(-z_i) w_ik (m_ik - z_i) + lambda s_k
 */
#ifndef MICRO_EVAL_LORE_FIT_H
#define MICRO_EVAL_LORE_FIT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"

#define LORE_FIT_MAX_STEPS 500
#define LORE_FIT_FLAT	   1e-6 /* a part of a gradient that is taken for zero */

/* One user's pairs so far. */
struct lore_fit {
	size_t n_heads;
	size_t n_pairs, max_pairs;
	double *prior;	    /* [max_pairs, n_heads]: log softmax(g_i); masked heads: -inf */
	double *margin;	    /* [max_pairs, n_heads]: m_i */
	double *log_weight; /* [n_heads], scratch */
	double *gradient;   /* [n_heads], scratch */
	double *candidate;  /* [n_heads], scratch */
};

/** lore_fit_init(lore, n_heads, max_pairs, err): no pairs; STATUS_NO_MEMORY. lore_fit_free()
 * releases, also on error. */
enum status lore_fit_init(struct lore_fit *lore, size_t n_heads, size_t max_pairs, struct err *err);

/** lore_fit_free(lore): a zeroed one is allowed. */
void lore_fit_free(struct lore_fit *lore);

/** lore_fit_clear(lore): another user, of whom nothing is known. */
void lore_fit_clear(struct lore_fit *lore);

/**
 * lore_fit_add(lore, logits, mask, reward_chosen, reward_rejected): all [n_heads] and finite;
 * at most max_pairs in all; the mask leaves a head.
 */
void lore_fit_add(struct lore_fit *lore, const float *logits, const bool *mask,
		  const float *reward_chosen, const float *reward_rejected);

/** lore_fit_value(lore, shift, gradient_out): F(s) and its gradient [n_heads]. */
double lore_fit_value(struct lore_fit *lore, const double *shift, double *gradient_out);

/**
 * lore_fit_run(lore, shift_out, err): the shift [n_heads] that minimizes F, by gradient descent
 * from 0 with step sizes that are halved until F falls enough (Armijo) and doubled after;
 * ends where no part of the gradient is above LORE_FIT_FLAT, or after LORE_FIT_MAX_STEPS. The same
 * pairs give the same shift, in another order up to rounding. STATUS_NOT_FINITE.
 */
enum status lore_fit_run(struct lore_fit *lore, double *shift_out, struct err *err);

#endif
