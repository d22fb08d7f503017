/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_tasks.h - work of a lane that need not be done at once: what is quickly answered does not
 * wait for a row of what takes its time.
 */
#ifndef MICRO_SERVER_HTTP_TASKS_H
#define MICRO_SERVER_HTTP_TASKS_H

/* The caller's, until it is run. */
struct http_task {
	void (*run)(void *context);
	void *context;
	struct http_task *prev, *next; /* the list's */
};

/* Of one thread; zeroed: none. */
struct http_tasks {
	struct http_task *first;
	double ran_until; /* clock_monotonic() */
};

/** http_tasks_add(tasks, task): behind the others. */
void http_tasks_add(struct http_tasks *tasks, struct http_task *task);

/**
 * http_tasks_run(tasks, since, now): the first ones; one at least, so that none waits for ever, and
 * for an eighth of the time that has gone since the last run, or since then, at least, so that they
 * cannot pile up. *now is the time after it, and what it was if there is none.
 */
void http_tasks_run(struct http_tasks *tasks, double since, double *now);

#endif
