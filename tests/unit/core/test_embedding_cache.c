/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/encode/embedding_cache.h"
#include "tests/unit/unit.h"

#define DIM 4

static struct embedding_cache *cache;

static struct embedding_digest digest_of(int i)
{
	char name[16];
	int len = snprintf(name, sizeof(name), "text %d", i);

	return embedding_digest((struct text){name, (size_t)len});
}

static void put(int i)
{
	const float row[DIM] = {(float)i, 1, 2, 3};
	struct embedding_digest digest = digest_of(i);

	embedding_cache_put(cache, &digest, row);
}

static bool has(int i)
{
	struct embedding_digest digest = digest_of(i);
	float row[DIM];
	bool found = embedding_cache_get(cache, &digest, row);

	if (found)
		ck_assert(row[0] == (float)i && row[3] == 3);
	return found;
}

static struct embedding_cache_stats stats(void)
{
	struct embedding_cache_stats s;

	embedding_cache_stats(cache, &s);
	return s;
}

/* A cache for exactly n rows. */
static void open_for(size_t n)
{
	size_t row_bytes;

	ck_assert_int_eq(embedding_cache_open(DIM, 1 << 20, &cache, NULL), STATUS_OK);
	put(0);
	row_bytes = stats().n_bytes;
	embedding_cache_close(cache);
	ck_assert_int_eq(embedding_cache_open(DIM, n * row_bytes, &cache, NULL), STATUS_OK);
}

static void close_cache(void)
{
	embedding_cache_close(cache);
	cache = NULL;
}

START_TEST(rows_come_back)
{
	open_for(10);
	ck_assert(!has(1));
	put(1);
	put(1);
	ck_assert(has(1));
	ck_assert(!has(2));
	ck_assert_uint_eq(stats().n_rows, 1);
	ck_assert_uint_eq(stats().n_evicted, 0);
}
END_TEST

START_TEST(what_was_not_asked_for_the_longest_goes_first)
{
	open_for(3);
	for (int i = 0; i < 3; i++)
		put(i);
	ck_assert(has(0));
	put(3);
	ck_assert(!has(1));
	ck_assert(has(0) && has(2) && has(3));
	put(4);
	ck_assert(!has(0));
	ck_assert_uint_eq(stats().n_evicted, 2);
	ck_assert_uint_eq(stats().n_rows, 3);
}
END_TEST

START_TEST(memory_stays_within_the_bound)
{
	open_for(100);
	for (int i = 0; i < 5000; i++)
		put(i);
	size_t bound = stats().n_bytes;

	ck_assert_uint_eq(stats().n_rows, 100);
	for (int i = 5000; i < 6000; i++)
		put(i);
	ck_assert_uint_eq(stats().n_bytes, bound);
	for (int i = 5900; i < 6000; i++)
		ck_assert(has(i));
}
END_TEST

START_TEST(too_little_memory_keeps_nothing)
{
	ck_assert_int_eq(embedding_cache_open(DIM, 8, &cache, NULL), STATUS_OK);
	put(1);
	ck_assert(!has(1));
	ck_assert_uint_eq(stats().n_rows, 0);
}
END_TEST

static void *use(void *context)
{
	int base = *(int *)context;

	for (int i = 0; i < 2000; i++) {
		put(base + i % 50);
		has(base + (i * 7) % 50);
	}
	return NULL;
}

START_TEST(many_threads_may_share_it)
{
	pthread_t threads[4];
	int base[4] = {0, 25, 50, 75};

	open_for(60);
	for (int t = 0; t < 4; t++)
		ck_assert_int_eq(pthread_create(&threads[t], NULL, use, &base[t]), 0);
	for (int t = 0; t < 4; t++)
		pthread_join(threads[t], NULL);
	ck_assert_uint_le(stats().n_rows, 60);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("embedding cache");
	TCase *tcase = tcase_create("cache");

	tcase_add_checked_fixture(tcase, NULL, close_cache);
	tcase_add_test(tcase, rows_come_back);
	tcase_add_test(tcase, what_was_not_asked_for_the_longest_goes_first);
	tcase_add_test(tcase, memory_stays_within_the_bound);
	tcase_add_test(tcase, too_little_memory_keeps_nothing);
	tcase_add_test(tcase, many_threads_may_share_it);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
