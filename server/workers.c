/* SPDX-License-Identifier: Apache-2.0 */
#include "server/workers.h"

#include <pthread.h>

#include "core/base/mem.h"

struct worker {
	struct workers *workers;
	pthread_t thread;
	pthread_cond_t wakeup; /* called is set, or stopping */
	bool called;	       /* to look for a job; the workers' lock guards it */
	struct worker *next;   /* among workers->idle */
};

struct workers {
	struct worker *worker; /* [n_workers] */
	size_t n_workers;
	pthread_mutex_t lock; /* guards all below */
	struct worker *idle;  /* the one used last is first: its memory is still in the caches */
	struct workers_job *first, *last; /* the queue */
	struct workers_job *placed;	  /* jobs that have a place already */
	struct workers_stats stats;
	bool stopping;
};

static void wait_for_call(struct worker *worker)
{
	struct workers *workers = worker->workers;

	worker->called = false;
	worker->next = workers->idle;
	workers->idle = worker;
	while (!worker->called && !workers->stopping)
		pthread_cond_wait(&worker->wakeup, &workers->lock);
}

static bool is_full(const struct workers *workers)
{
	return workers->stats.busy == workers->n_workers && !workers->stopping;
}

/* One that has a place, or the oldest of the queue; NULL: stopping, none left. */
static struct workers_job *take_job(struct worker *worker)
{
	struct workers *workers = worker->workers;
	struct workers_job *job;

	while (workers->placed == NULL && (workers->first == NULL || is_full(workers)) &&
	       !workers->stopping)
		wait_for_call(worker);
	job = workers->placed;
	if (job != NULL) {
		workers->placed = job->next;
		return job;
	}
	job = workers->first;
	if (job == NULL)
		return NULL;
	workers->first = job->next;
	workers->stats.queued--;
	workers->stats.busy++;
	return job;
}

static void *work(void *context)
{
	struct worker *worker = context;
	struct workers *workers = worker->workers;
	struct workers_job *job;

	pthread_mutex_lock(&workers->lock);
	while ((job = take_job(worker)) != NULL) {
		pthread_mutex_unlock(&workers->lock);
		job->run(job->context);
		pthread_mutex_lock(&workers->lock);
		workers->stats.busy--;
	}
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

static bool start(struct workers *workers, struct worker *worker)
{
	worker->workers = workers;
	pthread_cond_init(&worker->wakeup, NULL);
	if (pthread_create(&worker->thread, NULL, work, worker) == 0)
		return true;
	pthread_cond_destroy(&worker->wakeup);
	return false;
}

enum status workers_start(size_t n_threads, size_t capacity, struct workers **workers_out,
			  struct err *err)
{
	struct workers *workers = mem_array(1, sizeof(*workers));

	*workers_out = NULL;
	if (workers == NULL)
		return err_no_memory(err, "the workers");
	workers->stats.capacity = capacity;
	pthread_mutex_init(&workers->lock, NULL);
	workers->worker = mem_array(n_threads, sizeof(*workers->worker));
	while (workers->worker != NULL && workers->n_workers < n_threads &&
	       start(workers, &workers->worker[workers->n_workers]))
		workers->n_workers++;
	if (workers->worker == NULL || workers->n_workers < n_threads) {
		workers_stop(workers);
		return err_no_memory(err, "the workers");
	}
	*workers_out = workers;
	return STATUS_OK;
}

static void append_job(struct workers *workers, struct workers_job *job)
{
	job->next = NULL;
	if (workers->first == NULL)
		workers->first = job;
	else
		workers->last->next = job;
	workers->last = job;
	workers->stats.queued++;
}

/* The worker that is to do one more job; NULL: all are at work, and look for more after it. */
static struct worker *call_idle(struct workers *workers)
{
	struct worker *worker = workers->idle;

	if (worker == NULL)
		return NULL;
	workers->idle = worker->next;
	worker->called = true;
	return worker;
}

bool workers_enter(struct workers *workers)
{
	bool is_free;

	pthread_mutex_lock(&workers->lock);
	is_free = workers->first == NULL && !is_full(workers);
	workers->stats.busy += is_free;
	pthread_mutex_unlock(&workers->lock);
	return is_free;
}

static void signal_worker(struct worker *called)
{
	/* not under the lock, which is what it wants first when it wakes */
	if (called != NULL)
		pthread_cond_signal(&called->wakeup);
}

void workers_leave(struct workers *workers)
{
	struct worker *called = NULL;

	pthread_mutex_lock(&workers->lock);
	workers->stats.busy--;
	if (workers->first != NULL)
		called = call_idle(workers);
	pthread_mutex_unlock(&workers->lock);
	signal_worker(called);
}

void workers_take_over(struct workers *workers, struct workers_job *job)
{
	struct worker *called;

	pthread_mutex_lock(&workers->lock);
	job->next = workers->placed;
	workers->placed = job;
	called = call_idle(workers);
	pthread_mutex_unlock(&workers->lock);
	signal_worker(called);
}

enum status workers_submit(struct workers *workers, struct workers_job *job, struct err *err)
{
	struct worker *called = NULL;
	enum status status = STATUS_OK;

	pthread_mutex_lock(&workers->lock);
	if (workers->stats.queued == workers->stats.capacity) {
		status = err_set(err, STATUS_OVERLOADED,
				 "%zu requests are waiting for the encoder, the queue is full: try "
				 "again later",
				 workers->stats.capacity);
	} else {
		append_job(workers, job);
		called = is_full(workers) ? NULL : call_idle(workers);
	}
	pthread_mutex_unlock(&workers->lock);
	signal_worker(called);
	return status;
}

void workers_stats(struct workers *workers, struct workers_stats *stats_out)
{
	*stats_out = (struct workers_stats){0};
	if (workers == NULL)
		return;
	pthread_mutex_lock(&workers->lock);
	*stats_out = workers->stats;
	pthread_mutex_unlock(&workers->lock);
}

void workers_stop(struct workers *workers)
{
	if (workers == NULL)
		return;
	pthread_mutex_lock(&workers->lock);
	workers->stopping = true;
	for (size_t i = 0; i < workers->n_workers; i++)
		pthread_cond_signal(&workers->worker[i].wakeup);
	pthread_mutex_unlock(&workers->lock);
	for (size_t i = 0; i < workers->n_workers; i++) {
		pthread_join(workers->worker[i].thread, NULL);
		pthread_cond_destroy(&workers->worker[i].wakeup);
	}
	pthread_mutex_destroy(&workers->lock);
	mem_free(workers->worker);
	mem_free(workers);
}
