/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ensemble.c - the shared-base ensemble of HyRe (Lee et al. 2024, arXiv 2412.08812):
 * every head is a random function that stays as it is plus one that is trained,
 *
 *   r_k = (P_k + V_k) . phi       P_k ~ N(0, init_scale^2), V_k = 0 at the start
 *   L   = sum_k -log p_k          dL/dm_k = -(1 - p_k)
 *
 * so the heads agree where the pairs tell and keep their prior where they do not.
 * With linear heads that is the same as to start at P_k and to train without weight
 * decay, which would pull towards zero instead of the prior. The weights are uniform:
 * a static router at zero, which gets no gradient.
 */
#include "core/math/logmath.h"
#include "core/train/trainer.h"

static enum status ensemble_start(struct trainer *t, struct err *err)
{
	if (t->options->weight_decay != 0)
		return err_set(err, STATUS_INVALID_VALUE,
			       "the ensemble objective keeps each head near its prior; weight "
			       "decay %g would pull it towards zero, want 0",
			       t->options->weight_decay);
	return STATUS_OK;
}

/* The NLL reported is the mean of the heads' own. */
static double ensemble_pair_gradient(const struct trainer *t, struct pair_loss *loss)
{
	double nll = 0;

	for (size_t k = 0; k < t->n_heads; k++) {
		double margin = loss->margin[k];

		loss->dmargin[k] = (float)-sigmoid(-margin);
		loss->dlogits[k] = 0;
		nll -= log_sigmoid(margin);
	}
	return nll / (double)t->n_heads;
}

const struct objective_ops ensemble_objective = {
    .start = ensemble_start,
    .pair_gradient = ensemble_pair_gradient,
};
