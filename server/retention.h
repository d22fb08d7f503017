/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retention.h - users who have given no feedback for so many days are deleted, all of them that
 * is stored. A thread asks the writer for a step at a time, and leaves it to others between two.
 *
 * A user's age is that of the last feedback, in whatever context: the weights are made of all
 * feedbacks together, and what is stored of a user is always whole.
 */
#ifndef MICRO_SERVER_RETENTION_H
#define MICRO_SERVER_RETENTION_H

#include <stdint.h>

#include "core/base/err.h"
#include "server/writer.h"

struct retention; /* opaque */

struct retention_options {
	double days;
	int64_t (*now_us)(void);
	struct writer *writer; /* outlives it */
};

struct retention_stats {
	double seconds;			     /* --retention-days; 0: nobody is deleted */
	unsigned long long passes, failures; /* over all users; that broke off */
	unsigned long long users, events;    /* deleted */
};

/** retention_start(options, retention_out, err): the first pass begins at once, the next ones an
 * hour after the one before. */
enum status retention_start(const struct retention_options *options,
			    struct retention **retention_out, struct err *err);

/** retention_stats(retention, stats_out): zeros for NULL. Any thread. */
void retention_stats(struct retention *retention, struct retention_stats *stats_out);

/** retention_stop(retention): waits for the step at work, frees; before the writer is stopped.
 * NULL does nothing. */
void retention_stop(struct retention *retention);

#endif
