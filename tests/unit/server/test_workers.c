/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "server/workers.h"
#include "tests/unit/unit.h"

#define N_JOBS 200

static struct workers *workers;
static atomic_int n_run;
static atomic_bool gate; /* jobs that wait go on */

static void count(void *context)
{
	(void)context;
	atomic_fetch_add(&n_run, 1);
}

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void wait_at_gate(void *context)
{
	while (!atomic_load(&gate))
		nap();
	count(context);
}

static void wait_for_busy(size_t n)
{
	struct workers_stats stats;

	do {
		nap();
		workers_stats(workers, &stats);
	} while (stats.busy != n);
}

static void start(size_t n_threads, size_t capacity)
{
	ck_assert_int_eq(workers_start(n_threads, capacity, &workers, NULL), STATUS_OK);
}

START_TEST(every_job_is_run_once)
{
	struct workers_job jobs[N_JOBS];

	start(3, N_JOBS);
	for (size_t i = 0; i < N_JOBS; i++) {
		jobs[i] = (struct workers_job){.run = count};
		ck_assert_int_eq(workers_submit(workers, &jobs[i], NULL), STATUS_OK);
	}
	workers_stop(workers);
	ck_assert_int_eq(atomic_load(&n_run), N_JOBS);
}
END_TEST

START_TEST(full_queue_refuses_and_says_so)
{
	struct workers_job busy = {.run = wait_at_gate},
			   queued[2] = {{.run = count}, {.run = count}};
	struct workers_job refused = {.run = count};
	struct workers_stats stats;
	struct err err;

	start(1, 2);
	ck_assert_int_eq(workers_submit(workers, &busy, NULL), STATUS_OK);
	wait_for_busy(1);
	ck_assert_int_eq(workers_submit(workers, &queued[0], NULL), STATUS_OK);
	ck_assert_int_eq(workers_submit(workers, &queued[1], NULL), STATUS_OK);
	ck_assert_int_eq(workers_submit(workers, &refused, &err), STATUS_OVERLOADED);
	ck_assert_str_eq(err.msg, "2 requests are waiting for the encoder, the queue is full: try "
				  "again later");
	workers_stats(workers, &stats);
	ck_assert_uint_eq(stats.queued, 2);
	ck_assert_uint_eq(stats.capacity, 2);
	ck_assert_uint_eq(stats.busy, 1);
	atomic_store(&gate, true);
	workers_stop(workers);
	ck_assert_int_eq(atomic_load(&n_run), 3);
}
END_TEST

START_TEST(as_many_run_at_once_as_there_are_threads)
{
	struct workers_job jobs[6];

	start(4, 10);
	for (size_t i = 0; i < LENGTH(jobs); i++) {
		jobs[i] = (struct workers_job){.run = wait_at_gate};
		ck_assert_int_eq(workers_submit(workers, &jobs[i], NULL), STATUS_OK);
	}
	wait_for_busy(4);
	atomic_store(&gate, true);
	workers_stop(workers);
	ck_assert_int_eq(atomic_load(&n_run), 6);
}
END_TEST

static void note_thread(void *context)
{
	*(pthread_t *)context = pthread_self();
	count(NULL);
}

/* Its memory is in the caches, and the others sleep. */
START_TEST(who_worked_last_works_next)
{
	struct workers_job jobs[4];
	pthread_t before, now;

	start(4, 10);
	for (size_t i = 0; i < LENGTH(jobs); i++) {
		jobs[i] = (struct workers_job){.run = wait_at_gate};
		ck_assert_int_eq(workers_submit(workers, &jobs[i], NULL), STATUS_OK);
	}
	wait_for_busy(4);
	atomic_store(&gate, true);
	wait_for_busy(0);
	for (int i = 0; i < 20; i++) {
		struct workers_job job = {.run = note_thread, .context = &now};

		ck_assert_int_eq(workers_submit(workers, &job, NULL), STATUS_OK);
		while (atomic_load(&n_run) != 4 + i + 1)
			nap();
		wait_for_busy(0);
		ck_assert(i == 0 || pthread_equal(now, before));
		before = now;
	}
	workers_stop(workers);
}
END_TEST

/* ---- places without a thread ---- */

START_TEST(place_keeps_others_in_the_queue_until_it_is_left)
{
	struct workers_job jobs[2] = {{.run = count}, {.run = count}};
	struct workers_stats stats;

	start(2, 1);
	ck_assert(workers_enter(workers));
	ck_assert(workers_enter(workers));
	ck_assert(!workers_enter(workers));
	ck_assert_int_eq(workers_submit(workers, &jobs[0], NULL), STATUS_OK);
	ck_assert_int_eq(workers_submit(workers, &jobs[1], NULL), STATUS_OVERLOADED);
	workers_stats(workers, &stats);
	ck_assert_uint_eq(stats.busy, 2);
	ck_assert_uint_eq(stats.queued, 1);
	ck_assert_int_eq(atomic_load(&n_run), 0);
	workers_leave(workers);
	while (atomic_load(&n_run) == 0)
		nap();
	wait_for_busy(1);
	ck_assert(workers_enter(workers));
	workers_leave(workers);
	workers_leave(workers);
	wait_for_busy(0);
	workers_stop(workers);
}
END_TEST

START_TEST(who_is_in_the_queue_comes_before_who_enters)
{
	struct workers_job jobs[2] = {{.run = wait_at_gate}, {.run = wait_at_gate}};

	start(1, 2);
	ck_assert_int_eq(workers_submit(workers, &jobs[0], NULL), STATUS_OK);
	ck_assert_int_eq(workers_submit(workers, &jobs[1], NULL), STATUS_OK);
	wait_for_busy(1);
	ck_assert(!workers_enter(workers));
	atomic_store(&gate, true);
	wait_for_busy(0);
	ck_assert_int_eq(atomic_load(&n_run), 2);
	ck_assert(workers_enter(workers));
	workers_leave(workers);
	workers_stop(workers);
}
END_TEST

static atomic_int order; /* of the jobs, a digit each */

static void note_one(void *context)
{
	(void)context;
	atomic_store(&order, atomic_load(&order) * 10 + 1);
}

static void note_two(void *context)
{
	(void)context;
	atomic_store(&order, atomic_load(&order) * 10 + 2);
}

START_TEST(thread_is_there_for_who_has_a_place)
{
	struct workers_job queued = {.run = note_two}, mine = {.run = note_one};

	start(1, 1);
	ck_assert(workers_enter(workers));
	ck_assert_int_eq(workers_submit(workers, &queued, NULL), STATUS_OK);
	workers_take_over(workers, &mine);
	workers_stop(workers);
	ck_assert_int_eq(atomic_load(&order), 12);
}
END_TEST

START_TEST(thread_for_a_place_is_no_room_in_the_queue)
{
	struct workers_job queued = {.run = count}, refused = {.run = count};
	struct workers_job mine[3] = {
	    {.run = wait_at_gate}, {.run = wait_at_gate}, {.run = wait_at_gate}};
	struct workers_stats stats;

	start(3, 1);
	for (size_t i = 0; i < 3; i++)
		ck_assert(workers_enter(workers));
	ck_assert_int_eq(workers_submit(workers, &queued, NULL), STATUS_OK);
	for (size_t i = 0; i < 3; i++) {
		workers_take_over(workers, &mine[i]);
		ck_assert_int_eq(workers_submit(workers, &refused, NULL), STATUS_OVERLOADED);
		workers_stats(workers, &stats);
		ck_assert_uint_eq(stats.queued, 1);
		ck_assert_uint_eq(stats.busy, 3);
	}
	atomic_store(&gate, true);
	workers_stop(workers);
	ck_assert_int_eq(atomic_load(&n_run), 4);
}
END_TEST

START_TEST(nothing_is_allowed)
{
	struct workers_stats stats;

	workers_stats(NULL, &stats);
	ck_assert_uint_eq(stats.capacity, 0);
	workers_stop(NULL);
	start(2, 1);
	workers_stop(workers);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("workers");
	TCase *tcase = tcase_create("workers");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, every_job_is_run_once);
	tcase_add_test(tcase, full_queue_refuses_and_says_so);
	tcase_add_test(tcase, as_many_run_at_once_as_there_are_threads);
	tcase_add_test(tcase, who_worked_last_works_next);
	tcase_add_test(tcase, place_keeps_others_in_the_queue_until_it_is_left);
	tcase_add_test(tcase, who_is_in_the_queue_comes_before_who_enters);
	tcase_add_test(tcase, thread_is_there_for_who_has_a_place);
	tcase_add_test(tcase, thread_for_a_place_is_no_room_in_the_queue);
	tcase_add_test(tcase, nothing_is_allowed);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
