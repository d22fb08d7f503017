/* SPDX-License-Identifier: Apache-2.0 */
#include "core/train/pair_order.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

enum status pair_order_init(struct pair_order *order, const struct dataset *dataset, size_t block,
			    size_t capacity, struct err *err)
{
	*order = (struct pair_order){.dataset = dataset, .block = block, .n_buffers = 1};
	if (block == 0)
		return STATUS_OK;
	order->n_blocks = (dataset->n_pairs + block - 1) / block;
	order->n_buffers = (order->n_blocks + PAIR_ORDER_BUFFER - 1) / PAIR_ORDER_BUFFER;
	order->blocks = mem_array(order->n_blocks, sizeof(*order->blocks));
	order->buffer = mem_array(order->n_blocks, sizeof(*order->buffer));
	order->start = mem_array(order->n_buffers + 1, sizeof(*order->start));
	order->sorted = mem_array(capacity, sizeof(*order->sorted));
	if (order->blocks == NULL || order->buffer == NULL || order->start == NULL ||
	    order->sorted == NULL)
		return err_no_memory(err, "the order of pairs");
	for (size_t b = 0; b < order->n_blocks; b++)
		order->blocks[b] = (uint32_t)b;
	return STATUS_OK;
}

void pair_order_free(struct pair_order *order)
{
	mem_free(order->blocks);
	mem_free(order->buffer);
	mem_free(order->start);
	mem_free(order->sorted);
	*order = (struct pair_order){0};
}

static size_t buffer_blocks(const struct pair_order *order, size_t buffer)
{
	size_t left = order->n_blocks - buffer * PAIR_ORDER_BUFFER;

	return left < PAIR_ORDER_BUFFER ? left : PAIR_ORDER_BUFFER;
}

static int compare_blocks(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void deal_blocks(struct pair_order *order, struct rng *rng)
{
	/* one buffer holds them all: nothing to choose, and pairs in memory are shuffled alike */
	if (order->n_buffers > 1)
		rng_shuffle(rng, order->blocks, order->n_blocks);
	for (size_t j = 0; j < order->n_buffers; j++) {
		uint32_t *first = order->blocks + j * PAIR_ORDER_BUFFER;
		size_t n = buffer_blocks(order, j);

		qsort(first, n, sizeof(*first), compare_blocks);
		for (size_t b = 0; b < n; b++)
			order->buffer[first[b]] = (uint32_t)j;
	}
}

static size_t buffer_of(const struct pair_order *order, uint32_t item)
{
	uint32_t pair = order->pair_of == NULL ? item : order->pair_of[item];

	return order->buffer[pair / order->block];
}

/* Counting sort of the pairs by buffer; the order within each stays. */
static void sort_pairs(struct pair_order *order, uint32_t *pairs, size_t n)
{
	size_t *start = order->start;

	memset(start, 0, (order->n_buffers + 1) * sizeof(*start));
	for (size_t i = 0; i < n; i++)
		start[buffer_of(order, pairs[i]) + 1]++;
	for (size_t j = 0; j < order->n_buffers; j++)
		start[j + 1] += start[j];
	for (size_t i = 0; i < n; i++)
		order->sorted[start[buffer_of(order, pairs[i])]++] = pairs[i];
	/* each buffer's beginning has moved to its end: the next one's beginning */
	memmove(start + 1, start, order->n_buffers * sizeof(*start));
	start[0] = 0;
	memcpy(pairs, order->sorted, n * sizeof(*pairs));
}

static void expect_buffer(const struct pair_order *order, size_t buffer)
{
	const uint32_t *first = order->blocks + buffer * PAIR_ORDER_BUFFER;
	size_t n = buffer_blocks(order, buffer);

	for (size_t b = 0; b < n; b++)
		dataset_expect(order->dataset, first[b] * order->block, order->block);
}

void pair_order_shuffle(struct pair_order *order, struct rng *rng, uint32_t *pairs, size_t n)
{
	if (order->block == 0) {
		rng_shuffle(rng, pairs, n);
		return;
	}
	deal_blocks(order, rng);
	sort_pairs(order, pairs, n);
	for (size_t j = 0; j < order->n_buffers; j++)
		rng_shuffle(rng, pairs + order->start[j], order->start[j + 1] - order->start[j]);
	order->n_begun = 0;
}

void pair_order_reach(struct pair_order *order, size_t position)
{
	while (order->block > 0 && order->n_begun < order->n_buffers &&
	       order->start[order->n_begun] <= position) {
		if (order->n_begun == 0)
			expect_buffer(order, 0);
		order->n_begun++;
		if (order->n_begun < order->n_buffers)
			expect_buffer(order, order->n_begun);
	}
}
