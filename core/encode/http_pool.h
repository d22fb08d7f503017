/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_pool.h - POST requests to one address over a few connections that stay open, by libcurl
 * and with nothing of it outside http_pool.c and http_mux.c. Any number of threads may share a
 * pool: some wait for their replies, others go on and are told (http_mux.h).
 */
#ifndef MICRO_ENCODE_HTTP_POOL_H
#define MICRO_ENCODE_HTTP_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"
#include "core/encode/http_mux.h"

struct http_pool; /* opaque */

struct http_pool_options {
	const char *url;	/* http:// or https://; copied */
	const char *bearer;	/* for Authorization; NULL: none; copied */
	double connect_timeout; /* seconds */
	size_t n_connections;	/* at most, at once */
	const atomic_bool
	    *cancelled; /* becomes true: requests under way end soon; outlives the pool */
};

struct http_reply {
	long status; /* of HTTP */
	char *body;  /* owned; a NUL follows it; NULL: empty */
	size_t len, capacity;
	size_t max_len;	    /* given by the caller: a longer body is refused */
	double retry_after; /* seconds; 0: the server does not say */
	bool reconnected; /* the connection from before was gone: who knows which server this is */
};

/** http_pool_check_url(url, err): STATUS_INVALID_VALUE unless it is one that http_pool_open()
 * takes. */
enum status http_pool_check_url(const char *url, struct err *err);

/**
 * http_pool_open(options, pool_out, err): nothing is sent yet. Errors: STATUS_INVALID_VALUE,
 * STATUS_NO_MEMORY. http_pool_close() releases.
 */
enum status http_pool_open(const struct http_pool_options *options, struct http_pool **pool_out,
			   struct err *err);

/** http_pool_close(pool): no request is under way; NULL does nothing. */
void http_pool_close(struct http_pool *pool);

/**
 * http_pool_post(pool, body, len, deadline, reply, err): send the JSON text body, wait for the
 * whole reply, until deadline (monotonic_seconds()). reply is zeroed but for max_len; what is in it
 * is http_reply_free()'s, also after an error. Any HTTP status is a reply. Errors:
 * STATUS_ENCODER_DOWN (no connection, no whole reply, no time left), STATUS_ENCODER_FAULT (a body
 * longer than max_len, not HTTP), STATUS_OVERLOADED (all connections in use until the deadline),
 * STATUS_INTERRUPTED, STATUS_NO_MEMORY.
 */
enum status http_pool_post(struct http_pool *pool, const char *body, size_t len, double deadline,
			   struct http_reply *reply, struct err *err);

struct line;

/* A request that its thread does not wait for; the caller's, until done. */
struct http_flight {
	const char *body; /* [len] */
	size_t len;
	double deadline;	  /* monotonic_seconds() */
	struct http_reply *reply; /* zeroed but for max_len */
	void (*done)(struct http_flight *flight);
	enum status status; /* when it is done: as of http_pool_post() */
	struct err err;
	struct http_pool *pool; /* these are the pool's */
	struct line *line;
	struct http_transfer transfer;
};

/**
 * http_pool_start(pool, mux, flight): http_pool_post() without waiting: http_mux_run() calls done
 * some time later. false: nothing was begun, since no connection is open and free, or there is no
 * memory.
 */
bool http_pool_start(struct http_pool *pool, struct http_mux *mux, struct http_flight *flight);

/** http_reply_free(reply): a zeroed one is allowed. */
void http_reply_free(struct http_reply *reply);

#endif
