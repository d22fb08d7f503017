/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pair_order.h - in which order an epoch goes through the pairs. Pairs in memory are shuffled.
 * Pairs of a file are read block by block: blocks of consecutive pairs come in random order,
 * and the pairs of several blocks, a buffer, are shuffled together. This converges like a full
 * shuffle unless labels are clustered far beyond a buffer, and reads the disk in order
 * (CorgiPile: Xu et al., "In-Database Machine Learning with CorgiPile: Stochastic Gradient
 * Descent without Full Data Shuffle", SIGMOD 2022).
 */
#ifndef MICRO_TRAIN_PAIR_ORDER_H
#define MICRO_TRAIN_PAIR_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/base/rng.h"
#include "core/data/dataset.h"

/* blocks of a buffer: fewer than are mapped, since a batch may reach into the next buffer */
#define PAIR_ORDER_BUFFER (MAPPED_ROWS_WINDOW * 3 / 4)

struct pair_order {
	const struct dataset *dataset;
	size_t block;	  /* pairs of a block; 0: all pairs are one buffer */
	size_t n_blocks;  /* of the dataset */
	size_t n_buffers; /* of an epoch, at least 1 */
	uint32_t *blocks; /* [n_blocks], this epoch's: by buffer, ascending within each */
	uint32_t *buffer; /* [n_blocks]: which buffer each block is in */
	size_t *start;	  /* [n_buffers + 1]: where each begins among the pairs of the epoch */
	uint32_t *sorted; /* [capacity]: scratch */
	size_t n_begun;	  /* buffers that the epoch has come to */
	const uint32_t *pair_of; /* the caller's; not NULL: item i is pair pair_of[i] */
};

/**
 * pair_order_init(order, dataset, block, capacity, err): block: as dataset_block() says;
 * capacity: pairs of an epoch at most. pair_order_free() releases, also on error.
 */
enum status pair_order_init(struct pair_order *order, const struct dataset *dataset, size_t block,
			    size_t capacity, struct err *err);

/** pair_order_free(order): a zeroed one is allowed. */
void pair_order_free(struct pair_order *order);

/**
 * pair_order_shuffle(order, rng, pairs, n): begin an epoch: pairs [n], of the dataset in any
 * order, n <= capacity, are put in the epoch's; or items that order->pair_of makes pairs of.
 * Deterministic by rng and pairs.
 */
void pair_order_shuffle(struct pair_order *order, struct rng *rng, uint32_t *pairs, size_t n);

/**
 * pair_order_reach(order, position): the epoch has come to its pair number position: the
 * blocks of the next buffer are announced to the system, which reads them meanwhile.
 */
void pair_order_reach(struct pair_order *order, size_t position);

#endif
