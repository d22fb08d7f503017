/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <string.h>

#include "core/train/pair_order.h"
#include "tests/unit/unit.h"

#define BLOCK	 7
#define N_BLOCKS (3 * PAIR_ORDER_BUFFER + 5)
#define N_PAIRS	 (N_BLOCKS * BLOCK - 3)

static struct dataset dataset;
static struct pair_order order;
static struct rng rng;
static uint32_t pairs[N_PAIRS];
static size_t n_pairs;

/* Every pair but each tenth, which is held out. */
static void start(size_t block)
{
	dataset = (struct dataset){.n_pairs = N_PAIRS};
	n_pairs = 0;
	for (uint32_t i = 0; i < N_PAIRS; i++) {
		if (i % 10 != 3)
			pairs[n_pairs++] = i;
	}
	rng_init(&rng, 1);
	ck_assert_int_eq(pair_order_init(&order, &dataset, block, n_pairs, NULL), STATUS_OK);
}

static void stop(void)
{
	pair_order_free(&order);
}

static void assert_every_pair_once(void)
{
	bool seen[N_PAIRS] = {false};

	for (size_t i = 0; i < n_pairs; i++) {
		ck_assert_uint_lt(pairs[i], N_PAIRS);
		ck_assert(pairs[i] % 10 != 3 && !seen[pairs[i]]);
		seen[pairs[i]] = true;
	}
}

START_TEST(every_pair_comes_once_an_epoch)
{
	start(BLOCK);
	for (int epoch = 0; epoch < 5; epoch++) {
		pair_order_shuffle(&order, &rng, pairs, n_pairs);
		assert_every_pair_once();
	}
}
END_TEST

START_TEST(pairs_of_few_blocks_are_together_and_blocks_ascend)
{
	start(BLOCK);
	pair_order_shuffle(&order, &rng, pairs, n_pairs);
	ck_assert_uint_eq(order.n_buffers, 4);
	ck_assert_uint_eq(order.start[order.n_buffers], n_pairs);
	for (size_t j = 0; j < order.n_buffers; j++) {
		const uint32_t *first = order.blocks + j * PAIR_ORDER_BUFFER;
		size_t n = j < 3 ? PAIR_ORDER_BUFFER : 5;

		for (size_t b = 1; b < n; b++)
			ck_assert_uint_lt(first[b - 1], first[b]);
		for (size_t i = order.start[j]; i < order.start[j + 1]; i++) {
			bool found = false;

			for (size_t b = 0; b < n; b++)
				found |= pairs[i] / BLOCK == first[b];
			ck_assert_msg(found, "pair %u is not in buffer %zu", pairs[i], j);
		}
	}
}
END_TEST

START_TEST(an_epoch_is_another_order_and_a_seed_the_same)
{
	uint32_t before[N_PAIRS], once[N_PAIRS];

	start(BLOCK);
	pair_order_shuffle(&order, &rng, pairs, n_pairs);
	memcpy(before, pairs, sizeof(pairs));
	pair_order_shuffle(&order, &rng, pairs, n_pairs);
	ck_assert_mem_ne(pairs, before, n_pairs * sizeof(*pairs));
	memcpy(once, pairs, sizeof(pairs));
	stop();
	start(BLOCK);
	pair_order_shuffle(&order, &rng, pairs, n_pairs);
	pair_order_shuffle(&order, &rng, pairs, n_pairs);
	ck_assert_mem_eq(pairs, once, n_pairs * sizeof(*pairs));
}
END_TEST

/* Pairs that lie side by side must not be trained on side by side. */
START_TEST(neighbours_are_torn_apart)
{
	size_t n_kept = 0;

	start(BLOCK);
	pair_order_shuffle(&order, &rng, pairs, n_pairs);
	for (size_t i = 1; i < n_pairs; i++)
		n_kept += pairs[i] == pairs[i - 1] + 1;
	ck_assert_uint_lt(n_kept, n_pairs / 50);
}
END_TEST

/* _i: the block's length, 0 and one so long that all are one buffer */
START_TEST(one_buffer_is_a_plain_shuffle)
{
	uint32_t expected[N_PAIRS];
	struct rng same;

	start(_i == 0 ? 0 : N_PAIRS / PAIR_ORDER_BUFFER + 1);
	ck_assert_uint_eq(order.n_buffers, 1);
	memcpy(expected, pairs, sizeof(pairs));
	rng_init(&same, 1);
	rng_shuffle(&same, expected, n_pairs);
	pair_order_shuffle(&order, &rng, pairs, n_pairs);
	ck_assert_mem_eq(pairs, expected, n_pairs * sizeof(*pairs));
}
END_TEST

START_TEST(items_are_ordered_by_the_pairs_they_stand_for)
{
	uint32_t pair_of[N_PAIRS];

	start(BLOCK);
	for (uint32_t i = 0; i < N_PAIRS; i++)
		pair_of[i] = (uint32_t)((i * 101ul) % N_PAIRS);
	order.pair_of = pair_of;
	pair_order_shuffle(&order, &rng, pairs, n_pairs);
	assert_every_pair_once();
	for (size_t j = 0; j < order.n_buffers; j++) {
		for (size_t i = order.start[j]; i < order.start[j + 1]; i++)
			ck_assert_uint_eq(order.buffer[pair_of[pairs[i]] / BLOCK], j);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pair_order");
	TCase *tcase = tcase_create("pair_order");

	tcase_add_checked_fixture(tcase, NULL, stop);
	tcase_add_test(tcase, every_pair_comes_once_an_epoch);
	tcase_add_test(tcase, pairs_of_few_blocks_are_together_and_blocks_ascend);
	tcase_add_test(tcase, an_epoch_is_another_order_and_a_seed_the_same);
	tcase_add_test(tcase, neighbours_are_torn_apart);
	tcase_add_loop_test(tcase, one_buffer_is_a_plain_shuffle, 0, 2);
	tcase_add_test(tcase, items_are_ordered_by_the_pairs_they_stand_for);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
