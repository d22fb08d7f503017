/* SPDX-License-Identifier: Apache-2.0 */
/* adamw.h - AdamW (Loshchilov and Hutter, ICLR 2019) on one block of parameters. */
#ifndef MICRO_TRAIN_ADAMW_H
#define MICRO_TRAIN_ADAMW_H

#include <stddef.h>

#include "core/base/err.h"

struct adamw {
	size_t n_params;
	float *mean;		      /* [n_params], first moment */
	float *variance;	      /* [n_params], second moment */
	double beta1, beta2, epsilon; /* 0.9, 0.999, 1e-8 */
	double weight_decay;
	unsigned long step;
};

/** adamw_init(opt, n_params, weight_decay, err): zero moments; adamw_free() releases. */
enum status adamw_init(struct adamw *opt, size_t n_params, double weight_decay, struct err *err);

/** adamw_reset(opt): zero moments again, for other parameters of the same number. */
void adamw_reset(struct adamw *opt);

/** adamw_free(opt): frees the moments. */
void adamw_free(struct adamw *opt);

/**
 * adamw_step(opt, learning_rate, grad, params): one step with decoupled weight
 * decay; grad [n_params] is set to zero for the next batch.
 */
void adamw_step(struct adamw *opt, double learning_rate, float *grad, float *params);

/* What the parameters of one step have in common. */
struct adamw_rates {
	float step, epsilon; /* with the bias corrections folded in */
	float keep;	     /* 1 - learning_rate * weight_decay */
	float beta1, beta2;
};

/**
 * adamw_begin(opt, learning_rate): begin a step whose parameters are updated part by
 * part: each once, by adamw_update(), before the next step begins.
 */
struct adamw_rates adamw_begin(struct adamw *opt, double learning_rate);

/**
 * adamw_update(opt, rates, begin, n, grad, params): the parameters begin .. begin + n - 1
 * of the block params [n_params], with their gradient grad [n]. Threads may update
 * different ones at once.
 */
void adamw_update(struct adamw *opt, struct adamw_rates rates, size_t begin, size_t n,
		  const float *grad, float *params);

#endif
