/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdint.h>

#include "server/budget.h"
#include "tests/unit/unit.h"

START_TEST(limit_is_held)
{
	struct budget budget = {.limit = 100};

	ck_assert(budget_take(&budget, 0, 60));
	ck_assert(!budget_take(&budget, 0, 41));
	ck_assert(budget_take(&budget, 0, 40));
	ck_assert(!budget_take(&budget, 0, 1));
	ck_assert(budget_take(&budget, 0, 0));
	budget_give_back(&budget, 60);
	ck_assert(budget_take(&budget, 0, 60));
	ck_assert(!budget_take(&budget, 0, UINT64_MAX));
}
END_TEST

START_TEST(one_alone_may_be_larger)
{
	struct budget budget = {.limit = 100};

	ck_assert(budget_take(&budget, 0, 1000));
	ck_assert(!budget_take(&budget, 0, 1));
	ck_assert(budget_take(&budget, 1000, 1));
	ck_assert(!budget_take(&budget, 1000, 1));
	budget_give_back(&budget, 1001);
	ck_assert(budget_take(&budget, 0, 1));
}
END_TEST

enum { N_THREADS = 4, N_TURNS = 100000 };

static struct budget shared = {.limit = 3};
static atomic_int n_inside, n_most;

static void *take_and_give(void *unused)
{
	(void)unused;
	for (int i = 0; i < N_TURNS; i++) {
		int n, most = atomic_load(&n_most);

		if (!budget_take(&shared, 0, 1))
			continue;
		n = atomic_fetch_add(&n_inside, 1) + 1;
		while (n > most && !atomic_compare_exchange_weak(&n_most, &most, n))
			;
		atomic_fetch_sub(&n_inside, 1);
		budget_give_back(&shared, 1);
	}
	return NULL;
}

START_TEST(threads_never_have_more_together)
{
	pthread_t threads[N_THREADS];

	for (int i = 0; i < N_THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, take_and_give, NULL), 0);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_ge(n_most, 1);
	ck_assert_int_le(n_most, 3);
	ck_assert_uint_eq(shared.used, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("budget");
	TCase *tc = tcase_create("budget");

	tcase_add_test(tc, limit_is_held);
	tcase_add_test(tc, one_alone_may_be_larger);
	tcase_add_test(tc, threads_never_have_more_together);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
