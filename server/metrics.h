/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.h - what the daemon counts, as Prometheus text 0.0.4. Counters are
 * lock-free; rendering reads them while others count.
 */
#ifndef MICRO_SERVER_METRICS_H
#define MICRO_SERVER_METRICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/model/model.h"
#include "server/buffer.h"
#include "server/retention.h"
#include "server/route.h"
#include "server/workers.h"
#include "server/writer.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum { METRICS_N_CODES = 13, METRICS_N_BUCKETS = 14 };

enum feedback_result {
	FEEDBACK_APPLIED,
	FEEDBACK_DUPLICATE,
	FEEDBACK_DRY_RUN,
	FEEDBACK_REFUSED,
	N_FEEDBACK_RESULTS
};

/* What SIGHUP reads again. */
enum reloaded { RELOADED_MODEL, RELOADED_KEYS, RELOADED_TLS, N_RELOADED };

enum reload_result { RELOAD_OK, RELOAD_FAILED, N_RELOAD_RESULTS };

/* Connections that the daemon did not let in, or ended. */
enum connection_end {
	CONNECTION_REFUSED_LIMIT, /* --max-connections */
	CONNECTION_REFUSED_FILES, /* no more files may be opened */
	CONNECTION_DISPLACED,	  /* without a request, when others needed its place */
	CONNECTION_SLOW,	  /* --request-timeout */
	N_CONNECTION_ENDS
};

/* A zeroed struct is ready to count. */
struct metrics {
	atomic_ullong requests[N_ROUTES][N_METHODS][METRICS_N_CODES];
	atomic_ullong bucket[N_ROUTES][METRICS_N_BUCKETS + 1]; /* not cumulative; last: +Inf */
	atomic_ullong duration_us[N_ROUTES];
	atomic_llong in_flight;
	atomic_ullong scored;
	atomic_ullong feedback[N_FEEDBACK_RESULTS];
	atomic_ullong refusals[N_STATUSES];
	atomic_ullong reloads[N_RELOADED][N_RELOAD_RESULTS];
	atomic_llong connections; /* open ones */
	atomic_ullong connection_ends[N_CONNECTION_ENDS];
};

/** metrics_request(metrics, match, http_status, seconds): an answered request. */
void metrics_request(struct metrics *metrics, const struct route_match *match, int http_status,
		     double seconds);

/** metrics_refusal(metrics, code): the answer was an error with this code. */
void metrics_refusal(struct metrics *metrics, enum status code);

/** metrics_reload(metrics, what, status): it was read again, or could not be. */
void metrics_reload(struct metrics *metrics, enum reloaded what, enum status status);

/** metrics_connections(metrics, why, n): n connections were not let in, or ended. */
void metrics_connections(struct metrics *metrics, enum connection_end why, size_t n);

/* What is known elsewhere. */
struct metrics_state {
	const struct model *model;
	struct encoder_stats encoder;
	struct writer_stats writer;
	struct workers_stats workers;
	struct store_stats store;
	struct retention_stats retention;
	bool ready; /* as /readyz says */
	size_t n_api_keys;
	int64_t tls_expiry; /* seconds since 1970; 0: plain HTTP */
};

/**
 * metrics_render(metrics, state, out): all counters, the state, and what the process
 * uses. Labels are fixed sets (routes as patterns), never user input.
 */
void metrics_render(struct metrics *metrics, const struct metrics_state *state, struct buffer *out);

#endif
