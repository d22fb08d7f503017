/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer.h - the wide linear layers of a model, trained on batches of dense rows:
 *
 *   out [n, n_out] = x [n, dim] * weight [dim, n_out]
 *
 * The features are cut into shards of fixed size, the unit of work of a thread: a
 * shard has its own part of the products going forward, and going back its own part
 * of the gradient, of AdamW's moments and of the weights, which meet in the cache and
 * nowhere else. Partial products are added in the order of the shards, so the result
 * does not depend on the number of threads. Private to core/train.
 */
#ifndef MICRO_TRAIN_LAYER_H
#define MICRO_TRAIN_LAYER_H

#include "core/encode/features.h"
#include "core/train/adamw.h"

/* Features of a shard, and of a slice, the unit of work going back: it gives the same bits. */
#define LAYER_SHARD 384
#define LAYER_SLICE 256

struct layer {
	const struct features *features; /* what rows are read from */
	size_t n_out;			 /* 0: a layer that is not there */
	size_t capacity;		 /* rows of a batch at most */
	float *weight;			 /* [dim, n_out], the model's */
	float *x;	/* [capacity, dim]: rows of features, or their differences */
	float *partial; /* [n_shards, capacity, n_out] */
	float *out;	/* [capacity, n_out] */
	float *dout;	/* [capacity, n_out]: loss gradient at out */
};

/**
 * layer_init(layer, features, weight, n_out, capacity, err): buffers for batches of
 * up to capacity rows; features and weight stay the caller's. layer_free() releases,
 * also on error.
 */
enum status layer_init(struct layer *layer, const struct features *features, float *weight,
		       size_t n_out, size_t capacity, struct err *err);

/** layer_free(layer): frees the buffers. */
void layer_free(struct layer *layer);

/** layer_n_shards(dim): shards that dim features make. */
size_t layer_n_shards(size_t dim);

/** layer_gather(layer, begin, rows, n, err): x from row begin on = the rows rows [n]. */
enum status layer_gather(struct layer *layer, size_t begin, const uint32_t *rows, size_t n,
			 struct err *err);

/**
 * layer_gather_differences(layer, begin, rows, n, err): x from row begin on = row rows[2i] -
 * row rows[2i + 1], i < n.
 */
enum status layer_gather_differences(struct layer *layer, size_t begin, const uint32_t *rows,
				     size_t n, struct err *err);

/** layer_forward(layer, begin, n, shard): the shard's partial products of n rows from begin on. */
void layer_forward(struct layer *layer, size_t begin, size_t n, size_t shard);

/** layer_sum(layer, begin, n): out of n rows from begin on, from all shards' products. */
void layer_sum(struct layer *layer, size_t begin, size_t n);

/** layer_n_slices(dim): slices that dim features make. */
size_t layer_n_slices(size_t dim);

/**
 * layer_backward(layer, n, slice, rates, opt, grad): the gradient x^T dout of the
 * slice's weights over n rows, into grad [LAYER_SLICE, n_out], and their AdamW step.
 * weight begins the block of parameters that opt is for.
 */
void layer_backward(struct layer *layer, size_t n, size_t slice, struct adamw_rates rates,
		    struct adamw *opt, float *grad);

#endif
