/* SPDX-License-Identifier: Apache-2.0 */
#include "server/workers.h"

#include <pthread.h>
#include <stdbool.h>

#include "core/base/mem.h"

struct workers {
	pthread_t *threads; /* [n_threads] */
	size_t n_threads;
	pthread_mutex_t lock;  /* guards all below */
	pthread_cond_t wakeup; /* a job was queued, or stopping is set */
	struct workers_job *first, *last;
	struct workers_stats stats;
	bool stopping;
};

/* The oldest job; NULL: stopping, none left. */
static struct workers_job *take_job(struct workers *workers)
{
	struct workers_job *job;

	while (workers->first == NULL && !workers->stopping)
		pthread_cond_wait(&workers->wakeup, &workers->lock);
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
	struct workers *workers = context;
	struct workers_job *job;

	pthread_mutex_lock(&workers->lock);
	while ((job = take_job(workers)) != NULL) {
		pthread_mutex_unlock(&workers->lock);
		job->run(job->context);
		pthread_mutex_lock(&workers->lock);
		workers->stats.busy--;
	}
	pthread_mutex_unlock(&workers->lock);
	return NULL;
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
	pthread_cond_init(&workers->wakeup, NULL);
	workers->threads = mem_array(n_threads, sizeof(*workers->threads));
	while (workers->threads != NULL && workers->n_threads < n_threads) {
		if (pthread_create(&workers->threads[workers->n_threads], NULL, work, workers) != 0)
			break;
		workers->n_threads++;
	}
	if (workers->threads == NULL || workers->n_threads < n_threads) {
		workers_stop(workers);
		return err_no_memory(err, "the workers");
	}
	*workers_out = workers;
	return STATUS_OK;
}

enum status workers_submit(struct workers *workers, struct workers_job *job, struct err *err)
{
	enum status status = STATUS_OK;

	job->next = NULL;
	pthread_mutex_lock(&workers->lock);
	if (workers->stats.queued == workers->stats.capacity) {
		status = err_set(err, STATUS_OVERLOADED,
				 "%zu requests are waiting for the encoder, the queue is full: try "
				 "again later",
				 workers->stats.capacity);
	} else {
		if (workers->first == NULL)
			workers->first = job;
		else
			workers->last->next = job;
		workers->last = job;
		workers->stats.queued++;
		pthread_cond_signal(&workers->wakeup);
	}
	pthread_mutex_unlock(&workers->lock);
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
	pthread_cond_broadcast(&workers->wakeup);
	pthread_mutex_unlock(&workers->lock);
	for (size_t i = 0; i < workers->n_threads; i++)
		pthread_join(workers->threads[i], NULL);
	pthread_cond_destroy(&workers->wakeup);
	pthread_mutex_destroy(&workers->lock);
	mem_free(workers->threads);
	mem_free(workers);
}
