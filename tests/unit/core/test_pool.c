/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>
#include <stdio.h>

#include "core/base/pool.h"
#include "tests/unit/unit.h"

#define MAX_TASKS   100
#define MAX_THREADS 5

struct record {
	size_t n_threads;
	atomic_int runs[MAX_TASKS];
	atomic_int is_on[MAX_THREADS]; /* tasks on this thread right now */
	size_t fails_from;	       /* tasks from here on fail */
};

static enum status run_task(void *context, size_t task, size_t thread, struct err *err)
{
	struct record *r = context;

	ck_assert_uint_lt(thread, r->n_threads);
	ck_assert_int_eq(atomic_fetch_add(&r->is_on[thread], 1), 0);
	atomic_fetch_add(&r->runs[task], 1);
	atomic_fetch_sub(&r->is_on[thread], 1);
	if (task >= r->fails_from)
		return err_set(err, STATUS_IO, "task %zu", task);
	return STATUS_OK;
}

static struct pool *start(size_t n_threads)
{
	struct pool *pool;

	ck_assert_int_eq(pool_start(n_threads, &pool, NULL), STATUS_OK);
	ck_assert_uint_eq(pool_n_threads(pool), n_threads);
	return pool;
}

START_TEST(each_task_runs_once_in_every_round)
{
	size_t n_threads = (size_t)_i;
	struct pool *pool = n_threads == 0 ? NULL : start(n_threads);

	for (size_t round = 0; round < 300; round++) {
		struct record r = {.n_threads = n_threads == 0 ? 1 : n_threads,
				   .fails_from = MAX_TASKS};
		size_t n_tasks = round % (MAX_TASKS + 1);

		ck_assert_int_eq(pool_run(pool, n_tasks, run_task, &r, NULL), STATUS_OK);
		for (size_t i = 0; i < MAX_TASKS; i++)
			ck_assert_msg(r.runs[i] == (i < n_tasks), "round %zu, task %zu: %d runs",
				      round, i, r.runs[i]);
	}
	pool_stop(pool);
}
END_TEST

START_TEST(first_failing_task_is_reported_after_all_have_run)
{
	size_t n_threads = (size_t)_i;
	struct pool *pool = start(n_threads);

	for (size_t first = 0; first < MAX_TASKS; first += 9) {
		struct record r = {.n_threads = n_threads, .fails_from = first};
		struct err err;
		char want[32];

		snprintf(want, sizeof(want), "task %zu", first);
		ck_assert_int_eq(pool_run(pool, MAX_TASKS, run_task, &r, &err), STATUS_IO);
		ck_assert_str_eq(err.msg, want);
		for (size_t i = 0; i < MAX_TASKS; i++)
			ck_assert_int_eq(r.runs[i], 1);
		ck_assert_int_eq(pool_run(pool, MAX_TASKS, run_task, &r, NULL), STATUS_IO);
	}
	pool_stop(pool);
}
END_TEST

START_TEST(stops_without_a_round)
{
	pool_stop(NULL);
	pool_stop(start(1));
	pool_stop(start(4));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pool");
	TCase *tcase = tcase_create("pool");

	tcase_add_loop_test(tcase, each_task_runs_once_in_every_round, 0, MAX_THREADS);
	tcase_add_loop_test(tcase, first_failing_task_is_reported_after_all_have_run, 1,
			    MAX_THREADS);
	tcase_add_test(tcase, stops_without_a_round);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
