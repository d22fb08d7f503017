/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mixture.h - the mixture of Bradley-Terry heads (MiCRo, eq. 1), in log space.
 */
#ifndef MICRO_MODEL_MIXTURE_H
#define MICRO_MODEL_MIXTURE_H

#include <stdbool.h>
#include <stddef.h>

/**
 * mixture_log_weights(logits, bias, mask, n_heads, log_weight_out):
 *   log softmax(g(c,x) + s)
 * logits: g [n_heads]; bias: the user's log-weights s [n_heads], NULL for none;
 * mask: true takes a head out (its log-weight is -inf), NULL for none; at least
 * one head is not masked. log_weight_out [n_heads].
 */
void mixture_log_weights(const float *logits, const double *bias, const bool *mask, size_t n_heads,
			 double *log_weight_out);

/**
 * mixture_weights(log_weight, n_heads, weight_out): weight_out [n_heads] = exp(log_weight),
 * in its place if they are the same.
 */
void mixture_weights(const double *log_weight, size_t n_heads, double *weight_out);

/**
 * mixture_reward(weight, reward, center, n_heads):
 *   sum_k w_k (r_k - center_k)
 */
double mixture_reward(const double *weight, const float *reward, const float *center,
		      size_t n_heads);

/**
 * mixture_log_preference(log_weight, reward_a, reward_b, n_heads):
 *   log P(a > b) = log sum_k w_k sigmoid(r_k(a) - r_k(b))           eq. (1)
 * Never above 0.
 */
double mixture_log_preference(const double *log_weight, const float *reward_a,
			      const float *reward_b, size_t n_heads);

#endif
