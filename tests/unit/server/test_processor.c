/* SPDX-License-Identifier: Apache-2.0 */
/* test_processor.c - where a thread may run, and when it is let go */
#include "server/processor.h"

#include <stdio.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define NOW 100.0 /* seconds */

static cpu_set_t all;
static struct processor processor;

static cpu_set_t allowed(void)
{
	cpu_set_t cpus;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	return cpus;
}

static void set_up(void)
{
	all = allowed();
}

static void tear_down(void)
{
	processor_leave(&processor);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(all), &all), 0);
}

static size_t n_processors(void)
{
	return (size_t)CPU_COUNT(&all);
}

static bool is_free(void)
{
	const cpu_set_t now = allowed();

	return CPU_EQUAL(&now, &all);
}

START_TEST(each_of_as_many_threads_as_processors_gets_one_of_its_own)
{
	cpu_set_t given;

	CPU_ZERO(&given);
	for (size_t i = 0; i < n_processors(); i++) {
		cpu_set_t one;

		processor_take(&processor, i, n_processors(), NOW);
		one = allowed();
		ck_assert_int_eq(CPU_COUNT(&one), 1);
		CPU_OR(&given, &given, &one);
		processor_leave(&processor);
		ck_assert_int_eq(sched_setaffinity(0, sizeof(all), &all), 0);
	}
	ck_assert(CPU_EQUAL(&given, &all));
}
END_TEST

START_TEST(fewer_or_more_threads_than_processors_run_anywhere)
{
	processor_take(&processor, 0, n_processors() - 1, NOW);
	ck_assert(is_free());
	processor_check(&processor, NOW + 100);
	ck_assert(is_free());
	processor_leave(&processor);
	processor_take(&processor, 0, n_processors() + 1, NOW);
	ck_assert(is_free());
}
END_TEST

/* The kernel's words, from here on ours. */
static FILE *told;

static void tell(double ran, double waited)
{
	rewind(told);
	fprintf(told, "%.0f %.0f 1\n", ran * 1e9, waited * 1e9);
	ck_assert_int_eq(fflush(told), 0);
	ck_assert_int_eq(ftruncate(fileno(told), ftell(told)), 0);
}

static void take_one(void)
{
	told = tmpfile();
	ck_assert_ptr_nonnull(told);
	processor_take(&processor, 0, n_processors(), NOW);
	ck_assert(processor.is_bound);
	close(processor.schedstat);
	processor.schedstat = dup(fileno(told));
	processor.ran = processor.waited = 0;
}

START_TEST(thread_stays_while_it_waits_little)
{
	static const struct {
		double ran, waited; /* seconds each second */
	} cases[] = {
	    {0.5, 0.5},	   /* no longer than it runs */
	    {0.001, 0.02}, /* many times that, which is still nothing */
	};
	int second = 0;
	double ran = 0, waited = 0;

	take_one();
	for (size_t i = 0; i < 100 * LENGTH(cases); i++) {
		ran += cases[i / 100].ran;
		waited += cases[i / 100].waited;
		tell(ran, waited);
		processor_check(&processor, NOW + ++second);
		ck_assert(processor.is_bound);
	}
	fclose(told);
}
END_TEST

START_TEST(thread_that_waits_long_is_let_go_for_a_minute)
{
	take_one();
	tell(0.01, 0.3);
	processor_check(&processor, NOW + 0.5); /* too early to look */
	ck_assert(processor.is_bound);
	processor_check(&processor, NOW + 1);
	ck_assert(!processor.is_bound);
	ck_assert(is_free());
	for (int i = 2; i <= 60; i++) {
		tell(0.01 + 0.1 * i, 0.3);
		processor_check(&processor, NOW + i);
		ck_assert(is_free());
	}
	processor_check(&processor, NOW + 61);
	ck_assert(processor.is_bound);
	ck_assert_int_eq(is_free(), n_processors() == 1);
	/* what it waited before does not count again */
	processor_check(&processor, NOW + 62);
	ck_assert(processor.is_bound);
	fclose(told);
}
END_TEST

START_TEST(kernel_that_tells_no_more_changes_nothing)
{
	take_one();
	processor_check(&processor, NOW + 1);
	ck_assert(processor.is_bound);
	fclose(told);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("processor");
	TCase *tcase = tcase_create("processor");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, each_of_as_many_threads_as_processors_gets_one_of_its_own);
	tcase_add_test(tcase, fewer_or_more_threads_than_processors_run_anywhere);
	tcase_add_test(tcase, thread_stays_while_it_waits_little);
	tcase_add_test(tcase, thread_that_waits_long_is_let_go_for_a_minute);
	tcase_add_test(tcase, kernel_that_tells_no_more_changes_nothing);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
