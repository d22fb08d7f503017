/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "server/random.h"
#include "tests/unit/unit.h"

#define ID_LEN	  16
#define N_IDS	  2000
#define N_THREADS 4

static unsigned char ids[N_THREADS][N_IDS][ID_LEN];

static void *make_ids(void *context)
{
	unsigned char(*own)[ID_LEN] = context;

	for (size_t i = 0; i < N_IDS; i++)
		random_bytes(own[i], ID_LEN);
	return NULL;
}

static int compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, ID_LEN);
}

START_TEST(no_bytes_are_given_out_twice)
{
	pthread_t threads[N_THREADS];
	unsigned char(*all)[ID_LEN] = ids[0];

	for (size_t t = 0; t < N_THREADS; t++)
		ck_assert_int_eq(pthread_create(&threads[t], NULL, make_ids, ids[t]), 0);
	for (size_t t = 0; t < N_THREADS; t++)
		pthread_join(threads[t], NULL);
	qsort(all, N_THREADS * N_IDS, ID_LEN, compare_ids);
	for (size_t i = 1; i < N_THREADS * N_IDS; i++)
		ck_assert_int_ne(memcmp(all[i - 1], all[i], ID_LEN), 0);
}
END_TEST

/* Lengths that do and do not fit into what is left of a page, or into none. */
START_TEST(every_byte_is_drawn)
{
	static const size_t lengths[] = {1, 7, 16, 1000, 1023, 1024, 1025, 3000};
	static unsigned char out[3000 + 1];

	for (size_t i = 0; i < LENGTH(lengths); i++) {
		bool drawn[3000] = {false};

		for (size_t turn = 0; turn < 20; turn++) {
			memset(out, 0, sizeof(out));
			random_bytes(out, lengths[i]);
			ck_assert_uint_eq(out[lengths[i]], 0);
			for (size_t n = 0; n < lengths[i]; n++)
				drawn[n] = drawn[n] || out[n] != 0;
		}
		for (size_t n = 0; n < lengths[i]; n++)
			ck_assert_msg(drawn[n], "byte %zu of %zu is always 0", n, lengths[i]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("random");
	TCase *tcase = tcase_create("random");

	if (sodium_init() < 0)
		abort();
	tcase_add_test(tcase, no_bytes_are_given_out_twice);
	tcase_add_test(tcase, every_byte_is_drawn);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
