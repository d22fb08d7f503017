/* SPDX-License-Identifier: Apache-2.0 */
/*
 * panel.c - stage 1 when pairs carry a user: all pairs of a user u share one
 * latent head z,
 *
 *   P(D_u) = sum_k pi_k(u) prod_i p_k,i       log pi(u) = mean_i log f(c_i, x_i)
 *
 * which identifies a mixture where single pairs hardly do. Generalized EM
 * (Dempster, Laird and Rubin 1977) with deterministic annealing (Ueda and Nakano
 * 1998): once an epoch the E step sets each user's responsibilities
 *
 *   q_k(u) proportional to (pi_k prod_i p_k,i)^(1/T)
 *
 * then the M step takes gradient steps on pairs in random order:
 *
 *   dL/dm_k = -q_k(u) (1 - p_k)      dL/dg_k = f_k - q_k(u)
 */
#include <math.h>

#include "core/math/logmath.h"
#include "core/train/trainer.h"

/* part of the epochs in which the temperature falls to 1 */
#define ANNEAL_PART 0.6

static double temperature_at(const struct train_options *options, size_t epoch)
{
	double done = (double)(epoch - 1) / (double)options->epochs;

	return fmax(1, options->anneal * (1 - done / ANNEAL_PART));
}

/* q(u) into responsibility [n_heads] */
static void user_responsibility(struct trainer *t, size_t user, double temperature,
				double *responsibility)
{
	double n_pairs = (double)(t->start[user + 1] - t->start[user]);

	trainer_user_log_likelihood(t, user, responsibility);
	for (size_t i = t->start[user]; i < t->start[user + 1]; i++) {
		const float *logits = score_table_logits(&t->table, t->dataset, t->order[i]);

		for (size_t k = 0; k < t->n_heads; k++)
			t->joint[k] = logits[k];
		log_softmax(t->joint, t->n_heads);
		for (size_t k = 0; k < t->n_heads; k++)
			responsibility[k] += t->joint[k] / n_pairs;
	}
	for (size_t k = 0; k < t->n_heads; k++)
		responsibility[k] /= temperature;
	log_softmax(responsibility, t->n_heads);
	for (size_t k = 0; k < t->n_heads; k++)
		responsibility[k] = exp(responsibility[k]);
}

static void panel_begin_epoch(struct trainer *t, size_t epoch)
{
	double temperature = temperature_at(t->options, epoch);

	for (size_t i = t->n_heldout; i < t->n_groups; i++) {
		size_t user = t->groups[i];

		user_responsibility(t, user, temperature, t->responsibility + user * t->n_heads);
	}
}

/* The NLL reported is the pair's under its user's responsibilities. */
static double panel_pair_gradient(const struct trainer *t, struct pair_loss *loss)
{
	const double *q = t->responsibility + t->group_of[loss->pair] * t->n_heads;

	for (size_t k = 0; k < t->n_heads; k++) {
		double margin = loss->margin[k];

		loss->joint[k] = log(q[k]) + log_sigmoid(margin);
		loss->dmargin[k] = (float)(-q[k] * sigmoid(-margin));
		loss->dlogits[k] = (float)(exp(loss->log_weight[k]) - q[k]);
	}
	return -log_sum_exp(loss->joint, t->n_heads);
}

const struct objective_ops panel_objective = {
    .by_user = true,
    .start = trainer_start_responsibility,
    .begin_epoch = panel_begin_epoch,
    .pair_gradient = panel_pair_gradient,
    .shrinks = true,
};
