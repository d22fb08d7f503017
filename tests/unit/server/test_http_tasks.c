/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_tasks.c - how much of what was put off is done at once */
#include "server/http_tasks.h"

#include "server/clock.h"
#include "tests/unit/unit.h"

#define LONG_AGO   (-1e6)
#define FAR_AHEAD  1e6 /* as a time since when: no time has gone */
#define TAKES_TIME 1e-3

/* Each notes its number. */
static struct {
	struct http_task task;
	int number;
} jobs[4];
static int order[LENGTH(jobs)];
static size_t n_run;
static struct http_tasks tasks;

static void note(void *context)
{
	order[n_run++] = *(const int *)context;
}

static void note_slowly(void *context)
{
	double end = clock_monotonic() + TAKES_TIME;

	note(context);
	while (clock_monotonic() < end)
		;
}

static void add_all(void (*run)(void *context))
{
	tasks = (struct http_tasks){0};
	n_run = 0;
	for (int i = 0; i < (int)LENGTH(jobs); i++) {
		jobs[i].number = i;
		jobs[i].task = (struct http_task){.run = run, .context = &jobs[i].number};
		http_tasks_add(&tasks, &jobs[i].task);
	}
}

START_TEST(nothing_to_do_leaves_the_time)
{
	double now = 5;

	tasks = (struct http_tasks){0};
	http_tasks_run(&tasks, LONG_AGO, &now);
	ck_assert_double_eq(now, 5);
}
END_TEST

START_TEST(all_that_there_is_time_for_are_run_in_order)
{
	const int n = LENGTH(jobs);
	double before = clock_monotonic(), now = 0;

	add_all(note_slowly);
	http_tasks_run(&tasks, LONG_AGO, &now);
	ck_assert_uint_eq(n_run, n);
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(order[i], i);
	ck_assert_ptr_null(tasks.first);
	ck_assert_double_ge(now, before + n * TAKES_TIME);
}
END_TEST

START_TEST(one_is_run_when_there_is_time_for_none)
{
	double now = 0;

	add_all(note_slowly);
	for (size_t i = 1; i <= LENGTH(jobs); i++) {
		http_tasks_run(&tasks, FAR_AHEAD, &now);
		ck_assert_uint_eq(n_run, i);
		ck_assert_int_eq(order[i - 1], (int)i - 1);
	}
}
END_TEST

START_TEST(time_before_the_last_run_does_not_count)
{
	double now = 0;

	add_all(note_slowly);
	tasks.ran_until = FAR_AHEAD;
	http_tasks_run(&tasks, LONG_AGO, &now);
	ck_assert_uint_eq(n_run, 1);
	ck_assert_double_eq(tasks.ran_until, now);
}
END_TEST

static void note_and_add_the_next(void *context)
{
	const int *number = context;

	note(context);
	if (*number + 1 < (int)LENGTH(jobs))
		http_tasks_add(&tasks, &jobs[*number + 1].task);
}

START_TEST(task_may_add_another)
{
	double now = 0;

	add_all(note_and_add_the_next);
	tasks.first = NULL;
	http_tasks_add(&tasks, &jobs[0].task);
	http_tasks_run(&tasks, LONG_AGO, &now);
	ck_assert_uint_eq(n_run, LENGTH(jobs));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_tasks");
	TCase *tcase = tcase_create("http_tasks");

	tcase_add_test(tcase, nothing_to_do_leaves_the_time);
	tcase_add_test(tcase, all_that_there_is_time_for_are_run_in_order);
	tcase_add_test(tcase, one_is_run_when_there_is_time_for_none);
	tcase_add_test(tcase, time_before_the_last_run_does_not_count);
	tcase_add_test(tcase, task_may_add_another);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
