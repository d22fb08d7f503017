/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer.h - the one thread that writes to the store: it takes whatever has
 * gathered in its queue, applies it in one transaction (group commit), then
 * tells each submitter. An idle writer commits at once: no added delay. Where there is not
 * enough processor time for all threads, it gives way: scores are answered in time, and
 * transactions get larger.
 */
#ifndef MICRO_SERVER_WRITER_H
#define MICRO_SERVER_WRITER_H

#include <stddef.h>

#include "core/base/err.h"
#include "server/store.h"

struct writer; /* opaque */

/** Called on the writer thread once op is durable or has failed (op->err says which). */
typedef void writer_done_fn(void *context, struct store_op *op);

/* Who is told of several jobs at once: outlives the call of wake that follows the last one's. */
struct writer_audience {
	void (*wake)(void *context);
	void *context;
};

struct writer_job {
	struct store_op *op; /* the caller's; lives until done is called */
	writer_done_fn *done;
	void *context;
	/* woken on the writer thread after done was called of all in a transaction that have this
	 * audience and follow each other; NULL: nobody */
	const struct writer_audience *audience;
	struct writer_job *next; /* the writer's */
};

enum { WRITER_N_SIZES = 10, WRITER_N_TIMES = 11 };

/* Upper bounds of the histograms: operations in a commit, and its seconds. */
extern const double writer_sizes[WRITER_N_SIZES];
extern const double writer_times[WRITER_N_TIMES];

struct writer_stats {
	size_t queued; /* jobs waiting now */
	size_t capacity;
	unsigned long long commits;			/* transactions */
	unsigned long long ops;				/* operations in them */
	unsigned long long by_size[WRITER_N_SIZES + 1]; /* commits, not cumulative; last: larger */
	unsigned long long by_time[WRITER_N_TIMES + 1];
	double commit_seconds; /* of all of them */
	unsigned long long failed_commits;
};

/** writer_start(store, capacity, max_batch, writer_out, err): starts the thread. */
enum status writer_start(struct store *store, size_t capacity, size_t max_batch,
			 struct writer **writer_out, struct err *err);

/**
 * writer_submit(writer, job, err): never blocks. The caller owns job, which
 * lives until done is called (exactly once). STATUS_OVERLOADED when the queue is
 * full, STATUS_SHUTTING_DOWN after writer_stop() began; done is not called then.
 */
enum status writer_submit(struct writer *writer, struct writer_job *job, struct err *err);

/** writer_stats(writer, stats_out): a consistent snapshot. */
void writer_stats(struct writer *writer, struct writer_stats *stats_out);

/** writer_stop(writer): finishes what is queued, joins the thread, frees; NULL does nothing. */
void writer_stop(struct writer *writer);

#endif
