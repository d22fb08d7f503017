/* SPDX-License-Identifier: Apache-2.0 */
#include "core/train/simplex.h"

#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/math/logmath.h"

enum status simplex_init(struct simplex *simplex, size_t n_heads, struct err *err)
{
	enum status status;

	*simplex = (struct simplex){.n_heads = n_heads};
	status = adamw_init(&simplex->adam, n_heads, 0, err);
	if (status != STATUS_OK)
		return status;
	simplex->logits = mem_array(n_heads, sizeof(*simplex->logits));
	simplex->grad = mem_array(n_heads, sizeof(*simplex->grad));
	if (simplex->logits == NULL || simplex->grad == NULL) {
		simplex_free(simplex);
		return err_no_memory(err, "simplex weights");
	}
	return STATUS_OK;
}

void simplex_free(struct simplex *simplex)
{
	adamw_free(&simplex->adam);
	mem_free(simplex->logits);
	mem_free(simplex->grad);
	*simplex = (struct simplex){0};
}

double simplex_margin(const double *weight, const float *margin, size_t n_heads)
{
	double sum = 0;

	for (size_t k = 0; k < n_heads; k++)
		sum += weight[k] * margin[k];
	return sum;
}

/* dL/da_k = -sigmoid(-M) w_k (m_k - M) */
void simplex_add_gradient(const double *weight, const float *margin, size_t n_heads, double scale,
			  float *grad)
{
	double sum = simplex_margin(weight, margin, n_heads);
	double slope = -scale * sigmoid(-sum);

	for (size_t k = 0; k < n_heads; k++)
		grad[k] += (float)(slope * weight[k] * (margin[k] - sum));
}

static void softmax_of(const float *logits, size_t n, double *weight)
{
	for (size_t k = 0; k < n; k++)
		weight[k] = logits[k];
	log_softmax(weight, n);
	for (size_t k = 0; k < n; k++)
		weight[k] = exp(weight[k]);
}

void simplex_fit(struct simplex *simplex, const float *margin, size_t n_pairs, size_t n_steps,
		 double rate, double *weight)
{
	size_t n = simplex->n_heads;

	if (n_pairs == 0)
		return;
	for (size_t k = 0; k < n; k++)
		simplex->logits[k] = (float)log(weight[k]);
	adamw_reset(&simplex->adam);
	for (size_t step = 0; step < n_steps; step++) {
		for (size_t i = 0; i < n_pairs; i++)
			simplex_add_gradient(weight, margin + i * n, n, 1 / (double)n_pairs,
					     simplex->grad);
		adamw_step(&simplex->adam, rate, simplex->grad, simplex->logits);
		softmax_of(simplex->logits, n, weight);
	}
}
