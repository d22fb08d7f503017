/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simplex.h - a person as a point of the simplex over reward heads, LoRe (Bose et al. 2025,
 * arXiv 2504.14439): the heads' margins are averaged before the sigmoid,
 *
 *   P(a_w > a_l) = sigmoid(M)     M = sum_k w_k m_k     w = softmax(a)
 *
 * where a mixture averages after it, eq. (1). w is fitted to the person's pairs by Adam
 * on a, heads fixed.
 */
#ifndef MICRO_TRAIN_SIMPLEX_H
#define MICRO_TRAIN_SIMPLEX_H

#include <stddef.h>

#include "core/base/err.h"
#include "core/train/adamw.h"

/* What fitting works with; used for one person after the other. */
struct simplex {
	size_t n_heads;
	struct adamw adam;
	float *logits; /* [n_heads]: a */
	float *grad;   /* [n_heads] */
};

/** simplex_init(simplex, n_heads, err): room; simplex_free() releases. */
enum status simplex_init(struct simplex *simplex, size_t n_heads, struct err *err);

/** simplex_free(simplex): frees; a zeroed simplex is allowed. */
void simplex_free(struct simplex *simplex);

/** simplex_margin(weight, margin, n_heads): M = sum_k w_k m_k; both [n_heads]. */
double simplex_margin(const double *weight, const float *margin, size_t n_heads);

/**
 * simplex_add_gradient(weight, margin, n_heads, scale, grad): grad [n_heads] += scale times
 * the gradient of one pair's -log sigmoid(M) at a.
 */
void simplex_add_gradient(const double *weight, const float *margin, size_t n_heads, double scale,
			  float *grad);

/**
 * simplex_fit(simplex, margin, n_pairs, n_steps, rate, weight): n_steps of Adam with this
 * learning rate on the mean of -log sigmoid(M) over margin [n_pairs, n_heads], from
 * weight [n_heads], where a head of weight 0 stays out. n_pairs 0: weight stays.
 */
void simplex_fit(struct simplex *simplex, const float *margin, size_t n_pairs, size_t n_steps,
		 double rate, double *weight);

#endif
