/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_pool.h - POST requests to one address over a few connections that stay open, by libcurl
 * and with nothing of it outside http_pool.c. Blocking; any number of threads may share a pool.
 */
#ifndef MICRO_ENCODE_HTTP_POOL_H
#define MICRO_ENCODE_HTTP_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"

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

/** http_reply_free(reply): a zeroed one is allowed. */
void http_reply_free(struct http_reply *reply);

#endif
