/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shrink.c - do no harm: when people share one taste, heads that differ differ by
 * noise, and weighing them by a user's feedback makes predictions worse. So the
 * heads are drawn towards their mean as far as people who were held out allow:
 *
 *   W_k <- Wbar + lambda (W_k - Wbar)      Wbar = sum_k u_k W_k
 *
 * u: mean responsibility over the training pairs. lambda: the smallest of a few
 * whose held-out NLL is within a tolerance of the best one's. With real
 * disagreement that is 1, and nothing changes.
 */
#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/train/trainer.h"

/* no 0: a model that was asked to personalize keeps the means to */
static const double candidates[] = {0.25, 0.5, 0.75, 1};
#define N_CANDIDATES (sizeof(candidates) / sizeof(candidates[0]))

/* how much worse a smaller lambda may be: differences below are noise */
#define TOLERANCE 1.002

/* u_k into usage [n_heads] */
static void mean_responsibility(const struct trainer *t, double *usage)
{
	for (size_t k = 0; k < t->n_heads; k++)
		usage[k] = 0;
	for (size_t i = 0; i < t->n_train_pairs; i++) {
		const double *q = t->responsibility + t->group_of[t->train_pairs[i]] * t->n_heads;

		for (size_t k = 0; k < t->n_heads; k++)
			usage[k] += q[k] / (double)t->n_train_pairs;
	}
}

/* The model's heads from the unshrunk weights [dim, n_heads]. */
static void set_shrunk(struct trainer *t, const float *weight, const double *usage, double lambda)
{
	struct heads *heads = &t->model->heads;

	for (size_t d = 0; d < heads->dim; d++) {
		const float *from = weight + d * t->n_heads;
		float *to = heads->weight + d * t->n_heads;
		double mean = 0;

		for (size_t k = 0; k < t->n_heads; k++)
			mean += usage[k] * from[k];
		for (size_t k = 0; k < t->n_heads; k++)
			to[k] = (float)(mean + lambda * (from[k] - mean));
	}
}

enum status shrink_heads(struct trainer *t, double *lambda_out, struct err *err)
{
	size_t n_weights = t->n_heads * t->model->heads.dim;
	float *weight = mem_array(n_weights, sizeof(*weight));
	double *usage = mem_array(t->n_heads, sizeof(*usage));
	struct train_progress heldout[N_CANDIDATES];
	double best = INFINITY;
	enum status status = STATUS_OK;

	if (weight == NULL || usage == NULL) {
		status = err_no_memory(err, "shrinking the heads");
		goto out;
	}
	memcpy(weight, t->model->heads.weight, n_weights * sizeof(*weight));
	mean_responsibility(t, usage);
	for (size_t i = 0; i < N_CANDIDATES; i++) {
		set_shrunk(t, weight, usage, candidates[i]);
		status = trainer_score(t, &t->heldout_rows, err);
		if (status != STATUS_OK)
			goto out;
		trainer_heldout(t, &heldout[i]);
		if (heldout[i].heldout_nll < best)
			best = heldout[i].heldout_nll;
	}
	*lambda_out = 1;
	for (size_t i = 0; i < N_CANDIDATES; i++) {
		if (heldout[i].heldout_nll <= best * TOLERANCE) {
			*lambda_out = candidates[i];
			break;
		}
	}
	if (*lambda_out < 1)
		set_shrunk(t, weight, usage, *lambda_out);
	else
		memcpy(t->model->heads.weight, weight, n_weights * sizeof(*weight));
out:
	mem_free(weight);
	mem_free(usage);
	return status;
}
