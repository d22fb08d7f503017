/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http_call.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/mem.h"
#include "server/http_head.h"
#include "server/http_response.h"

/* A refused body is read to its end, because a client that is still sending would
 * see a reset connection instead of the answer. But not for ever. */
#define DISCARD_MAX (64u << 20)

/* One request on its connection. */
struct call {
	struct exchange exchange;
	struct http_lane *lane;
	struct MHD_Connection *connection;
	uint64_t n_announced;	/* bytes of the body, by Content-Length */
	uint64_t n_received;	/* bytes of the body, kept or not */
	struct applicant place; /* for the body, in server->pending */
	bool expects;		/* an answer before it sends its body */
	bool waits;		/* for room for its body: MHD calls with the headers once more */
	bool submitted;		/* to the writer: the next step is api_end() */
	bool last;		/* of its connection, which is closed after the answer */
	struct writer_job job;
	struct workers_job work;
	struct http_task task;
};

static struct api *api_of(const struct call *call)
{
	return call->lane->server->api;
}

/* MHD_NO closes the connection: without memory there is nothing better. */
static enum MHD_Result respond(struct call *call)
{
	struct exchange *exchange = &call->exchange;
	struct MHD_Response *response = http_response_make(api_of(call), exchange, call->last);
	enum MHD_Result result;

	if (response == NULL)
		return MHD_NO;
	http_loop_enter(call->lane->loop, call->connection, CLIENT_READING);
	result = MHD_queue_response(call->connection, (unsigned)exchange->http_status, response);
	MHD_destroy_response(response);
	return result;
}

static void refuse_length(struct call *call)
{
	struct exchange *exchange = &call->exchange;

	buffer_free(&exchange->body);
	err_set(&exchange->err, STATUS_TOO_LARGE,
		"the body has more than %zu bytes, the limit of --max-body",
		api_of(call)->max_body);
	api_refuse(api_of(call), exchange);
}

/* n_bytes in all of this body. Refused when they are too many. */
static void reserve(struct call *call, uint64_t n_bytes)
{
	struct exchange *exchange = &call->exchange;

	if (n_bytes <= call->place.n_taken)
		return;
	if (budget_take(&call->lane->server->pending, call->place.n_taken,
			n_bytes - call->place.n_taken)) {
		call->place.n_taken = n_bytes;
		return;
	}
	buffer_free(&exchange->body);
	err_set(&exchange->err, STATUS_OVERLOADED,
		"more than %llu bytes of requests are waiting, the limit of --max-pending: "
		"try again later",
		(unsigned long long)call->lane->server->pending.limit);
	api_refuse(api_of(call), exchange);
}

static void release(struct call *call)
{
	budget_give_back(&call->lane->server->pending, call->place.n_taken);
	call->place.n_taken = 0;
}

static bool is_endless(const struct call *call, uint64_t n_bytes)
{
	return n_bytes > (uint64_t)api_of(call)->max_body + DISCARD_MAX;
}

/* A proxy in front may have believed another length than libmicrohttpd does: what is a body
 * to one of them is the next request to the other (RFC 9112, section 11.2). */
static void check_lengths(struct call *call, const struct http_head *head)
{
	const char *encoding = head->value[HEAD_TRANSFER_ENCODING];
	struct exchange *exchange = &call->exchange;

	call->last =
	    head->n_lengths > 1 || (encoding != NULL && strcasecmp(encoding, "chunked") != 0);
	if (!call->last || exchange->http_status != 0)
		return;
	err_set(&exchange->err, STATUS_MALFORMED,
		"the length of the body is not clear, want one Content-Length or one "
		"Transfer-Encoding: chunked");
	api_refuse(api_of(call), exchange);
}

/* After the headers; an answer right away only where no body follows, would follow too long or
 * has no clear end. */
static enum MHD_Result begin_body(struct call *call)
{
	if (call->exchange.http_status == 0)
		reserve(call, call->n_announced);
	if (call->exchange.http_status != 0 &&
	    (call->last || call->expects || is_endless(call, call->n_announced)))
		return respond(call);
	return MHD_YES;
}

/* What can be told from the headers. */
static enum MHD_Result check_head(struct call *call, const struct http_head *head)
{
	const char *length = head->value[HEAD_CONTENT_LENGTH];
	struct exchange *exchange = &call->exchange;

	call->n_announced = length == NULL ? 0 : strtoull(length, NULL, 10);
	call->expects = head->value[HEAD_EXPECT] != NULL;
	check_lengths(call, head);
	if (exchange->http_status == 0 && call->n_announced > api_of(call)->max_body)
		refuse_length(call);
	call->waits =
	    exchange->http_status == 0 &&
	    !http_loop_admit(call->lane->loop, call->connection, &call->place, call->n_announced);
	return call->waits ? MHD_YES : begin_body(call);
}

static void open_exchange(struct call *call, const char *method, const char *path,
			  const struct http_head *head)
{
	const struct exchange_head exchange_head = {
	    .method = method,
	    .path = path,
	    .content_type = head->value[HEAD_CONTENT_TYPE],
	    .request_id = head->value[HEAD_REQUEST_ID],
	    .authorization = head->value[HEAD_AUTHORIZATION],
	    .person = {.query_user = head->value[HEAD_QUERY_USER],
		       .query_context = head->value[HEAD_QUERY_CONTEXT],
		       .header_user = head->value[HEAD_USER],
		       .header_context = head->value[HEAD_CONTEXT]},
	    .format = head->value[HEAD_QUERY_FORMAT],
	    .idempotency_key = head->value[HEAD_IDEMPOTENCY_KEY],
	    .twofold = head->twofold,
	    .page = {.limit = head->value[HEAD_QUERY_LIMIT],
		     .cursor = head->value[HEAD_QUERY_CURSOR]},
	};

	api_open(api_of(call), &call->exchange, &exchange_head);
}

static enum MHD_Result open_call(struct http_lane *lane, struct MHD_Connection *connection,
				 const char *method, const char *path, void **call_out)
{
	struct http_head head;
	struct call *call = mem_array(1, sizeof(*call));

	if (call == NULL)
		return MHD_NO;
	call->lane = lane;
	call->connection = connection;
	*call_out = call;
	http_loop_enter(call->lane->loop, connection, CLIENT_SENDING);
	http_head_read(connection, &head);
	open_exchange(call, method, path, &head);
	return check_head(call, &head);
}

static enum MHD_Result take_body(struct call *call, const char *bytes, size_t n)
{
	struct exchange *exchange = &call->exchange;
	struct api *api = api_of(call);

	call->n_received += n;
	admission_move(&call->place, call->n_received);
	if (exchange->http_status != 0)
		return is_endless(call, call->n_received) ? MHD_NO : MHD_YES;
	if (call->n_received > api->max_body) {
		refuse_length(call);
		return MHD_YES;
	}
	if (exchange->match.method != METHOD_POST)
		return MHD_YES;
	reserve(call, call->n_received);
	if (exchange->http_status != 0)
		return MHD_YES;
	/* all of it and its NUL: what does not come takes no memory but addresses */
	if (exchange->body.capacity == 0)
		buffer_reserve(&exchange->body, (size_t)call->n_announced + 1);
	buffer_add(&exchange->body, bytes, n);
	if (buffer_status(&exchange->body, "the body", &exchange->err) != STATUS_OK)
		api_refuse(api, exchange);
	return MHD_YES;
}

/* The call belongs to its connection again; from the loop, which goes on with it. */
static void resume(struct call *call)
{
	struct http_server *server = call->lane->server;

	http_loop_resume(call->lane->loop, call->connection);
	/* the last thing here: httpd_stop() waits for it */
	atomic_fetch_sub(&server->n_asleep, 1);
}

/* The same on any thread. */
static void wake(struct call *call)
{
	struct http_server *server = call->lane->server;
	struct http_loop *loop = call->lane->loop;

	http_loop_resume(loop, call->connection);
	http_loop_wake(loop);
	atomic_fetch_sub(&server->n_asleep, 1);
}

/* On the writer's thread: the call belongs to its connection again. */
static void write_done(void *context, struct store_op *op)
{
	struct call *call = context;
	struct http_lane *lane = call->lane;

	(void)op;
	http_loop_resume(call->lane->loop, call->connection);
	lane->is_told = true;
	lane->server->n_told++;
}

void http_call_wake(void *context)
{
	struct http_server *server = context;
	size_t n_told = server->n_told;

	for (size_t i = 0; i < server->n_lanes; i++) {
		if (server->lanes[i].is_told)
			http_loop_wake(server->lanes[i].loop);
		server->lanes[i].is_told = false;
	}
	server->n_told = 0;
	/* the last thing here: httpd_stop() waits for it */
	atomic_fetch_sub(&server->n_asleep, n_told);
}

static void submit_write(struct call *call)
{
	struct exchange *exchange = &call->exchange;
	struct api *api = api_of(call);

	call->job = (struct writer_job){
	    .op = &exchange->op,
	    .done = write_done,
	    .context = call,
	    .audience = &call->lane->server->audience,
	};
	call->submitted = true;
	if (writer_submit(api->writer, &call->job, &exchange->err) == STATUS_OK)
		return;
	api_refuse(api, exchange);
	wake(call);
}

/* On a worker's thread. */
static void work(void *context)
{
	struct call *call = context;

	if (api_work(api_of(call), &call->exchange) == API_WRITE)
		submit_write(call);
	else
		wake(call);
}

static void submit_work(struct call *call)
{
	struct exchange *exchange = &call->exchange;
	struct api *api = api_of(call);

	api_put_off(exchange);
	if (workers_submit(api->workers, &call->work, &exchange->err) == STATUS_OK)
		return;
	api_refuse(api, exchange);
	wake(call);
}

/* On the loop's thread: the first request for its texts has an outcome. */
static void asked(void *context)
{
	struct call *call = context;
	struct workers *workers = api_of(call)->workers;
	enum api_next next;

	if (!api_is_ready(&call->exchange)) {
		workers_take_over(workers, &call->work);
		return;
	}
	next = api_work(api_of(call), &call->exchange);
	/* who has waited for the place finds the vectors in the cache */
	workers_leave(workers);
	if (next == API_WRITE)
		submit_write(call);
	else
		resume(call);
}

/* A server is asked for its texts from here, or else by a thread that may wait. */
static void ask(struct call *call)
{
	struct workers *workers = api_of(call)->workers;
	struct http_mux *mux = http_loop_mux(call->lane->loop);

	call->work = (struct workers_job){.run = work, .context = call};
	if (mux == NULL || !workers_enter(workers))
		submit_work(call);
	else if (!api_ask(&call->exchange, mux, asked, call))
		workers_take_over(workers, &call->work);
}

static void refuse_stopping(struct call *call)
{
	err_set(&call->exchange.err, STATUS_SHUTTING_DOWN, "the daemon is stopping");
	api_refuse(api_of(call), &call->exchange);
}

/* Before anyone else can know of the connection, so that it cannot be woken too early. */
static bool fall_asleep(struct call *call)
{
	struct http_server *server = call->lane->server;

	/* counted before closing is looked at: httpd_stop() sets it, then waits for 0 */
	atomic_fetch_add(&server->n_asleep, 1);
	if (atomic_load(&server->closing)) {
		atomic_fetch_sub(&server->n_asleep, 1);
		refuse_stopping(call);
		return false;
	}
	http_loop_enter(call->lane->loop, call->connection, CLIENT_WAITING);
	MHD_suspend_connection(call->connection);
	return true;
}

static enum api_next begin(struct call *call)
{
	struct exchange *exchange = &call->exchange;
	enum api_next next = api_begin(api_of(call), exchange);

	if (next == API_WAIT && api_is_ready(exchange))
		next = api_work(api_of(call), exchange);
	/* where the body is still needed, what it costs is pending until the answer */
	if (next == API_ANSWERED || (next == API_WRITE && exchange->body.bytes == NULL))
		release(call);
	return next;
}

/* Of a connection that sleeps; on the loop's thread. */
static void go_on(struct call *call, enum api_next next)
{
	if (next == API_WRITE)
		submit_write(call);
	else if (next == API_WAIT)
		ask(call);
	else
		resume(call);
}

static void begin_deferred(void *context)
{
	struct call *call = context;

	if (atomic_load(&call->lane->server->closing)) {
		refuse_stopping(call);
		resume(call);
		return;
	}
	go_on(call, begin(call));
}

/* What waits for the disk can also wait for the scores that are there. */
static bool may_be_deferred(const struct exchange *exchange)
{
	return exchange->match.route == ROUTE_FEEDBACK;
}

/* The whole body is in. */
static enum MHD_Result answer(struct call *call)
{
	struct exchange *exchange = &call->exchange;
	enum api_next next;

	if (exchange->http_status != 0)
		return respond(call);
	if (call->submitted) {
		api_end(api_of(call), exchange);
		return respond(call);
	}
	if (may_be_deferred(exchange)) {
		if (!fall_asleep(call))
			return respond(call);
		call->task = (struct http_task){.run = begin_deferred, .context = call};
		http_loop_defer(call->lane->loop, &call->task);
		return MHD_YES;
	}
	next = begin(call);
	if (next == API_ANSWERED || !fall_asleep(call))
		return respond(call);
	go_on(call, next);
	return MHD_YES;
}

enum MHD_Result http_call_handle(void *lane, struct MHD_Connection *connection, const char *url,
				 const char *method, const char *version, const char *upload_data,
				 size_t *upload_data_size, void **call_slot)
{
	struct call *call = *call_slot;
	size_t n = *upload_data_size;

	(void)version;
	if (call == NULL)
		return open_call(lane, connection, method, url, call_slot);
	if (call->waits) {
		call->waits = false;
		return begin_body(call);
	}
	if (n == 0) {
		enum MHD_Result result = answer(call);

		http_loop_forget(call->lane->loop, &call->place);
		return result;
	}
	*upload_data_size = 0;
	return take_body(call, upload_data, n);
}

void http_call_completed(void *context, struct MHD_Connection *connection, void **call_slot,
			 enum MHD_RequestTerminationCode why)
{
	struct call *call = *call_slot;

	(void)context;
	(void)why;
	if (call == NULL)
		return;
	http_loop_enter(call->lane->loop, connection, CLIENT_IDLE);
	http_loop_forget(call->lane->loop, &call->place);
	release(call);
	api_close(api_of(call), &call->exchange);
	mem_free(call);
	*call_slot = NULL;
}
