/* SPDX-License-Identifier: Apache-2.0 */
#include "server/process.h"

#include <check.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/resource.h>

#include "tests/unit/unit.h"

/* ---- threads that wait ---- */

static sem_t end;

static void *wait_for_end(void *context)
{
	sem_wait(&end);
	return context;
}

static pthread_t start(void)
{
	pthread_t thread;

	ck_assert_int_eq(sem_init(&end, 0, 0), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_end, NULL), 0);
	return thread;
}

static void stop(pthread_t thread)
{
	sem_post(&end);
	pthread_join(thread, NULL);
	sem_destroy(&end);
}

static cpu_set_t cpus_of(pthread_t thread)
{
	cpu_set_t cpus;

	ck_assert_int_eq(pthread_getaffinity_np(thread, sizeof(cpus), &cpus), 0);
	return cpus;
}

/* ---- bind ---- */

START_TEST(each_of_as_many_threads_as_processors_gets_one_of_its_own)
{
	const cpu_set_t all = cpus_of(pthread_self());
	size_t n = (size_t)CPU_COUNT(&all);
	cpu_set_t given;

	CPU_ZERO(&given);
	for (size_t i = 0; i < n; i++) {
		pthread_t thread = start();
		cpu_set_t one;

		process_bind(thread, i, n);
		one = cpus_of(thread);
		stop(thread);
		ck_assert_int_eq(CPU_COUNT(&one), 1);
		CPU_OR(&given, &given, &one);
	}
	ck_assert(CPU_EQUAL(&given, &all));
}
END_TEST

START_TEST(fewer_or_more_threads_than_processors_run_anywhere)
{
	const cpu_set_t all = cpus_of(pthread_self());
	size_t n = (size_t)CPU_COUNT(&all);
	pthread_t thread = start();
	cpu_set_t still;

	process_bind(thread, 0, n - 1);
	process_bind(thread, 0, n + 1);
	still = cpus_of(thread);
	stop(thread);
	ck_assert(CPU_EQUAL(&still, &all));
}
END_TEST

/* ---- give way ---- */

static void *give_way(void *niceness_out)
{
	process_give_way(19);
	*(int *)niceness_out = getpriority(PRIO_PROCESS, 0);
	return NULL;
}

START_TEST(thread_alone_gives_way)
{
	int before = getpriority(PRIO_PROCESS, 0), niceness = 0;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, give_way, &niceness), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(niceness, 19);
	ck_assert_int_eq(getpriority(PRIO_PROCESS, 0), before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("process");
	TCase *bind = tcase_create("bind"), *priority = tcase_create("give_way");

	tcase_add_test(bind, each_of_as_many_threads_as_processors_gets_one_of_its_own);
	tcase_add_test(bind, fewer_or_more_threads_than_processors_run_anywhere);
	tcase_add_test(priority, thread_alone_gives_way);
	suite_add_tcase(suite, bind);
	suite_add_tcase(suite, priority);
	return unit_run(suite);
}
