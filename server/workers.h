/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workers.h - places and threads for what waits: requests whose texts a server encodes. As many at
 * once as there are threads, a bounded number in a queue, and no more. A place may be held without
 * a thread, while there is nothing to do but to wait.
 */
#ifndef MICRO_SERVER_WORKERS_H
#define MICRO_SERVER_WORKERS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"

struct workers; /* opaque */

/* The submitter's; lives until run is called. */
struct workers_job {
	void (*run)(void *context); /* on a worker's thread; may free the job */
	void *context;
	struct workers_job *next; /* the workers' */
};

struct workers_stats {
	size_t queued; /* jobs waiting for a place now */
	size_t capacity;
	size_t busy; /* places taken: jobs being run, and those that need no thread yet */
};

/** workers_start(n_threads, capacity, workers_out, err): Error: STATUS_NO_MEMORY. */
enum status workers_start(size_t n_threads, size_t capacity, struct workers **workers_out,
			  struct err *err);

/**
 * workers_submit(workers, job, err): never blocks. STATUS_OVERLOADED when the queue is full: the
 * job is not run then.
 */
enum status workers_submit(struct workers *workers, struct workers_job *job, struct err *err);

/** workers_enter(workers): take a place without a thread; false: none is free, or others are in the
 * queue. It ends with workers_leave() or workers_take_over(). */
bool workers_enter(struct workers *workers);

/** workers_leave(workers): the place is free. */
void workers_leave(struct workers *workers);

/** workers_take_over(workers, job): a thread is needed in the place; before what is queued.
 */
void workers_take_over(struct workers *workers, struct workers_job *job);

/** workers_stats(workers, stats_out): as of now; all zero for NULL. */
void workers_stats(struct workers *workers, struct workers_stats *stats_out);

/** workers_stop(workers): run what is queued, end the threads, free; NULL does nothing. Nobody
 * submits or enters any more, and no place is held without a thread. */
void workers_stop(struct workers *workers);

#endif
