/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.h - threads that work through numbered tasks together. Which thread takes a
 * task is chance; tasks that write only what is theirs give the same bits with any
 * number of threads.
 */
#ifndef MICRO_BASE_POOL_H
#define MICRO_BASE_POOL_H

#include <stddef.h>

#include "core/base/err.h"

struct pool;

/**
 * pool_task_fn(context, task, thread, err): do task number task on thread number
 * thread < pool_n_threads(), which no other task uses at the time (for scratch).
 */
typedef enum status pool_task_fn(void *context, size_t task, size_t thread, struct err *err);

/**
 * pool_start(n_threads, pool_out, err): n_threads >= 1 with the calling one. pool_stop()
 * ends them. Errors: STATUS_NO_MEMORY, also for a thread too many.
 */
enum status pool_start(size_t n_threads, struct pool **pool_out, struct err *err);

/** pool_stop(pool): NULL does nothing. */
void pool_stop(struct pool *pool);

/** pool_n_threads(pool): with the calling one; 1 for NULL. */
size_t pool_n_threads(const struct pool *pool);

/**
 * pool_run(pool, n_tasks, run, context, err): run tasks 0 .. n_tasks - 1 and wait for
 * all. One thread at a time may call it; NULL runs them in the calling thread. All
 * tasks run even if some fail; the failure of the first of those is returned.
 */
enum status pool_run(struct pool *pool, size_t n_tasks, pool_task_fn *run, void *context,
		     struct err *err);

#endif
