/* SPDX-License-Identifier: Apache-2.0 */
/* stage2_fit.c - MiCRo, Algorithm 1, and the same training for the closed form's targets */
#include "core/train/stage2_fit.h"

#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/math/logmath.h"
#include "core/model/mixture.h"

/* how often report() is called within an epoch */
#define BATCHES_PER_REPORT 16

/* of AdamW: gradients below are rounding, and must not become whole steps */
#define EPSILON 1e-4

/* log f(c,x) of pair i into log_weight; its features and hidden */
static enum status forward(struct stage2_fit *fit, size_t i, struct err *err)
{
	enum status status = stage2_pairs_psi(fit->pairs, i, fit->buffer, &fit->psi, err);

	if (status != STATUS_OK)
		return status;
	router_logits(&fit->router, fit->psi, fit->hidden, fit->logits);
	mixture_log_weights(fit->logits, NULL, fit->mask, fit->pairs->n_heads, fit->log_weight);
	return STATUS_OK;
}

/* omega_k proportional to f_k(c,x) exp(-L_k / tau)                     eq. (5) */
static enum status pair_target(struct stage2_fit *fit, size_t i, struct err *err)
{
	size_t n_heads = fit->pairs->n_heads;
	const double *loss = fit->pairs->loss + i * n_heads;
	double *target = fit->target + i * n_heads;
	enum status status = forward(fit, i, err);

	if (status != STATUS_OK)
		return status;
	for (size_t k = 0; k < n_heads; k++)
		target[k] = fit->log_weight[k] - loss[k] / fit->tau;
	log_softmax(target, n_heads);
	for (size_t k = 0; k < n_heads; k++)
		target[k] = exp(target[k]);
	return STATUS_OK;
}

/*
 * One Hedge posterior for all pairs of a context, as panel.c has one for a user's:
 *
 *   omega_c proportional to exp(mean_i log f(c_i, x_i) - sum_i L_k,i / tau)
 *
 * with f the router before stage 2: few pairs leave it near that, many decide.
 * posterior: [n_groups, n_heads], zero at first; count: [n_groups], pairs of each.
 */
static enum status group_posteriors(struct stage2_fit *fit, const size_t *count, double *posterior,
				    struct err *err)
{
	const struct stage2_pairs *pairs = fit->pairs;
	size_t n_heads = pairs->n_heads;

	for (size_t j = 0; j < fit->n_pairs; j++) {
		size_t i = fit->order[j];
		double *sum = posterior + pairs->group[i] * n_heads;
		enum status status = forward(fit, i, err);

		if (status != STATUS_OK)
			return status;
		for (size_t k = 0; k < n_heads; k++)
			sum[k] += fit->log_weight[k] / (double)count[pairs->group[i]] -
				  pairs->loss[i * n_heads + k] / fit->tau;
	}
	/* a group all of which is left out stays uniform: nothing reads it */
	for (size_t g = 0; g < pairs->n_groups; g++) {
		log_softmax(posterior + g * n_heads, n_heads);
		for (size_t k = 0; k < n_heads; k++)
			posterior[g * n_heads + k] = exp(posterior[g * n_heads + k]);
	}
	return STATUS_OK;
}

static enum status closed_form_targets(struct stage2_fit *fit, struct err *err)
{
	const struct stage2_pairs *pairs = fit->pairs;
	size_t n_heads = pairs->n_heads;
	double *posterior = mem_array(pairs->n_groups, n_heads * sizeof(*posterior));
	size_t *count = mem_array(pairs->n_groups, sizeof(*count));
	enum status status = STATUS_OK;

	if (posterior == NULL || count == NULL) {
		status = err_no_memory(err, "contexts");
		goto out;
	}
	for (size_t j = 0; j < fit->n_pairs; j++)
		count[pairs->group[fit->order[j]]]++;
	status = group_posteriors(fit, count, posterior, err);
	for (size_t j = 0; j < fit->n_pairs && status == STATUS_OK; j++) {
		size_t i = fit->order[j];

		memcpy(fit->target + i * n_heads, posterior + pairs->group[i] * n_heads,
		       n_heads * sizeof(*posterior));
	}
out:
	mem_free(posterior);
	mem_free(count);
	return status;
}

static enum status allocate(struct stage2_fit *fit, struct err *err)
{
	size_t n_heads = fit->pairs->n_heads;

	fit->order = mem_array(fit->pairs->n_pairs, sizeof(*fit->order));
	fit->target = mem_array(fit->pairs->n_pairs, n_heads * sizeof(*fit->target));
	fit->log_weight = mem_array(n_heads, sizeof(*fit->log_weight));
	fit->joint = mem_array(n_heads, sizeof(*fit->joint));
	fit->logits = mem_array(n_heads, sizeof(*fit->logits));
	fit->dlogits = mem_array(n_heads, sizeof(*fit->dlogits));
	fit->hidden = mem_array(fit->router.n_hidden, sizeof(*fit->hidden));
	fit->scratch = mem_array(fit->router.n_hidden, sizeof(*fit->scratch));
	fit->buffer = mem_array(fit->pairs->dataset->psi.dim, sizeof(*fit->buffer));
	fit->grad = mem_array(fit->router.n_params, sizeof(*fit->grad));
	if (fit->order == NULL || fit->target == NULL || fit->log_weight == NULL ||
	    fit->joint == NULL || fit->logits == NULL || fit->dlogits == NULL ||
	    fit->hidden == NULL || fit->scratch == NULL || fit->buffer == NULL || fit->grad == NULL)
		return err_no_memory(err, "router training");
	return adamw_init(&fit->opt, fit->router.n_params, fit->options->weight_decay, err);
}

/* What is too long for one buffer is gone through in the order of an epoch from the start. */
static enum status order_pairs(struct stage2_fit *fit, struct err *err)
{
	const struct dataset *dataset = fit->pairs->dataset;
	enum status status =
	    pair_order_init(&fit->pair_order, dataset, dataset_block(dataset), fit->n_pairs, err);

	fit->pair_order.pair_of = fit->pairs->pair;
	if (status == STATUS_OK && fit->pair_order.n_buffers > 1)
		pair_order_shuffle(&fit->pair_order, &fit->rng, fit->order, fit->n_pairs);
	return status;
}

enum status stage2_fit_init(struct stage2_fit *fit, const struct router *router, uint32_t left_out,
			    struct err *err)
{
	size_t batch = fit->options->batch;
	enum status status = stage2_pairs_router(fit->pairs, router, &fit->router, err);

	if (status == STATUS_OK)
		status = allocate(fit, err);
	if (status != STATUS_OK)
		return status;
	fit->opt.epsilon = EPSILON;
	rng_init(&fit->rng, fit->options->seed);
	for (size_t i = 0; i < fit->pairs->n_pairs; i++) {
		if (fit->pairs->fold[i] != left_out)
			fit->order[fit->n_pairs++] = (uint32_t)i;
	}
	status = order_pairs(fit, err);
	if (status != STATUS_OK)
		return status;
	fit->n_steps = fit->options->epochs * ((fit->n_pairs + batch - 1) / batch);
	return fit->method == STAGE2_CLOSED_FORM ? closed_form_targets(fit, err) : STATUS_OK;
}

void stage2_fit_free(struct stage2_fit *fit)
{
	router_free(&fit->router);
	adamw_free(&fit->opt);
	mem_free(fit->order);
	mem_free(fit->target);
	mem_free(fit->log_weight);
	mem_free(fit->joint);
	mem_free(fit->logits);
	mem_free(fit->dlogits);
	mem_free(fit->hidden);
	mem_free(fit->scratch);
	mem_free(fit->buffer);
	pair_order_free(&fit->pair_order);
	mem_free(fit->grad);
	*fit = (struct stage2_fit){0};
}

/* log sum_k f_k p_k of pair i                                          eq. (1) */
static double log_likelihood(struct stage2_fit *fit, size_t i)
{
	size_t n_heads = fit->pairs->n_heads;
	const double *loss = fit->pairs->loss + i * n_heads;

	for (size_t k = 0; k < n_heads; k++)
		fit->joint[k] = fit->log_weight[k] - loss[k];
	return log_sum_exp(fit->joint, n_heads);
}

enum status stage2_fit_log_preference(struct stage2_fit *fit, size_t i, double *value_out,
				      struct err *err)
{
	enum status status = forward(fit, i, err);

	if (status == STATUS_OK)
		*value_out = log_likelihood(fit, i);
	return status;
}

enum status stage2_fit_gradient(struct stage2_fit *fit, size_t i, double *nll_out, struct err *err)
{
	size_t n_heads = fit->pairs->n_heads;
	enum status status = forward(fit, i, err);

	if (status != STATUS_OK)
		return status;
	for (size_t k = 0; k < n_heads; k++)
		fit->dlogits[k] = (float)(exp(fit->log_weight[k]) - fit->target[i * n_heads + k]);
	*nll_out = -log_likelihood(fit, i);
	return STATUS_OK;
}

/* The learning rate falls linearly to zero. */
static void step(struct stage2_fit *fit)
{
	double rate = fit->options->learning_rate * (1 - (double)fit->step / (double)fit->n_steps);

	adamw_step(&fit->opt, rate, fit->grad, fit->router.params);
	fit->step++;
}

static enum status report(struct stage2_fit *fit, size_t n_done, double nll_sum, struct err *err)
{
	fit->nll = nll_sum / (double)n_done;
	if (!isfinite(nll_sum))
		return err_set(err, STATUS_NOT_FINITE,
			       "the router diverged: its loss is not finite; lower the learning "
			       "rate (%g) or the scale of the vectors",
			       fit->options->learning_rate);
	if (fit->report != NULL && !fit->report(fit->report_context, n_done, fit->nll))
		return err_set(err, STATUS_INTERRUPTED, "interrupted");
	return STATUS_OK;
}

/* Gradients of the pairs order[begin .. begin + n), one step; adds their NLL to nll_sum. */
static enum status train_batch(struct stage2_fit *fit, size_t begin, size_t n, double *nll_sum,
			       struct err *err)
{
	for (size_t j = begin; j < begin + n; j++) {
		double nll;
		enum status status = stage2_fit_gradient(fit, fit->order[j], &nll, err);

		if (status != STATUS_OK)
			return status;
		*nll_sum += nll;
		for (size_t k = 0; k < fit->pairs->n_heads; k++)
			fit->dlogits[k] /= (float)n;
		router_backward(&fit->router, fit->psi, fit->hidden, fit->dlogits, fit->scratch,
				fit->grad);
	}
	step(fit);
	return STATUS_OK;
}

static enum status set_targets(struct stage2_fit *fit, struct err *err)
{
	enum status status = STATUS_OK;

	for (size_t j = 0; j < fit->n_pairs && status == STATUS_OK; j++)
		status = pair_target(fit, fit->order[j], err);
	return status;
}

enum status stage2_fit_epoch(struct stage2_fit *fit, struct err *err)
{
	size_t batch = fit->options->batch;
	double nll_sum = 0;
	enum status status = STATUS_OK;

	if (fit->method == STAGE2_ITERATE)
		status = set_targets(fit, err);
	if (status != STATUS_OK)
		return status;
	pair_order_shuffle(&fit->pair_order, &fit->rng, fit->order, fit->n_pairs);
	for (size_t begin = 0; begin < fit->n_pairs; begin += batch) {
		size_t n = fit->n_pairs - begin < batch ? fit->n_pairs - begin : batch;

		pair_order_reach(&fit->pair_order, begin);
		status = train_batch(fit, begin, n, &nll_sum, err);
		if (status == STATUS_OK &&
		    (fit->step % BATCHES_PER_REPORT == 0 || begin + n == fit->n_pairs))
			status = report(fit, begin + n, nll_sum, err);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}
