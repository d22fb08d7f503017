/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api.h - the routes: decode, ask the service, encode; without sockets, so that
 * tests and fuzzers feed it bytes. An exchange goes through
 *
 *   api_open    the headers are in
 *   api_begin   the body is in; answers, asks for a write, or for texts to be encoded
 *   api_ask     asks a server for these, without waiting
 *   api_work    waits for it where it has to; answers, or asks for a write
 *   api_end     the write is done; answers
 *   api_close   the answer is sent or given up
 *
 * Once an exchange has its http_status, it is answered and only api_close() is left.
 */
#ifndef MICRO_SERVER_API_H
#define MICRO_SERVER_API_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/base/err.h"
#include "server/access.h"
#include "server/exchange.h"
#include "server/in_progress.h"
#include "server/live_model.h"
#include "server/metrics.h"
#include "server/retention.h"
#include "server/service.h"
#include "server/tls.h"
#include "server/workers.h"
#include "server/writer.h"

/* What the routes work with; shared by all threads. */
struct api {
	struct service service;
	struct live_model *live;
	struct writer *writer;
	struct workers *workers;     /* for what waits; NULL: nothing does */
	struct access *access;	     /* NULL: everyone may do everything */
	struct retention *retention; /* for /metrics; NULL: users stay */
	struct tls *tls;	     /* for /metrics; NULL: plain HTTP */
	struct in_progress in_progress;
	struct metrics metrics;
	size_t max_body; /* bytes */
	size_t max_items;
	size_t max_responses;
	double max_strength;
	bool access_log;      /* answers that are no refusals are logged at LOG_INFO */
	atomic_bool stopping; /* /readyz says no, connections are closed after their answer */
};

enum api_next {
	API_ANSWERED,
	API_WAIT, /* api_work() is to be called: unless api_is_ready(), on a thread that may wait */
	API_WRITE, /* exchange->op is to be given to the writer, and api_end() called after that */
};

/** api_open(api, exchange, head): find the route, check the key and what else the headers tell;
 * exchange is zeroed. It may be answered (refused) already then. */
void api_open(struct api *api, struct exchange *exchange, const struct exchange_head *head);

/** api_begin(api, exchange): answer exchange->body, or say what is next. Never waits for a
 * server that encodes texts. */
enum api_next api_begin(struct api *api, struct exchange *exchange);

/** api_ask(exchange, mux, done, context): after API_WAIT, once: begin with what api_work() would
 * wait for. http_mux_run(mux) calls done(context); false: nothing was begun. */
bool api_ask(struct exchange *exchange, struct http_mux *mux, void (*done)(void *context),
	     void *context);

/** api_put_off(exchange): after API_WAIT, where nothing was begun: keep no more than the question
 * until api_work(), which may be much later. */
void api_put_off(struct exchange *exchange);

/** api_is_ready(exchange): after API_WAIT: whether api_work() would not wait. */
bool api_is_ready(const struct exchange *exchange);

/** api_work(api, exchange): what was left to do at API_WAIT; any thread may call it, one does. */
enum api_next api_work(struct api *api, struct exchange *exchange);

/** api_end(api, exchange): answer with the outcome of exchange->op. */
void api_end(struct api *api, struct exchange *exchange);

/** api_answer(api, exchange): 200 with the JSON in exchange->answer; API_ANSWERED. */
enum api_next api_answer(struct api *api, struct exchange *exchange);

/** api_answer_stream(api, exchange, content_type): 200 with what exchange->stream makes. */
void api_answer_stream(struct api *api, struct exchange *exchange, const char *content_type);

/** api_read_stream(api, exchange, bytes, size): up to size further bytes of that, 0 at its end; -1
 * if it breaks off, which is logged and counted here. */
ssize_t api_read_stream(struct api *api, struct exchange *exchange, char *bytes, size_t size);

/** api_check_head(exchange): STATUS_INVALID_VALUE if a header or a parameter of the query that
 * means something here came with two values: which one would be believed? */
enum status api_check_head(struct exchange *exchange);

/** api_refuse(api, exchange): answer with exchange->err; API_ANSWERED. */
enum api_next api_refuse(struct api *api, struct exchange *exchange);

/** api_close(api, exchange): release everything that the exchange holds. */
void api_close(struct api *api, struct exchange *exchange);

#endif
