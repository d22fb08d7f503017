/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_call.h - one request: its headers, its body, its answer, as libmicrohttpd calls for them.
 * A request that needs the store's writer sleeps until its operation is durable; one whose texts
 * a server encodes sleeps until it has: the lane itself sends the first call and goes on; only what
 * has to wait or to be repeated is left to the workers.
 */
#ifndef MICRO_SERVER_HTTP_CALL_H
#define MICRO_SERVER_HTTP_CALL_H

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "server/api.h"
#include "server/budget.h"
#include "server/http_loop.h"

/* What all requests share. */
struct http_server {
	struct api *api;
	atomic_bool closing;	/* no more connections are suspended */
	atomic_size_t n_asleep; /* suspended connections, or about to be: others work on them */
	struct budget pending;	/* bytes of bodies, until they are answered or submitted */
	size_t n_lanes;
	struct http_lane *lanes; /* [n_lanes] */
	size_t n_told;		 /* the writer's: connections that it resumed and not woken yet */
	struct writer_audience audience; /* wakes them */
};

/* A thread with connections of its own. */
struct http_lane {
	struct http_server *server;
	struct http_loop *loop;
	bool is_told; /* the writer's: connections of it were resumed */
};

/** http_call_wake(context): the audience of the writer's jobs; context is a struct http_server. */
void http_call_wake(void *context);

/** http_call_handle(lane, ...): an MHD_AccessHandlerCallback; lane is a struct http_lane. */
enum MHD_Result http_call_handle(void *lane, struct MHD_Connection *connection, const char *url,
				 const char *method, const char *version, const char *upload_data,
				 size_t *upload_data_size, void **call_slot);

/** http_call_completed(context, ...): an MHD_RequestCompletedCallback. */
void http_call_completed(void *context, struct MHD_Connection *connection, void **call_slot,
			 enum MHD_RequestTerminationCode why);

#endif
