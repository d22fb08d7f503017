/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drm.c - Decomposed Reward Models (Luo et al. 2025, arXiv 2502.13131): the heads are
 * the principal components of phi(chosen) - phi(rejected), centered as PCA is; nothing
 * is trained. Two things that PCA leaves open:
 *
 *   sign    The authors keep every component twice, once with each sign, beside a
 *           trained head. Without such a head uniform weights would say nothing, so here a
 *           component points to where the mean difference does: it is right about
 *           the average pair.
 *   scale   A unit vector's margin says how sure a sigmoid is only by the accident of the
 *           features' length. All heads get the one factor s that makes the training
 *           pairs likeliest under uniform weights, found by a search on a line:
 *
 *             max_s sum_i log (1/K) sum_k sigmoid(s m_k,i)
 *
 * The weights are uniform: a static router at zero.
 */
#include <math.h>
#include <stdlib.h>

#include "core/math/logmath.h"
#include "core/model/mixture.h"
#include "core/train/components.h"
#include "core/train/trainer.h"

/* powers of 2 around 1 / standard deviation of the first component, then golden section */
#define FIRST_POWER  (-10)
#define LAST_POWER   10
#define GOLDEN_STEPS 20
#define GOLDEN_RATIO 0.6180339887498949

static bool on_pass(void *context, size_t n_passes)
{
	struct trainer *t = context;
	struct train_progress progress = {
	    .epoch = n_passes,
	    .n_epochs = COMPONENTS_MAX_PASSES,
	    .pairs_done = n_passes * t->n_train_pairs,
	    .pairs_total = COMPONENTS_MAX_PASSES * t->n_train_pairs,
	    .nll = NAN,
	    .heldout_nll = NAN,
	    .heldout_accuracy = NAN,
	};

	return t->progress == NULL || t->progress(t->progress_context, &progress);
}

/* Head k becomes component k, turned to the mean difference. */
static void set_heads(struct trainer *t, const struct components *c)
{
	struct heads *heads = &t->model->heads;

	for (size_t k = 0; k < t->n_heads; k++) {
		double mean_margin = 0;
		float sign;

		for (size_t d = 0; d < heads->dim; d++)
			mean_margin += (double)c->mean[d] * c->basis[d * c->width + k];
		sign = mean_margin < 0 ? -1 : 1;
		for (size_t d = 0; d < heads->dim; d++)
			heads->weight[d * t->n_heads + k] = sign * c->basis[d * c->width + k];
	}
}

/* Mean log-likelihood of the training pairs with all rewards times scale. */
static double log_likelihood(struct trainer *t, double scale)
{
	double sum = 0;

	for (size_t i = 0; i < t->n_train_pairs; i++) {
		const float *chosen = score_table_chosen(&t->table, t->dataset, t->train_pairs[i]);
		const float *rejected =
		    score_table_rejected(&t->table, t->dataset, t->train_pairs[i]);

		for (size_t k = 0; k < t->n_heads; k++)
			t->joint[k] = log_sigmoid(scale * ((double)chosen[k] - rejected[k]));
		sum += log_sum_exp(t->joint, t->n_heads);
	}
	return sum / (double)t->n_train_pairs - log((double)t->n_heads);
}

/* Of the powers of 2 the best one, and then what is best between its neighbours. */
static double best_scale(struct trainer *t, double unit)
{
	double best = -INFINITY, middle = 0, low, high;

	for (int power = FIRST_POWER; power <= LAST_POWER; power++) {
		double likelihood = log_likelihood(t, ldexp(unit, power));

		if (likelihood > best) {
			best = likelihood;
			middle = power;
		}
	}
	low = middle - 1;
	high = middle + 1;
	for (size_t i = 0; i < GOLDEN_STEPS; i++) {
		double a = high - GOLDEN_RATIO * (high - low);
		double b = low + GOLDEN_RATIO * (high - low);

		if (log_likelihood(t, unit * exp2(a)) > log_likelihood(t, unit * exp2(b)))
			high = b;
		else
			low = a;
	}
	return unit * exp2((low + high) / 2);
}

static int compare_pairs(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static enum status drm_solve(struct trainer *t, struct err *err)
{
	struct heads *heads = &t->model->heads;
	struct components c = {
	    .dataset = t->dataset,
	    .pairs = t->train_pairs,
	    .n_pairs = t->n_train_pairs,
	    .n_components = t->n_heads,
	    .pass = on_pass,
	    .pass_context = t,
	};
	enum status status;

	/* a features file is read from its beginning to its end, pass by pass */
	qsort(t->train_pairs, t->n_train_pairs, sizeof(*t->train_pairs), compare_pairs);
	status = components_find(&c, &t->rng, err);
	if (status == STATUS_OK && c.n_found < t->n_heads)
		status = err_set(err, STATUS_INVALID_VALUE,
				 "the differences of the training pairs vary in %zu directions "
				 "only, too few for %zu heads",
				 c.n_found, t->n_heads);
	if (status == STATUS_OK) {
		set_heads(t, &c);
		status = trainer_score(t, NULL, err);
	}
	if (status == STATUS_OK) {
		float scale = (float)best_scale(t, 1 / sqrt(c.variance[0]));

		for (size_t i = 0; i < heads->dim * heads->n_heads; i++)
			heads->weight[i] *= scale;
	}
	components_free(&c);
	return status;
}

const struct objective_ops drm_objective = {
    .solve = drm_solve,
};
