/* SPDX-License-Identifier: Apache-2.0 */
#include "server/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "core/base/mem.h"
#include "server/clock.h"
#include "server/process.h"

/* A transaction of many costs little more than one of few: let them gather. */
#define NICENESS 8

/*
 * Invariants: 1. queued jobs are a list from first to last in the order of submission;
 *                first is NULL exactly if stats.queued is 0.
 *             2. a job that left the list belongs to the thread until done is called.
 */
struct writer {
	struct store *store;
	size_t max_batch;
	struct store_op **ops; /* [max_batch]: the thread's, of the batch at work */
	pthread_t thread;
	pthread_mutex_t lock;  /* guards all below */
	pthread_cond_t wakeup; /* a job was queued, or stopping is set */
	struct writer_job *first, *last;
	struct writer_stats stats;
	bool stopping;
};

/* Wait for jobs and take the oldest ones, at most max_batch; NULL: stopping, none left. */
static struct writer_job *take_batch(struct writer *writer, size_t *n_jobs_out)
{
	struct writer_job *batch, *end = NULL;
	size_t n = 0;

	pthread_mutex_lock(&writer->lock);
	while (writer->first == NULL && !writer->stopping)
		pthread_cond_wait(&writer->wakeup, &writer->lock);
	batch = writer->first;
	while (writer->first != NULL && n < writer->max_batch) {
		end = writer->first;
		writer->ops[n++] = end->op;
		writer->first = end->next;
	}
	if (end != NULL)
		end->next = NULL;
	writer->stats.queued -= n;
	pthread_mutex_unlock(&writer->lock);
	*n_jobs_out = n;
	return batch;
}

const double writer_sizes[WRITER_N_SIZES] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
const double writer_times[WRITER_N_TIMES] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
					     0.01,   0.025,   0.1,    0.5,   1};

/* The first bound that is not below value; n_bounds if all are. */
static size_t bucket_of(const double *bounds, size_t n_bounds, double value)
{
	size_t i = 0;

	while (i < n_bounds && value > bounds[i])
		i++;
	return i;
}

/* Counted before anyone is told, so that who is told finds it counted. */
static void count_batch(struct writer *writer, size_t n_jobs, double seconds, bool committed)
{
	struct writer_stats *stats = &writer->stats;

	pthread_mutex_lock(&writer->lock);
	if (committed) {
		stats->commits++;
		stats->ops += n_jobs;
		stats->commit_seconds += seconds;
		stats->by_size[bucket_of(writer_sizes, WRITER_N_SIZES, (double)n_jobs)]++;
		stats->by_time[bucket_of(writer_times, WRITER_N_TIMES, seconds)]++;
	} else {
		stats->failed_commits++;
	}
	pthread_mutex_unlock(&writer->lock);
}

static void tell(struct writer_job *job)
{
	while (job != NULL) {
		const struct writer_audience *audience = job->audience;
		struct writer_job *next = job->next; /* done may free the job */

		job->done(job->context, job->op);
		if (audience != NULL && (next == NULL || next->audience != audience))
			audience->wake(audience->context);
		job = next;
	}
}

static void *run(void *context)
{
	struct writer *writer = context;
	struct writer_job *batch;
	size_t n_jobs;

	process_give_way(NICENESS);

	while ((batch = take_batch(writer, &n_jobs)) != NULL) {
		struct err ignored; /* each op has its own */
		double began = clock_monotonic();
		bool committed =
		    store_apply(writer->store, writer->ops, n_jobs, &ignored) == STATUS_OK;

		count_batch(writer, n_jobs, clock_monotonic() - began, committed);
		tell(batch);
	}
	return NULL;
}

enum status writer_start(struct store *store, size_t capacity, size_t max_batch,
			 struct writer **writer_out, struct err *err)
{
	struct writer *writer = mem_array(1, sizeof(*writer));

	*writer_out = NULL;
	if (writer == NULL)
		return err_no_memory(err, "the writer");
	writer->store = store;
	writer->max_batch = max_batch;
	writer->stats.capacity = capacity;
	writer->ops = mem_array(max_batch, sizeof(struct store_op *));
	if (writer->ops == NULL) {
		err_no_memory(err, "the writer");
		goto err_after_writer;
	}
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->wakeup, NULL);
	errno = pthread_create(&writer->thread, NULL, run, writer);
	if (errno != 0) {
		err_errno(err, STATUS_NO_MEMORY, "the writer's thread");
		goto err_after_lock;
	}
	*writer_out = writer;
	return STATUS_OK;

err_after_lock:
	pthread_cond_destroy(&writer->wakeup);
	pthread_mutex_destroy(&writer->lock);
	mem_free(writer->ops);
err_after_writer:
	mem_free(writer);
	return STATUS_NO_MEMORY;
}

/* With the lock held. */
static void queue(struct writer *writer, struct writer_job *job)
{
	job->next = NULL;
	if (writer->first == NULL)
		writer->first = job;
	else
		writer->last->next = job;
	writer->last = job;
	writer->stats.queued++;
	pthread_cond_signal(&writer->wakeup);
}

enum status writer_submit(struct writer *writer, struct writer_job *job, struct err *err)
{
	enum status status = STATUS_OK;

	pthread_mutex_lock(&writer->lock);
	if (writer->stopping)
		status = err_set(err, STATUS_SHUTTING_DOWN, "the writer is stopping");
	else if (writer->stats.queued == writer->stats.capacity)
		status = err_set(err, STATUS_OVERLOADED,
				 "%zu writes are waiting, the queue is full: "
				 "try again later",
				 writer->stats.queued);
	else
		queue(writer, job);
	pthread_mutex_unlock(&writer->lock);
	return status;
}

void writer_stats(struct writer *writer, struct writer_stats *stats_out)
{
	pthread_mutex_lock(&writer->lock);
	*stats_out = writer->stats;
	pthread_mutex_unlock(&writer->lock);
}

void writer_stop(struct writer *writer)
{
	if (writer == NULL)
		return;
	pthread_mutex_lock(&writer->lock);
	writer->stopping = true;
	pthread_cond_signal(&writer->wakeup);
	pthread_mutex_unlock(&writer->lock);
	pthread_join(writer->thread, NULL);
	pthread_cond_destroy(&writer->wakeup);
	pthread_mutex_destroy(&writer->lock);
	mem_free(writer->ops);
	mem_free(writer);
}
