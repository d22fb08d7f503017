/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attributes.c - the fully supervised way that MiCRo does without, as in ARMO (Wang et
 * al. 2024, arXiv 2406.12845): every pair is labelled with the attribute it was judged
 * by, its context c. Head c is trained on the pairs of that label alone, and the router
 * learns to tell the label from psi, a gate trained by cross-entropy:
 *
 *   L = -log p_c - log f_c        dL/dm_k = -[k = c] (1 - p_c)     dL/dg_k = f_k - [k = c]
 */
#include <math.h>

#include "core/math/logmath.h"
#include "core/train/trainer.h"

/* Head c is called by the name of context c. */
static enum status attributes_start(struct trainer *t, struct err *err)
{
	enum status status = STATUS_OK;

	for (size_t k = 0; k < t->n_heads && status == STATUS_OK; k++)
		status = model_set_label(t->model, k, t->dataset->context_names[k], err);
	return status;
}

/* The NLL reported is that of the pair's own head. */
static double attributes_pair_gradient(const struct trainer *t, struct pair_loss *loss)
{
	size_t label = t->dataset->context[loss->pair];
	double margin = loss->margin[label];

	for (size_t k = 0; k < t->n_heads; k++) {
		loss->dmargin[k] = 0;
		loss->dlogits[k] = (float)exp(loss->log_weight[k]);
	}
	loss->dmargin[label] = (float)-sigmoid(-margin);
	loss->dlogits[label] -= 1;
	return -log_sigmoid(margin);
}

const struct objective_ops attributes_objective = {
    .start = attributes_start,
    .pair_gradient = attributes_pair_gradient,
};
