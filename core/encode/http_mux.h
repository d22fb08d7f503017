/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_mux.h - HTTP requests of one thread that has other things to do than to wait for replies:
 * it watches one descriptor for all of them. Each costs it two turns of its own loop instead of
 * two changes to another thread and back.
 */
#ifndef MICRO_ENCODE_HTTP_MUX_H
#define MICRO_ENCODE_HTTP_MUX_H

#include <stdatomic.h>
#include <stdbool.h>

#include "core/base/err.h"

struct http_mux; /* opaque; belongs to one thread */

/** http_mux_open(mux_out, err): without any request; http_mux_close() releases. */
enum status http_mux_open(struct http_mux **mux_out, struct err *err);

/** http_mux_close(mux): no request is under way; NULL does nothing. */
void http_mux_close(struct http_mux *mux);

/** http_mux_fd(mux): readable when a reply, or a part of one, has come. */
int http_mux_fd(const struct http_mux *mux);

/** http_mux_timeout(mux): milliseconds until http_mux_run() is to be called although nothing has
 * come; -1: there is no such time. */
int http_mux_timeout(const struct http_mux *mux);

/** http_mux_run(mux, is_readable): go on with what has come, if the descriptor is readable, with
 * what is due, and with what was cancelled. Who sent the requests is told from here. */
void http_mux_run(struct http_mux *mux, bool is_readable);

/* A request of a libcurl handle; of who starts it, who may free it in done(). Of http_pool.c. */
struct http_transfer {
	void *curl;		      /* a CURL, which no other thread uses meanwhile */
	const atomic_bool *cancelled; /* becomes true: it ends soon */
	int socket; /* when it is done: of its connection, if that stays open; else -1 */
	void (*done)(struct http_transfer *transfer, int code); /* a CURLcode */
	/* the mux's */
	bool is_deaf; /* its socket cannot be watched */
	struct http_transfer *prev, *next;
};

/** http_mux_start(mux, transfer): false: no memory, nothing was begun. Never calls done. */
bool http_mux_start(struct http_mux *mux, struct http_transfer *transfer);

#endif
