/* SPDX-License-Identifier: Apache-2.0 */
#include "server/retention.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "core/base/mem.h"
#include "core/base/monotonic.h"
#include "server/log.h"

#define US_PER_DAY    86400e6
#define PASS_SECONDS  3600.0 /* between the end of a pass and the next one */
#define RETRY_SECONDS 60.0   /* after one that broke off */
/* The writer is others' for at least this long after each step, and for as long as that took. */
#define PAUSE_SECONDS 0.01

struct retention {
	struct retention_options options;
	char (*names)[STORE_MAX_ID + 1];
	pthread_t thread;
	pthread_mutex_t lock;	/* guards all below */
	pthread_cond_t changed; /* a step is done, or stopping is set */
	bool stopping, step_done;
	struct retention_stats stats;
};

/* On the writer's thread. */
static void note_done(void *context, struct store_op *op)
{
	struct retention *retention = context;

	(void)op;
	pthread_mutex_lock(&retention->lock);
	retention->step_done = true;
	pthread_cond_signal(&retention->changed);
	pthread_mutex_unlock(&retention->lock);
}

/* A step that is with the writer ends, whatever else. */
static enum status take_step(struct retention *retention, struct store_expire *expire,
			     struct err *err)
{
	struct store_op op = {.kind = STORE_EXPIRE, .expire = expire};
	struct writer_job job = {.op = &op, .done = note_done, .context = retention};

	retention->step_done = false;
	if (writer_submit(retention->options.writer, &job, err) != STATUS_OK)
		return err->code;
	pthread_mutex_lock(&retention->lock);
	while (!retention->step_done)
		pthread_cond_wait(&retention->changed, &retention->lock);
	pthread_mutex_unlock(&retention->lock);
	*err = op.err;
	return op.err.code;
}

/* false: it is time to stop. */
static bool pause_for(struct retention *retention, double seconds)
{
	double until = monotonic_seconds() + seconds;
	bool stopping;

	pthread_mutex_lock(&retention->lock);
	while (!retention->stopping && monotonic_seconds() < until)
		monotonic_wait(&retention->changed, &retention->lock, until);
	stopping = retention->stopping;
	pthread_mutex_unlock(&retention->lock);
	return !stopping;
}

/* What a step deleted, since before. */
static void count(struct retention *retention, const struct store_expire *before,
		  const struct store_expire *after)
{
	pthread_mutex_lock(&retention->lock);
	retention->stats.users += after->users_out - before->users_out;
	retention->stats.events += after->events_out - before->events_out;
	pthread_mutex_unlock(&retention->lock);
}

static void log_pass(const struct retention *retention, const struct store_expire *expire,
		     double seconds, const struct err *err)
{
	bool failed = err->code != STATUS_OK;
	struct log_line line;

	if (!failed && expire->users_out == 0 && expire->events_out == 0)
		return;
	log_begin(&line, failed ? LOG_WARN : LOG_INFO, failed ? "retention_failed" : "retention");
	log_real(&line, "days", retention->options.days);
	log_int(&line, "users", (int64_t)expire->users_out);
	log_int(&line, "events", (int64_t)expire->events_out);
	log_real(&line, "seconds", seconds);
	if (failed) {
		log_text(&line, "code", status_code(err->code));
		log_text(&line, "message", err->msg);
	}
	log_end(&line);
}

/* Who sees a pass in the metrics finds it in the log, too. */
static void end_pass(struct retention *retention, const struct store_expire *expire, double seconds,
		     const struct err *err)
{
	bool failed = err->code != STATUS_OK;

	log_pass(retention, expire, seconds, err);
	pthread_mutex_lock(&retention->lock);
	retention->stats.passes += !failed;
	retention->stats.failures += failed;
	pthread_mutex_unlock(&retention->lock);
}

/* Over all users; until when to wait for the next one, below 0: it is time to stop. */
static double make_pass(struct retention *retention)
{
	struct store_expire expire = {
	    .before_us =
		retention->options.now_us() - (int64_t)(retention->options.days * US_PER_DAY),
	    .names = retention->names,
	};
	double began = monotonic_seconds();
	struct err err = {0};

	while (!expire.done_out) {
		struct store_expire before = expire;
		double step_began = monotonic_seconds();
		double seconds;

		if (take_step(retention, &expire, &err) != STATUS_OK) {
			expire = before;
			break;
		}
		count(retention, &before, &expire);
		seconds = monotonic_seconds() - step_began;
		if (!expire.done_out &&
		    !pause_for(retention, seconds > PAUSE_SECONDS ? seconds : PAUSE_SECONDS))
			return -1;
	}
	end_pass(retention, &expire, monotonic_seconds() - began, &err);
	return err.code == STATUS_OK ? PASS_SECONDS : RETRY_SECONDS;
}

static void *run(void *context)
{
	struct retention *retention = context;
	double seconds;

	do {
		seconds = make_pass(retention);
	} while (seconds >= 0 && pause_for(retention, seconds));
	return NULL;
}

static void free_all(struct retention *retention)
{
	mem_free(retention->names);
	mem_free(retention);
}

static void destroy_lock(struct retention *retention)
{
	pthread_cond_destroy(&retention->changed);
	pthread_mutex_destroy(&retention->lock);
}

enum status retention_start(const struct retention_options *options,
			    struct retention **retention_out, struct err *err)
{
	struct retention *retention = mem_array(1, sizeof(*retention));

	*retention_out = NULL;
	if (retention == NULL)
		return err_no_memory(err, "retention");
	retention->options = *options;
	retention->stats.seconds = options->days * US_PER_DAY / 1e6;
	retention->names = mem_array(STORE_EXPIRE_USERS, sizeof(*retention->names));
	if (retention->names == NULL) {
		free_all(retention);
		return err_no_memory(err, "retention");
	}
	pthread_mutex_init(&retention->lock, NULL);
	monotonic_cond_init(&retention->changed);
	errno = pthread_create(&retention->thread, NULL, run, retention);
	if (errno != 0) {
		err_errno(err, STATUS_NO_MEMORY, "the thread of retention");
		destroy_lock(retention);
		free_all(retention);
		return STATUS_NO_MEMORY;
	}
	*retention_out = retention;
	return STATUS_OK;
}

void retention_stats(struct retention *retention, struct retention_stats *stats_out)
{
	*stats_out = (struct retention_stats){0};
	if (retention == NULL)
		return;
	pthread_mutex_lock(&retention->lock);
	*stats_out = retention->stats;
	pthread_mutex_unlock(&retention->lock);
}

void retention_stop(struct retention *retention)
{
	if (retention == NULL)
		return;
	pthread_mutex_lock(&retention->lock);
	retention->stopping = true;
	pthread_cond_signal(&retention->changed);
	pthread_mutex_unlock(&retention->lock);
	pthread_join(retention->thread, NULL);
	destroy_lock(retention);
	free_all(retention);
}
