/* SPDX-License-Identifier: Apache-2.0 */
/*
 * httpd.h - HTTP in front of the api: libmicrohttpd, and nothing of it outside httpd.c,
 * http_call.c, http_head.c, http_loop.c and http_table.c. One thread accepts; each of the others
 * reads, answers and writes on connections of its own.
 */
#ifndef MICRO_SERVER_HTTPD_H
#define MICRO_SERVER_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "server/api.h"
#include "server/tls.h"

struct httpd; /* opaque */

struct httpd_options {
	int listen_fd; /* from listener_open() */
	unsigned n_threads;
	unsigned max_connections;
	unsigned n_places;	  /* for connections past that, until they are told */
	uint64_t max_pending;	  /* bytes of bodies at once */
	unsigned idle_timeout;	  /* seconds */
	unsigned request_timeout; /* seconds that a client may take to send or to read */
	size_t connection_memory; /* bytes for the headers of a connection */
	struct tls *tls;	  /* HTTPS; outlives the server; NULL: plain HTTP */
};

#define HTTPD_FILES_OF_TABLE 1 /* its epoll instance */

/** httpd_tables(max_connections, n_threads): how many libmicrohttpd daemons each thread has. */
size_t httpd_tables(unsigned max_connections, unsigned n_threads);

/** httpd_start(options, api, httpd_out, err): serve; takes options->listen_fd over,
 * also on error. httpd_stop() ends it. api outlives it. */
enum status httpd_start(const struct httpd_options *options, struct api *api,
			struct httpd **httpd_out, struct err *err);

/**
 * httpd_drain(httpd, seconds): let nobody in any more, end each connection
 * with its next answer, wait until nothing is in flight; false if that took too long.
 */
bool httpd_drain(struct httpd *httpd, double seconds);

/** httpd_stop(httpd): give up what waits for an encoder's server, wait for submitted writes,
 * close all connections, free; NULL does nothing. Workers and writer are stopped after it. */
void httpd_stop(struct httpd *httpd);

#endif
