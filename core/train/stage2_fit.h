/* SPDX-License-Identifier: Apache-2.0 */
/* stage2_fit.h - one training of the router in stage 2. Private to core/train. */
#ifndef MICRO_TRAIN_STAGE2_FIT_H
#define MICRO_TRAIN_STAGE2_FIT_H

#include "core/train/adamw.h"
#include "core/train/pair_order.h"
#include "core/train/stage2.h"
#include "core/train/stage2_pairs.h"

/** stage2_fit_report_fn(context, n_done, nll): within an epoch, after n_done pairs with this
 * mean NLL; false stops. */
typedef bool stage2_fit_report_fn(void *context, size_t n_done, double nll);

struct stage2_fit {
	/* the inputs */
	const struct stage2_pairs *pairs;
	const struct stage2_options *options;
	const bool *mask; /* [n_heads] */
	enum stage2_method method;
	double tau;
	stage2_fit_report_fn *report; /* may be NULL */
	void *report_context;

	struct router router; /* trained in place; of pairs' features */

	size_t n_pairs;		/* trained on */
	uint32_t *order;	/* [n_pairs], shuffled each epoch */
	double *target;		/* [pairs->n_pairs, n_heads]: omega of each pair trained on */
	double *log_weight;	/* [n_heads]: log f(c,x) of the pair at hand */
	double *joint;		/* [n_heads] */
	float *logits;		/* [n_heads] */
	float *dlogits;		/* [n_heads] */
	float *hidden;		/* [n_hidden] */
	float *scratch;		/* [n_hidden] */
	struct feature_row psi; /* of the pair at hand */
	float *buffer;		/* [dim of the data], of psi if it is not in memory */
	struct pair_order pair_order;
	float *grad; /* [router.n_params] */
	struct adamw opt;
	struct rng rng;
	size_t step, n_steps; /* for the schedule of the learning rate */
	double nll;	      /* mean of the mixture over the pairs trained on, last epoch */
};

#define STAGE2_NO_FOLD UINT32_MAX

/**
 * stage2_fit_init(fit, router, left_out, err): fit holds its inputs but for the router,
 * which is a copy of the given one's parameters (of the model's shape); all pairs but
 * those of fold left_out are trained on. stage2_fit_free() releases, also on error.
 */
enum status stage2_fit_init(struct stage2_fit *fit, const struct router *router, uint32_t left_out,
			    struct err *err);

/** stage2_fit_free(fit): a zeroed fit is allowed. */
void stage2_fit_free(struct stage2_fit *fit);

/** stage2_fit_epoch(fit, err): one pass over the pairs. Errors: STATUS_NOT_FINITE if it diverges,
 * STATUS_INTERRUPTED. */
enum status stage2_fit_epoch(struct stage2_fit *fit, struct err *err);

/**
 * stage2_fit_log_preference(fit, i, value_out, err): log P(chosen > rejected) of pair i, by the
 * router alone. Errors: stage2_pairs_psi()'s.
 */
enum status stage2_fit_log_preference(struct stage2_fit *fit, size_t i, double *value_out,
				      struct err *err);

/**
 * stage2_fit_gradient(fit, i, nll_out, err): gradient at the logits of cross-entropy(omega, f)
 * of pair i, into dlogits; psi and hidden are as router_backward() needs them; the pair's NLL.
 * Errors: stage2_pairs_psi()'s.
 */
enum status stage2_fit_gradient(struct stage2_fit *fit, size_t i, double *nll_out, struct err *err);

#endif
