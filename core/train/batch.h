/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch.h - margins, logits, their gradients and the optimizer's step for a whole
 * batch of dense pairs: matrix products on several threads (layer.h) instead of a
 * loop over pairs. Rewards are linear in phi and only their differences count:
 *   m = r(chosen) - r(rejected) = W (phi(chosen) - phi(rejected)),
 * so the heads see one row of each pair. Sparse pairs are better off one by one
 * (trainer.c). Private to core/train.
 */
#ifndef MICRO_TRAIN_BATCH_H
#define MICRO_TRAIN_BATCH_H

#include "core/base/pool.h"
#include "core/data/dataset.h"
#include "core/model/model.h"
#include "core/train/adamw.h"
#include "core/train/layer.h"

struct batch;

/*
 * The loss gradients of pairs begin .. begin + n of the batch, from heads.out and logits, into
 * heads.dout and dlogits. Several threads at once; thread: which of the pool.
 */
typedef void batch_losses_fn(void *context, struct batch *batch, size_t begin, size_t n,
			     size_t thread);

struct batch {
	/* the inputs */
	const struct dataset *dataset;
	struct model *model;
	struct adamw *heads_opt, *router_opt;
	struct pool *pool; /* may be NULL */
	size_t capacity;   /* pairs */
	batch_losses_fn *losses;
	void *losses_context;

	size_t n;	    /* pairs of the batch at hand */
	struct layer heads; /* rows: phi(chosen) - phi(rejected), out: margins */
	struct layer first; /* the router's first layer, rows: prompts; static: none */
	uint32_t *phi_rows; /* [2 * capacity]: chosen and rejected of each pair */
	uint32_t *psi_rows; /* [capacity] */
	float *logits;	    /* [capacity, n_heads] */
	float *dlogits;	    /* [capacity, n_heads] */
	float *weight2_t;   /* mlp: [n_heads, n_hidden] */
	float *tail_grad;   /* [n_params - first layer]: of the router's small parameters */
	float *grad;	    /* [n_threads, n_grad]: of one slice, per thread */
	size_t n_grad;
	struct adamw_rates heads_rates, router_rates; /* of the step at hand */
};

/**
 * batch_init(batch, err): batch holds its inputs; buffers of capacity * (2 dim + a few
 * per head and hidden unit) numbers. batch_free() releases, also on error.
 */
enum status batch_init(struct batch *batch, struct err *err);

/** batch_free(batch): frees what batch_init() made; a zeroed batch is allowed. */
void batch_free(struct batch *batch);

/**
 * batch_forward(batch, pairs, n, err): margins [n, n_heads], into heads.out, and logits of
 * the n <= capacity pairs, what losses() makes of them, and from dlogits first.dout. Errors: those
 * of features_gather().
 */
enum status batch_forward(struct batch *batch, const uint32_t *pairs, size_t n, struct err *err);

/**
 * batch_step(batch, learning_rate): after batch_forward(): one AdamW step of the model by
 * the loss gradients that are in heads.dout, first.dout and dlogits.
 */
void batch_step(struct batch *batch, double learning_rate);

#endif
