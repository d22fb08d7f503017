/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lore.c - LoRe (Bose et al. 2025, arXiv 2504.14439): a basis of K rewards and for every
 * user a point of the simplex over it (simplex.h), learnt together from users' pairs:
 *
 *   L = -log sigmoid(M)     M = sum_k w_u,k m_k     dL/dm_k = -sigmoid(-M) w_u,k
 *
 * by alternating minimization, as the authors do it: once an epoch every user's weights
 * are fitted further while the basis rests, then the basis takes its epoch while the weights
 * rest. A pair without a user is a user of one pair.
 *
 * The router of the model is static: its bias is the logarithm of the mean user's
 * weights, where a user of whom nothing is known begins. The held-out figures that
 * training shows are eq. (1)'s, as for every objective, and not LoRe's own prediction.
 */
#include <math.h>

#include "core/base/mem.h"
#include "core/math/logmath.h"
#include "core/train/simplex.h"
#include "core/train/trainer.h"

/* of Adam on one user's weights, an epoch; it goes on where the last epoch ended */
#define WEIGHT_STEPS 20
#define WEIGHT_RATE  0.1

static enum status lore_start(struct trainer *t, struct err *err)
{
	enum status status = trainer_start_responsibility(t, err);
	size_t longest = 0;

	if (status == STATUS_OK)
		status = simplex_init(&t->simplex, t->n_heads, err);
	if (status != STATUS_OK)
		return status;
	for (size_t g = 0; g < t->n_groups; g++) {
		if (t->start[g + 1] - t->start[g] > longest)
			longest = t->start[g + 1] - t->start[g];
	}
	t->margins = mem_array(longest, t->n_heads * sizeof(*t->margins));
	if (t->margins == NULL)
		return err_no_memory(err, "margins of a user");
	for (size_t i = 0; i < t->n_groups * t->n_heads; i++)
		t->responsibility[i] = 1 / (double)t->n_heads;
	/* the bias is set, not trained */
	t->router_opt.weight_decay = 0;
	return STATUS_OK;
}

/* m_k of the user's pairs into t->margins; returns their number. */
static size_t gather_margins(struct trainer *t, size_t group)
{
	size_t begin = t->start[group], n = t->start[group + 1] - begin;

	for (size_t i = 0; i < n; i++) {
		size_t pair = t->order[begin + i];
		const float *chosen = score_table_chosen(&t->table, t->dataset, pair);
		const float *rejected = score_table_rejected(&t->table, t->dataset, pair);

		for (size_t k = 0; k < t->n_heads; k++)
			t->margins[i * t->n_heads + k] = chosen[k] - rejected[k];
	}
	return n;
}

static void lore_begin_epoch(struct trainer *t, size_t epoch)
{
	double *mean = t->joint;

	(void)epoch;
	for (size_t k = 0; k < t->n_heads; k++)
		mean[k] = 0;
	for (size_t i = t->n_heldout; i < t->n_groups; i++) {
		double *weight = t->responsibility + t->groups[i] * t->n_heads;
		size_t n = gather_margins(t, t->groups[i]);

		simplex_fit(&t->simplex, t->margins, n, WEIGHT_STEPS, WEIGHT_RATE, weight);
		for (size_t k = 0; k < t->n_heads; k++)
			mean[k] += weight[k] / (double)(t->n_groups - t->n_heldout);
	}
	for (size_t k = 0; k < t->n_heads; k++)
		t->model->router.bias[k] = (float)log(mean[k]);
}

static double lore_pair_gradient(const struct trainer *t, struct pair_loss *loss)
{
	const double *weight = t->responsibility + t->group_of[loss->pair] * t->n_heads;
	double margin = 0, slope;

	for (size_t k = 0; k < t->n_heads; k++)
		margin += weight[k] * (double)loss->margin[k];
	slope = -sigmoid(-margin);
	for (size_t k = 0; k < t->n_heads; k++) {
		loss->dmargin[k] = (float)(slope * weight[k]);
		loss->dlogits[k] = 0;
	}
	return -log_sigmoid(margin);
}

const struct objective_ops lore_objective = {
    .by_user = true,
    .start = lore_start,
    .begin_epoch = lore_begin_epoch,
    .pair_gradient = lore_pair_gradient,
};
