/* SPDX-License-Identifier: Apache-2.0 */
#include "core/eval/adapt.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/math/logmath.h"
#include "core/model/hedge.h"
#include "core/model/mixture.h"

const char *adapt_name(enum adapt_method method)
{
	static const char *const names[] = {"hedge", "none", "hyre", "lore"};

	assert((unsigned)method < N_ADAPT_METHODS);
	return names[method];
}

enum status adapt_init(struct adapt *adapt, const struct adapt_options *options, size_t n_heads,
		       const bool *mask, size_t max_pairs, struct err *err)
{
	*adapt = (struct adapt){
	    .options = *options,
	    .n_heads = n_heads,
	    .mask = mask,
	    .state = mem_array(n_heads, sizeof(double)),
	    .loss = mem_array(n_heads, sizeof(double)),
	    .log_weight = mem_array(n_heads, sizeof(double)),
	};
	if (adapt->state == NULL || adapt->loss == NULL || adapt->log_weight == NULL)
		return err_no_memory(err, "a user's weights");
	if (options->method == ADAPT_LORE)
		return lore_fit_init(&adapt->lore, n_heads, max_pairs, err);
	return STATUS_OK;
}

void adapt_free(struct adapt *adapt)
{
	mem_free(adapt->state);
	mem_free(adapt->loss);
	mem_free(adapt->log_weight);
	lore_fit_free(&adapt->lore);
	*adapt = (struct adapt){0};
}

void adapt_start(struct adapt *adapt)
{
	memset(adapt->state, 0, adapt->n_heads * sizeof(*adapt->state));
	if (adapt->options.method == ADAPT_HEDGE)
		hedge_start(adapt->state, adapt->n_heads);
	lore_fit_clear(&adapt->lore);
}

static enum status learn_hedge(struct adapt *adapt, struct adapt_pair pair, struct err *err)
{
	enum status status;

	hedge_losses(pair.chosen, pair.rejected, adapt->n_heads, adapt->loss);
	status = hedge_update(adapt->state, adapt->loss, adapt->n_heads, adapt->options.temperature,
			      1, err);
	if (status == STATUS_OK && adapt->options.drift > 0)
		hedge_share(adapt->state, adapt->n_heads, adapt->options.drift);
	return status;
}

static void count_errors(struct adapt *adapt, struct adapt_pair pair)
{
	for (size_t k = 0; k < adapt->n_heads; k++) {
		if (pair.chosen[k] < pair.rejected[k])
			adapt->state[k] -= 1;
		else if (pair.chosen[k] == pair.rejected[k])
			adapt->state[k] -= 0.5;
	}
}

enum status adapt_learn(struct adapt *adapt, struct adapt_pair pair, struct err *err)
{
	switch (adapt->options.method) {
	case ADAPT_HEDGE:
		return learn_hedge(adapt, pair, err);
	case ADAPT_HYRE:
		count_errors(adapt, pair);
		return STATUS_OK;
	case ADAPT_LORE:
		lore_fit_add(&adapt->lore, pair.logits, adapt->mask, pair.chosen, pair.rejected);
		return lore_fit_run(&adapt->lore, adapt->state, err);
	default: /* ADAPT_NONE */
		return STATUS_OK;
	}
}

/* log sigmoid(sum_k w_k m_k): one reward of all heads, not a mixture of their opinions */
static double log_reward_preference(const double *log_weight, struct adapt_pair pair,
				    size_t n_heads)
{
	double margin = 0;

	for (size_t k = 0; k < n_heads; k++)
		margin += exp(log_weight[k]) * ((double)pair.chosen[k] - pair.rejected[k]);
	return log_sigmoid(margin);
}

/* state: NULL for nobody in particular */
static double predict(struct adapt *adapt, const double *state, struct adapt_pair pair)
{
	enum adapt_method method = adapt->options.method;

	mixture_log_weights(pair.logits, state, adapt->mask, adapt->n_heads, adapt->log_weight);
	if (method == ADAPT_HYRE || method == ADAPT_LORE)
		return log_reward_preference(adapt->log_weight, pair, adapt->n_heads);
	return mixture_log_preference(adapt->log_weight, pair.chosen, pair.rejected,
				      adapt->n_heads);
}

double adapt_log_preference(struct adapt *adapt, struct adapt_pair pair)
{
	return predict(adapt, adapt->options.method == ADAPT_NONE ? NULL : adapt->state, pair);
}

double adapt_log_prior(struct adapt *adapt, struct adapt_pair pair)
{
	return predict(adapt, NULL, pair);
}
