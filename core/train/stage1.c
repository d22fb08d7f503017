/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage1.c - stage 1 on independent pairs (MiCRo, eq. 2-4); with a single head f = 1,
 * and what is left is Bradley and Terry's likelihood (Biometrika 1952). Per pair:
 *
 *   L = -log sum_k f_k p_k + alpha sum_k f_k log f_k
 *
 * with f = softmax(g), p_k = sigmoid(m_k), m_k = r_k(a_w) - r_k(a_l). With the
 * responsibilities q_k = f_k p_k / sum_j f_j p_j and R = sum_k f_k log f_k:
 *
 *   dL/dm_k = -q_k (1 - p_k)
 *   dL/dg_k = f_k - q_k + alpha f_k (log f_k - R)
 */
#include <math.h>

#include "core/math/logmath.h"
#include "core/train/trainer.h"

static double neg_entropy(const double *log_weight, size_t n_heads)
{
	double sum = 0;

	for (size_t k = 0; k < n_heads; k++)
		sum += exp(log_weight[k]) * log_weight[k];
	return sum;
}

double stage1_gradient(struct trainer *t, double alpha)
{
	double regularizer = neg_entropy(t->log_weight, t->n_heads);
	double log_likelihood;

	for (size_t k = 0; k < t->n_heads; k++)
		t->joint[k] = t->log_weight[k] + log_sigmoid(t->margin[k]);
	log_likelihood = log_sum_exp(t->joint, t->n_heads);
	for (size_t k = 0; k < t->n_heads; k++) {
		double margin = t->margin[k];
		double f = exp(t->log_weight[k]);
		double q = exp(t->joint[k] - log_likelihood);
		double pull = alpha * f * (t->log_weight[k] - regularizer);

		t->dmargin[k] = (float)(-q * sigmoid(-margin));
		t->dlogits[k] = (float)(f - q + pull);
	}
	return -log_likelihood;
}

static double stage1_pair_gradient(struct trainer *t, size_t pair)
{
	(void)pair;
	return stage1_gradient(t, t->options->alpha);
}

const struct objective_ops stage1_objective = {
    .by_user = false,
    .pair_gradient = stage1_pair_gradient,
};
