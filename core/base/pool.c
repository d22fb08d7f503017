/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/pool.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/mem.h"

/*
 * Looks at a change before sleeping until it: rounds of training are shorter than
 * the way into sleep and out of it. Each look gives the core to whoever else wants it.
 */
#define LOOKS 2000

struct worker {
	struct pool *pool;
	size_t number; /* 1.. */
	pthread_t thread;
};

struct pool {
	size_t n_threads;
	struct worker *workers; /* [n_threads - 1], [n_started] of them run */
	size_t n_started;

	/* the round at hand: set before round changes, not changed until n_busy is 0 */
	pool_task_fn *run;
	void *context;
	size_t n_tasks;
	bool is_ending;

	atomic_size_t next_task;
	atomic_ulong round;   /* changes under lock */
	atomic_size_t n_busy; /* workers that have not finished the round */

	pthread_mutex_t lock;	    /* guards what follows, and sleeping */
	pthread_cond_t round_began; /* round has changed */
	pthread_cond_t round_ended; /* n_busy is 0 */
	size_t failed_task;	    /* the first of those that failed, or n_tasks */
	enum status status;	    /* its failure */
	struct err err;
};

static void keep_failure(struct pool *pool, size_t task, enum status status, const struct err *err)
{
	pthread_mutex_lock(&pool->lock);
	if (task < pool->failed_task) {
		pool->failed_task = task;
		pool->status = status;
		pool->err = *err;
	}
	pthread_mutex_unlock(&pool->lock);
}

static void work(struct pool *pool, size_t thread)
{
	size_t task;

	while ((task = atomic_fetch_add(&pool->next_task, 1)) < pool->n_tasks) {
		struct err err;
		enum status status = pool->run(pool->context, task, thread, &err);

		if (status != STATUS_OK)
			keep_failure(pool, task, status, &err);
	}
}

static void await_round(struct pool *pool, unsigned long seen)
{
	for (int i = 0; i < LOOKS && atomic_load(&pool->round) == seen; i++)
		sched_yield();
	pthread_mutex_lock(&pool->lock);
	while (atomic_load(&pool->round) == seen)
		pthread_cond_wait(&pool->round_began, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
}

static void *worker_main(void *argument)
{
	struct worker *worker = argument;
	struct pool *pool = worker->pool;

	for (unsigned long seen = 0;; seen++) {
		await_round(pool, seen);
		if (pool->is_ending)
			return NULL;
		work(pool, worker->number);
		if (atomic_fetch_sub(&pool->n_busy, 1) > 1)
			continue;
		pthread_mutex_lock(&pool->lock);
		pthread_cond_signal(&pool->round_ended);
		pthread_mutex_unlock(&pool->lock);
	}
}

static void begin_round(struct pool *pool)
{
	atomic_store(&pool->next_task, 0);
	atomic_store(&pool->n_busy, pool->n_started);
	pthread_mutex_lock(&pool->lock);
	atomic_fetch_add(&pool->round, 1);
	pthread_cond_broadcast(&pool->round_began);
	pthread_mutex_unlock(&pool->lock);
}

static void await_end(struct pool *pool)
{
	for (int i = 0; i < LOOKS && atomic_load(&pool->n_busy) > 0; i++)
		sched_yield();
	pthread_mutex_lock(&pool->lock);
	while (atomic_load(&pool->n_busy) > 0)
		pthread_cond_wait(&pool->round_ended, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
}

enum status pool_start(size_t n_threads, struct pool **pool_out, struct err *err)
{
	struct pool *pool = mem_array(1, sizeof(*pool));

	assert(n_threads >= 1);
	if (pool == NULL)
		return err_no_memory(err, "threads");
	pool->n_threads = n_threads;
	pool->workers = mem_array(n_threads - 1, sizeof(*pool->workers));
	if (pool->workers == NULL) {
		mem_free(pool);
		return err_no_memory(err, "threads");
	}
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->round_began, NULL);
	pthread_cond_init(&pool->round_ended, NULL);
	for (size_t i = 0; i < n_threads - 1; i++) {
		struct worker *worker = &pool->workers[i];
		int failure;

		*worker = (struct worker){.pool = pool, .number = i + 1};
		failure = pthread_create(&worker->thread, NULL, worker_main, worker);
		if (failure != 0) {
			pool_stop(pool);
			errno = failure;
			err_errno(err, STATUS_NO_MEMORY, "start");
			err_wrap(err, "thread %zu of %zu", i + 2, n_threads);
			return STATUS_NO_MEMORY;
		}
		pool->n_started++;
	}
	*pool_out = pool;
	return STATUS_OK;
}

void pool_stop(struct pool *pool)
{
	if (pool == NULL)
		return;
	pool->is_ending = true;
	begin_round(pool);
	for (size_t i = 0; i < pool->n_started; i++)
		pthread_join(pool->workers[i].thread, NULL);
	pthread_cond_destroy(&pool->round_ended);
	pthread_cond_destroy(&pool->round_began);
	pthread_mutex_destroy(&pool->lock);
	mem_free(pool->workers);
	mem_free(pool);
}

size_t pool_n_threads(const struct pool *pool)
{
	return pool == NULL ? 1 : pool->n_threads;
}

static enum status run_alone(size_t n_tasks, pool_task_fn *run, void *context, struct err *err)
{
	enum status first = STATUS_OK;

	for (size_t task = 0; task < n_tasks; task++) {
		enum status status = run(context, task, 0, first == STATUS_OK ? err : NULL);

		if (first == STATUS_OK)
			first = status;
	}
	return first;
}

enum status pool_run(struct pool *pool, size_t n_tasks, pool_task_fn *run, void *context,
		     struct err *err)
{
	if (pool == NULL || pool->n_threads == 1)
		return run_alone(n_tasks, run, context, err);
	pool->run = run;
	pool->context = context;
	pool->n_tasks = n_tasks;
	pool->failed_task = n_tasks;
	pool->status = STATUS_OK;
	begin_round(pool);
	work(pool, 0);
	await_end(pool);
	if (pool->status != STATUS_OK && err != NULL)
		*err = pool->err;
	return pool->status;
}
