/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_loop.h - the thread that drives libmicrohttpd daemons, and goes from one to the next.
 *
 * libmicrohttpd's own loops do not serve: with poll() every idle connection costs each
 * request, and its epoll loop (0.9.75) waits for another event, when exactly 128 or a multiple
 * are there at once, before it looks at them. Here it never waits: the thread waits for its epoll
 * instances from outside, and calls MHD_run().
 */
#ifndef MICRO_SERVER_HTTP_LOOP_H
#define MICRO_SERVER_HTTP_LOOP_H

#include <microhttpd.h>
#include <sys/socket.h>

#include "core/base/err.h"
#include "core/encode/http_mux.h"
#include "server/acceptor.h"
#include "server/admission.h"
#include "server/clients.h"
#include "server/http_tasks.h"
#include "server/metrics.h"

/* Flags of a daemon that is to be driven from here. */
#define HTTP_LOOP_FLAGS (MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET)

struct http_loop; /* opaque */

/** http_loop_open(max_tables, limits, pending, metrics, loop_out, err): a loop with no daemon yet,
 * and at most max_tables later, TABLES_MAX at most; http_loop_close() releases it. pending, for
 * bytes of bodies, and metrics outlive it. */
enum status http_loop_open(size_t max_tables, const struct client_limits *limits,
			   struct budget *pending, struct metrics *metrics,
			   struct http_loop **loop_out, struct err *err);

/** http_loop_note(context, connection, slot, what): the daemon's MHD_OPTION_NOTIFY_CONNECTION, with
 * the loop as its context. */
void http_loop_note(void *context, struct MHD_Connection *connection, void **slot,
		    enum MHD_ConnectionNotificationCode what);

/** http_loop_add(loop, daemon, err): one more daemon, before the loop is started. The loop owns it
 * from now on, also on error. */
enum status http_loop_add(struct http_loop *loop, struct MHD_Daemon *daemon, struct err *err);

/** http_loop_start(loop, i, n, err): drive its daemons, at least one, from a thread of its own;
 * of n loops this is number i: see processor_take(). */
enum status http_loop_start(struct http_loop *loop, size_t i, size_t n, struct err *err);

/**
 * http_loop_give(context, fd, address, len): context is a loop; serve this socket, not blocking, of
 * the client at address; owns fd. Any thread.
 */
void http_loop_give(void *context, int fd, const struct sockaddr *address, socklen_t len);

/** http_loop_count(context, counts_out): of a loop its connections. Any thread. */
void http_loop_count(void *context, struct lane_counts *counts_out);

/** http_loop_shed(context): of a loop end the one that is without a request for longest. Any
 * thread. */
void http_loop_shed(void *context);

/** http_loop_enter(loop, connection, phase): what a connection is at, so that it is ended when
 * that takes too long. From the daemon's callbacks. */
void http_loop_enter(struct http_loop *loop, struct MHD_Connection *connection,
		     enum client_phase phase);

/**
 * http_loop_admit(loop, connection, applicant, n_bytes): a body of so many bytes is about to come.
 * true: they were taken from the budget; false: the connection sleeps until they are, or for so
 * long that it is told no. From the daemon's call with the headers, which comes again after that.
 */
bool http_loop_admit(struct http_loop *loop, struct MHD_Connection *connection,
		     struct applicant *applicant, uint64_t n_bytes);

/** http_loop_forget(loop, applicant): the body was dealt with, or will not come; what it took is
 * the caller's to give back. From the daemon's callbacks. */
void http_loop_forget(struct http_loop *loop, struct applicant *applicant);

/** http_loop_mux(loop): for requests to other servers; the loop runs it. Only from its thread; NULL
 * without memory. */
struct http_mux *http_loop_mux(struct http_loop *loop);

/** http_loop_defer(loop, task): run it on the loop's thread after the connections of a table were
 * looked at. From the daemons' callbacks; the connection that it is for sleeps. */
void http_loop_defer(struct http_loop *loop, struct http_task *task);

/** http_loop_resume(loop, connection): go on with a connection that was suspended, when the loop
 * is woken. Any thread. */
void http_loop_resume(struct http_loop *loop, struct MHD_Connection *connection);

/** http_loop_wake(loop): connections were resumed, or requests cancelled: look at them now. Any
 * thread; not needed from what the loop itself calls. */
void http_loop_wake(struct http_loop *loop);

/** http_loop_close(loop): end the thread, close all connections, none of which is suspended;
 * NULL does nothing. */
void http_loop_close(struct http_loop *loop);

#endif
