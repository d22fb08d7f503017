/* SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/spares.h"
#include "tests/unit/unit.h"

#define MANY 200

static const size_t sizes[] = {64, 65, 500, 4096, 16448, 37000, 130000, 262144, 300000};

static void *make(size_t n_bytes)
{
	size_t whole = (n_bytes / SPARES_ALIGNMENT + 1) * SPARES_ALIGNMENT;
	void *block = aligned_alloc(SPARES_ALIGNMENT, whole);

	ck_assert_ptr_nonnull(block);
	return block;
}

START_TEST(block_that_was_kept_is_given_to_who_fits)
{
	for (size_t i = 0; i < LENGTH(sizes); i++) {
		void *block = make(sizes[i]), *taken;
		size_t room = malloc_usable_size(block);

		if (!spares_keep(block)) {
			free(block);
			continue;
		}
		ck_assert_msg(spares_take(2 * room) == NULL, "%zu bytes", sizes[i]);
		taken = spares_take(sizes[i]);
		ck_assert_msg(taken == block, "%zu bytes", sizes[i]);
		ck_assert_msg(spares_take(sizes[i]) == NULL, "%zu bytes twice", sizes[i]);
		free(block);
	}
}
END_TEST

/* Such blocks would stay a thread's for ever. */
START_TEST(large_block_is_not_given_for_a_small_one)
{
	void *block = make(sizes[4]);

	if (!spares_keep(block)) {
		free(block);
		return;
	}
	ck_assert_ptr_null(spares_take(sizes[2]));
	free(spares_take(sizes[4]));
}
END_TEST

START_TEST(no_thread_keeps_more_than_the_limit)
{
	for (size_t i = 0; i < LENGTH(sizes); i++) {
		size_t n_kept = 0;

		for (size_t j = 0; j < MANY; j++) {
			void *block = make(sizes[i]);

			if (spares_keep(block))
				n_kept += malloc_usable_size(block);
			else
				free(block);
		}
		ck_assert_msg(n_kept <= SPARES_MAX, "%zu bytes of %zu each", n_kept, sizes[i]);
		for (void *block; (block = spares_take(sizes[i])) != NULL;)
			free(block);
	}
}
END_TEST

START_TEST(unaligned_block_is_refused)
{
	char *block = make(4096);

	ck_assert(!spares_keep(block + 16));
	free(block);
}
END_TEST

/* ---- through mem.h ---- */

START_TEST(array_is_zeroed_whoever_had_it_before)
{
	for (size_t i = 0; i < LENGTH(sizes); i++) {
		unsigned char *block = mem_array(sizes[i], 1);

		memset(block, 0xff, sizes[i]);
		mem_free(block);
		block = mem_array(sizes[i], 1);
		ck_assert_uint_eq((uintptr_t)block % SPARES_ALIGNMENT, 0);
		for (size_t j = 0; j < sizes[i]; j++)
			ck_assert_msg(block[j] == 0, "byte %zu of %zu", j, sizes[i]);
		mem_free(block);
	}
}
END_TEST

START_TEST(blocks_that_are_there_at_once_are_apart)
{
	unsigned char *block[MANY];

	for (size_t turn = 0; turn < 3; turn++) {
		for (size_t i = 0; i < MANY; i++) {
			block[i] = mem_grow(NULL, 0, 700 + i, 1);
			memset(block[i], (int)i, 700 + i);
		}
		for (size_t i = 0; i < MANY; i++) {
			for (size_t j = 0; j < 700 + i; j++)
				ck_assert_uint_eq(block[i][j], (unsigned char)i);
			mem_free(block[i]);
		}
	}
}
END_TEST

static void *free_and_make(void *block)
{
	mem_free(block);
	return mem_array(5000, 1);
}

/* The thread's end frees what it kept: LeakSanitizer's and valgrind's to see. */
START_TEST(threads_may_free_what_others_made)
{
	for (size_t i = 0; i < 20; i++) {
		pthread_t thread;
		void *block = mem_array(5000, 1);

		ck_assert_int_eq(pthread_create(&thread, NULL, free_and_make, block), 0);
		ck_assert_int_eq(pthread_join(thread, &block), 0);
		ck_assert_ptr_nonnull(block);
		memset(block, 1, 5000);
		mem_free(block);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spares");
	TCase *tcase = tcase_create("spares");

	tcase_add_test(tcase, block_that_was_kept_is_given_to_who_fits);
	tcase_add_test(tcase, large_block_is_not_given_for_a_small_one);
	tcase_add_test(tcase, no_thread_keeps_more_than_the_limit);
	tcase_add_test(tcase, unaligned_block_is_refused);
	tcase_add_test(tcase, array_is_zeroed_whoever_had_it_before);
	tcase_add_test(tcase, blocks_that_are_there_at_once_are_apart);
	tcase_add_test(tcase, threads_may_free_what_others_made);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
