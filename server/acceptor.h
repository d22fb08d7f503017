/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acceptor.h - the thread that accepts connections and deals them out to the threads that answer.
 *
 * Those may be busy for long; this one never is. So whoever comes past a limit, of connections
 * or of open files, is told 503 instead of waiting in the kernel's queue, and a limit that is near
 * makes room: connections without a request give way to new ones. Where there is not enough
 * processor time for both, this thread gives way to those that answer: to say no takes half as
 * long as a small answer, nearly all of it the kernel's, so to refuse at once all that comes beyond
 * what can be answered, when that is three times as much, would leave nothing for answers.
 */
#ifndef MICRO_SERVER_ACCEPTOR_H
#define MICRO_SERVER_ACCEPTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "core/base/err.h"
#include "server/identifier.h"
#include "server/metrics.h"

struct acceptor; /* opaque */

/* The connections of a lane. */
struct lane_counts {
	size_t n;	  /* those that were given and not looked at yet included */
	size_t n_idle;	  /* of them without a request, */
	size_t n_leaving; /* of them being ended, or about to be */
};

/* A thread that answers; functions that any thread may call. */
struct acceptor_lane {
	void *context;
	void (*count)(void *context, struct lane_counts *counts_out);
	/* take over a connected socket and the address of its client */
	void (*give)(void *context, int fd, const struct sockaddr *address, socklen_t len);
	/* end the one that is idle for longest */
	void (*shed)(void *context);
};

struct acceptor_options {
	int listen_fd;		/* not blocking */
	size_t max_connections; /* of all lanes together */
	size_t n_places;	/* for those past the limit, until they are told; at least 1 */
	size_t n_lanes;
	bool encrypted; /* nothing can be told to a client that is refused */
	random_bytes_fn *random_bytes;
	struct metrics *metrics; /* outlives the acceptor */
};

/** acceptor_start(options, lanes, acceptor_out, err): accept; owns options->listen_fd, also on
 * error. lanes [n_lanes] are copied, and outlive the acceptor. */
enum status acceptor_start(const struct acceptor_options *options,
			   const struct acceptor_lane *lanes, struct acceptor **acceptor_out,
			   struct err *err);

/** acceptor_stop(acceptor): from here on nobody gets in; closes the listening socket, frees.
 * NULL does nothing. */
void acceptor_stop(struct acceptor *acceptor);

#endif
