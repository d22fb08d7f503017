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

double stage1_gradient(const struct trainer *t, struct pair_loss *loss, double alpha)
{
	double regularizer = neg_entropy(loss->log_weight, t->n_heads);
	double log_likelihood;

	for (size_t k = 0; k < t->n_heads; k++)
		loss->joint[k] = loss->log_weight[k] + log_sigmoid(loss->margin[k]);
	log_likelihood = log_sum_exp(loss->joint, t->n_heads);
	for (size_t k = 0; k < t->n_heads; k++) {
		double margin = loss->margin[k];
		double f = exp(loss->log_weight[k]);
		double q = exp(loss->joint[k] - log_likelihood);
		double pull = alpha * f * (loss->log_weight[k] - regularizer);

		loss->dmargin[k] = (float)(-q * sigmoid(-margin));
		loss->dlogits[k] = (float)(f - q + pull);
	}
	return -log_likelihood;
}

static double stage1_pair_gradient(const struct trainer *t, struct pair_loss *loss)
{
	return stage1_gradient(t, loss, t->options->alpha);
}

const struct objective_ops stage1_objective = {
    .by_user = false,
    .pair_gradient = stage1_pair_gradient,
};
