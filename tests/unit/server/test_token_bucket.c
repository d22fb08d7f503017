/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "server/token_bucket.h"
#include "tests/unit/unit.h"

#define S  1000000000LL
#define MS 1000000LL

START_TEST(burst_passes_then_one_each_interval)
{
	const struct token_rate rate = token_rate_of(10, 3);
	struct token_bucket bucket = {0};
	int64_t now = 1000 * S, wait;

	for (int i = 0; i < 3; i++)
		ck_assert(token_take(&bucket, &rate, now, &wait));
	ck_assert(!token_take(&bucket, &rate, now, &wait));
	ck_assert_int_eq(wait, 100 * MS);
	ck_assert(!token_take(&bucket, &rate, now + 99 * MS, &wait));
	ck_assert_int_eq(wait, MS);
	ck_assert(token_take(&bucket, &rate, now + 100 * MS, &wait));
	ck_assert_int_eq(wait, 0);
	ck_assert(!token_take(&bucket, &rate, now + 100 * MS, &wait));
}
END_TEST

START_TEST(refusals_cost_nothing)
{
	const struct token_rate rate = token_rate_of(1, 1);
	struct token_bucket bucket = {0};
	int64_t wait;

	ck_assert(token_take(&bucket, &rate, S, &wait));
	for (int i = 0; i < 1000; i++)
		ck_assert(!token_take(&bucket, &rate, S, &wait));
	ck_assert_int_eq(wait, S);
	ck_assert(token_take(&bucket, &rate, 2 * S, &wait));
}
END_TEST

START_TEST(long_rest_fills_the_bucket_and_no_more)
{
	const struct token_rate rate = token_rate_of(1000, 5);
	struct token_bucket bucket = {0};
	int passed = 0;
	int64_t wait;

	ck_assert(token_take(&bucket, &rate, S, &wait));
	while (token_take(&bucket, &rate, 1000000 * S, &wait))
		passed++;
	ck_assert_int_eq(passed, 5);
}
END_TEST

START_TEST(clock_that_steps_back_neither_opens_nor_locks)
{
	const struct token_rate rate = token_rate_of(10, 1);
	struct token_bucket bucket = {0};
	int64_t wait;

	ck_assert(token_take(&bucket, &rate, 100 * S, &wait));
	ck_assert(!token_take(&bucket, &rate, 100 * S - 1000, &wait));
	ck_assert_int_eq(wait, 100 * MS + 1000);
}
END_TEST

START_TEST(slowest_and_fastest_rates_hold)
{
	const struct token_rate slow = token_rate_of(1e-6, 1e6), fast = token_rate_of(1e6, 1e6);
	struct token_bucket of_slow = {0}, of_fast = {0};
	int n_passed = 0;
	int64_t wait;

	ck_assert(token_take(&of_slow, &slow, S, &wait));
	while (token_take(&of_fast, &fast, S, &wait))
		n_passed++;
	ck_assert_int_eq(n_passed, 1000000);
	ck_assert_int_eq(wait, 1000);
}
END_TEST

static struct token_bucket shared;
static const struct token_rate *shared_rate;

static void *take_many(void *context)
{
	size_t *n_passed = context;
	int64_t wait;

	for (int i = 0; i < 20000; i++)
		*n_passed += token_take(&shared, shared_rate, S, &wait);
	return NULL;
}

START_TEST(threads_share_the_tokens_exactly)
{
	const struct token_rate rate = token_rate_of(10, 10000);
	size_t n_passed[4] = {0};
	pthread_t threads[4];

	shared_rate = &rate;
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, take_many, &n_passed[i]), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(n_passed[0] + n_passed[1] + n_passed[2] + n_passed[3], 10000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("token_bucket");
	TCase *tcase = tcase_create("token_bucket");

	tcase_add_test(tcase, burst_passes_then_one_each_interval);
	tcase_add_test(tcase, refusals_cost_nothing);
	tcase_add_test(tcase, long_rest_fills_the_bucket_and_no_more);
	tcase_add_test(tcase, clock_that_steps_back_neither_opens_nor_locks);
	tcase_add_test(tcase, slowest_and_fastest_rates_hold);
	tcase_add_test(tcase, threads_share_the_tokens_exactly);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
