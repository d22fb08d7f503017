/* SPDX-License-Identifier: Apache-2.0 */
#include "core/eval/lore_fit.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/math/logmath.h"
#include "core/model/mixture.h"

#define LAMBDA	     0.2 /* by the predictions of people held out of Polis' training split */
#define ARMIJO	     0.5 /* part of the fall that the gradient promises */
#define MAX_HALVINGS 60	 /* of a step: less than rounding */

enum status lore_fit_init(struct lore_fit *lore, size_t n_heads, size_t max_pairs, struct err *err)
{
	*lore = (struct lore_fit){
	    .n_heads = n_heads,
	    .max_pairs = max_pairs,
	    .prior = mem_array(max_pairs, n_heads * sizeof(double)),
	    .margin = mem_array(max_pairs, n_heads * sizeof(double)),
	    .log_weight = mem_array(n_heads, sizeof(double)),
	    .gradient = mem_array(n_heads, sizeof(double)),
	    .candidate = mem_array(n_heads, sizeof(double)),
	};
	if (lore->prior == NULL || lore->margin == NULL || lore->log_weight == NULL ||
	    lore->gradient == NULL || lore->candidate == NULL)
		return err_no_memory(err, "a user's pairs");
	return STATUS_OK;
}

void lore_fit_free(struct lore_fit *lore)
{
	mem_free(lore->prior);
	mem_free(lore->margin);
	mem_free(lore->log_weight);
	mem_free(lore->gradient);
	mem_free(lore->candidate);
	*lore = (struct lore_fit){0};
}

void lore_fit_clear(struct lore_fit *lore)
{
	lore->n_pairs = 0;
}

void lore_fit_add(struct lore_fit *lore, const float *logits, const bool *mask,
		  const float *reward_chosen, const float *reward_rejected)
{
	size_t row = lore->n_pairs * lore->n_heads;

	assert(lore->n_pairs < lore->max_pairs);
	mixture_log_weights(logits, NULL, mask, lore->n_heads, lore->prior + row);
	for (size_t k = 0; k < lore->n_heads; k++)
		lore->margin[row + k] = (double)reward_chosen[k] - reward_rejected[k];
	lore->n_pairs++;
}

double lore_fit_value(struct lore_fit *lore, const double *shift, double *gradient_out)
{
	double value = 0;

	for (size_t k = 0; k < lore->n_heads; k++) {
		gradient_out[k] = LAMBDA * shift[k];
		value += LAMBDA / 2 * shift[k] * shift[k];
	}
	for (size_t i = 0; i < lore->n_pairs; i++) {
		const double *prior = lore->prior + i * lore->n_heads;
		const double *margin = lore->margin + i * lore->n_heads;
		double *weight = lore->log_weight, z = 0, pull;

		for (size_t k = 0; k < lore->n_heads; k++)
			weight[k] = prior[k] + shift[k];
		log_softmax(weight, lore->n_heads);
		for (size_t k = 0; k < lore->n_heads; k++) {
			weight[k] = exp(weight[k]);
			z += weight[k] * margin[k];
		}
		value -= log_sigmoid(z);
		pull = sigmoid(-z);
		for (size_t k = 0; k < lore->n_heads; k++)
			gradient_out[k] -= pull * weight[k] * (margin[k] - z);
	}
	return value;
}

static double largest(const double *x, size_t n)
{
	double max = 0;

	for (size_t i = 0; i < n; i++)
		max = fmax(max, fabs(x[i]));
	return max;
}

static double square(const double *x, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += x[i] * x[i];
	return sum;
}

/* One step down; false if none is short enough, which rounding brings about at the minimum. */
static bool descend(struct lore_fit *lore, double *shift, double *value, double *step)
{
	double promise = ARMIJO * square(lore->gradient, lore->n_heads);

	/* NOLINTNEXTLINE(cert-flp30-c): halving is exact, and i counts */
	for (int i = 0; i < MAX_HALVINGS; i++, *step /= 2) {
		double next;

		for (size_t k = 0; k < lore->n_heads; k++)
			lore->candidate[k] = shift[k] - *step * lore->gradient[k];
		next = lore_fit_value(lore, lore->candidate, lore->gradient);
		if (next <= *value - *step * promise) {
			memcpy(shift, lore->candidate, lore->n_heads * sizeof(*shift));
			*value = next;
			*step *= 2;
			return true;
		}
		lore_fit_value(lore, shift, lore->gradient);
	}
	return false;
}

enum status lore_fit_run(struct lore_fit *lore, double *shift_out, struct err *err)
{
	double value, step;

	memset(shift_out, 0, lore->n_heads * sizeof(*shift_out));
	value = lore_fit_value(lore, shift_out, lore->gradient);
	step = 1 / fmax(1, largest(lore->gradient, lore->n_heads)); /* no shift by more than 1 */
	for (size_t i = 0; i < LORE_FIT_MAX_STEPS; i++) {
		if (largest(lore->gradient, lore->n_heads) <= LORE_FIT_FLAT ||
		    !descend(lore, shift_out, &value, &step))
			break;
	}
	if (!isfinite(value) || !all_finite(lore->gradient, lore->n_heads))
		return err_set(err, STATUS_NOT_FINITE,
			       "the user's weights: the heads' rewards are too far apart");
	return STATUS_OK;
}
