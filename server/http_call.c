/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/mem.h"

/* A refused body is read to its end, because a client that is still sending would
 * see a reset connection instead of the answer. But not for ever. */
#define DISCARD_MAX (64u << 20)

/* Bytes of a stream that are made at once. */
#define STREAM_BLOCK (64u << 10)

/* One request on its connection. */
struct call {
	struct exchange exchange;
	struct http_server *server;
	struct http_loop *loop;
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
};

/* What a request's head may say beside method and path. */
enum field {
	FIELD_CONTENT_LENGTH,
	FIELD_TRANSFER_ENCODING,
	FIELD_EXPECT,
	FIELD_CONTENT_TYPE,
	FIELD_REQUEST_ID,
	FIELD_AUTHORIZATION,
	FIELD_USER,
	FIELD_CONTEXT,
	FIELD_IDEMPOTENCY_KEY,
	FIELD_QUERY_USER,
	FIELD_QUERY_CONTEXT,
	FIELD_QUERY_FORMAT,
	FIELD_QUERY_LIMIT,
	FIELD_QUERY_CURSOR,
	N_FIELDS,
};

#define NAME(text) .name = (text), .len = sizeof(text) - 1

static const struct {
	const char *name;
	size_t len;
	enum MHD_ValueKind kind;
} fields[N_FIELDS] = {
    [FIELD_CONTENT_LENGTH] = {NAME("Content-Length"), MHD_HEADER_KIND},
    [FIELD_TRANSFER_ENCODING] = {NAME("Transfer-Encoding"), MHD_HEADER_KIND},
    [FIELD_EXPECT] = {NAME("Expect"), MHD_HEADER_KIND},
    [FIELD_CONTENT_TYPE] = {NAME("Content-Type"), MHD_HEADER_KIND},
    [FIELD_REQUEST_ID] = {NAME("X-Request-Id"), MHD_HEADER_KIND},
    [FIELD_AUTHORIZATION] = {NAME("Authorization"), MHD_HEADER_KIND},
    [FIELD_USER] = {NAME("X-Micro-User"), MHD_HEADER_KIND},
    [FIELD_CONTEXT] = {NAME("X-Micro-Context"), MHD_HEADER_KIND},
    [FIELD_IDEMPOTENCY_KEY] = {NAME("Idempotency-Key"), MHD_HEADER_KIND},
    [FIELD_QUERY_USER] = {NAME("user"), MHD_GET_ARGUMENT_KIND},
    [FIELD_QUERY_CONTEXT] = {NAME("context"), MHD_GET_ARGUMENT_KIND},
    [FIELD_QUERY_FORMAT] = {NAME("format"), MHD_GET_ARGUMENT_KIND},
    [FIELD_QUERY_LIMIT] = {NAME("limit"), MHD_GET_ARGUMENT_KIND},
    [FIELD_QUERY_CURSOR] = {NAME("cursor"), MHD_GET_ARGUMENT_KIND},
};

struct head {
	const char *value[N_FIELDS]; /* the first of each name; NULL: none, or it has none */
	size_t n_lengths;	     /* fields that say how long the body is */
};

/* One pass over all that there is, which is little, instead of one for each field. */
static enum MHD_Result take_field(void *context, enum MHD_ValueKind kind, const char *name,
				  const char *value)
{
	struct head *head = context;
	size_t len = strlen(name);

	for (size_t f = 0; f < N_FIELDS; f++) {
		if (fields[f].len != len || fields[f].kind != kind ||
		    strcasecmp(fields[f].name, name) != 0)
			continue;
		if (head->value[f] == NULL)
			head->value[f] = value;
		head->n_lengths += f == FIELD_CONTENT_LENGTH || f == FIELD_TRANSFER_ENCODING;
	}
	return MHD_YES;
}

static bool add_retry_after(const struct exchange *exchange, struct MHD_Response *response)
{
	unsigned seconds = exchange->err.retry_after;
	char text[16];

	snprintf(text, sizeof(text), "%u", seconds == 0 ? 1 : seconds);
	return MHD_add_response_header(response, "Retry-After", text);
}

static bool add_headers(const struct call *call, struct MHD_Response *response)
{
	const struct exchange *exchange = &call->exchange;
	bool ok = MHD_add_response_header(response, "Content-Type", exchange->content_type) &&
		  MHD_add_response_header(response, "X-Request-Id", exchange->request_id);

	if (exchange->http_status == 401)
		ok = ok &&
		     MHD_add_response_header(response, "WWW-Authenticate",
					     ACCESS_CHALLENGE_BEARER) &&
		     MHD_add_response_header(response, "WWW-Authenticate", ACCESS_CHALLENGE_BASIC);
	if (exchange->http_status == 405)
		ok = ok &&
		     MHD_add_response_header(response, "Allow", route_allow(exchange->match.route));
	if (exchange->http_status == 503)
		ok = ok && add_retry_after(exchange, response);
	if (call->last || atomic_load(&call->server->api->stopping))
		ok = ok && MHD_add_response_header(response, "Connection", "close");
	return ok;
}

static ssize_t read_stream(void *context, uint64_t position, char *bytes, size_t size)
{
	struct call *call = context;
	ssize_t n = api_read_stream(call->server->api, &call->exchange, bytes, size);

	(void)position;
	if (n < 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	return n == 0 ? MHD_CONTENT_READER_END_OF_STREAM : n;
}

/* Text and stream live until http_call_completed(), and MHD is done with them then. */
static struct MHD_Response *make_response(struct call *call)
{
	const struct exchange *exchange = &call->exchange;

	if (exchange->stream != NULL && exchange->text == NULL)
		return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK,
							 read_stream, call, NULL);
	return MHD_create_response_from_buffer(exchange->text_len, (void *)exchange->text,
					       MHD_RESPMEM_PERSISTENT);
}

/* MHD_NO closes the connection: without memory there is nothing better. */
static enum MHD_Result respond(struct call *call)
{
	const struct exchange *exchange = &call->exchange;
	struct MHD_Response *response = make_response(call);
	enum MHD_Result result = MHD_NO;

	if (response == NULL)
		return MHD_NO;
	http_loop_enter(call->loop, call->connection, CLIENT_READING);
	if (add_headers(call, response))
		result =
		    MHD_queue_response(call->connection, (unsigned)exchange->http_status, response);
	MHD_destroy_response(response);
	return result;
}

static void refuse_length(struct call *call)
{
	struct exchange *exchange = &call->exchange;

	buffer_free(&exchange->body);
	err_set(&exchange->err, STATUS_TOO_LARGE,
		"the body has more than %zu bytes, the limit of --max-body",
		call->server->api->max_body);
	api_refuse(call->server->api, exchange);
}

/* n_bytes in all of this body. Refused when they are too many. */
static void reserve(struct call *call, uint64_t n_bytes)
{
	struct exchange *exchange = &call->exchange;

	if (n_bytes <= call->place.n_taken)
		return;
	if (budget_take(&call->server->pending, call->place.n_taken,
			n_bytes - call->place.n_taken)) {
		call->place.n_taken = n_bytes;
		return;
	}
	buffer_free(&exchange->body);
	err_set(&exchange->err, STATUS_OVERLOADED,
		"more than %llu bytes of requests are waiting, the limit of --max-pending: "
		"try again later",
		(unsigned long long)call->server->pending.limit);
	api_refuse(call->server->api, exchange);
}

static void release(struct call *call)
{
	budget_give_back(&call->server->pending, call->place.n_taken);
	call->place.n_taken = 0;
}

static bool is_endless(const struct call *call, uint64_t n_bytes)
{
	return n_bytes > (uint64_t)call->server->api->max_body + DISCARD_MAX;
}

/* A proxy in front may have believed another length than libmicrohttpd does: what is a body
 * to one of them is the next request to the other (RFC 9112, section 11.2). */
static void check_lengths(struct call *call, const struct head *head)
{
	const char *encoding = head->value[FIELD_TRANSFER_ENCODING];
	struct exchange *exchange = &call->exchange;

	call->last =
	    head->n_lengths > 1 || (encoding != NULL && strcasecmp(encoding, "chunked") != 0);
	if (!call->last || exchange->http_status != 0)
		return;
	err_set(&exchange->err, STATUS_MALFORMED,
		"the length of the body is not clear, want one Content-Length or one "
		"Transfer-Encoding: chunked");
	api_refuse(call->server->api, exchange);
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
static enum MHD_Result check_head(struct call *call, const struct head *head)
{
	const char *length = head->value[FIELD_CONTENT_LENGTH];
	struct exchange *exchange = &call->exchange;

	call->n_announced = length == NULL ? 0 : strtoull(length, NULL, 10);
	call->expects = head->value[FIELD_EXPECT] != NULL;
	check_lengths(call, head);
	if (exchange->http_status == 0 && call->n_announced > call->server->api->max_body)
		refuse_length(call);
	call->waits =
	    exchange->http_status == 0 &&
	    !http_loop_admit(call->loop, call->connection, &call->place, call->n_announced);
	return call->waits ? MHD_YES : begin_body(call);
}

static void open_exchange(struct call *call, const char *method, const char *path,
			  const struct head *head)
{
	const struct exchange_head exchange_head = {
	    .method = method,
	    .path = path,
	    .content_type = head->value[FIELD_CONTENT_TYPE],
	    .request_id = head->value[FIELD_REQUEST_ID],
	    .authorization = head->value[FIELD_AUTHORIZATION],
	    .person = {.query_user = head->value[FIELD_QUERY_USER],
		       .query_context = head->value[FIELD_QUERY_CONTEXT],
		       .header_user = head->value[FIELD_USER],
		       .header_context = head->value[FIELD_CONTEXT]},
	    .format = head->value[FIELD_QUERY_FORMAT],
	    .idempotency_key = head->value[FIELD_IDEMPOTENCY_KEY],
	    .page = {.limit = head->value[FIELD_QUERY_LIMIT],
		     .cursor = head->value[FIELD_QUERY_CURSOR]},
	};

	api_open(call->server->api, &call->exchange, &exchange_head);
}

static enum MHD_Result open_call(const struct http_lane *lane, struct MHD_Connection *connection,
				 const char *method, const char *path, void **call_out)
{
	struct head head = {.n_lengths = 0};
	struct call *call = mem_array(1, sizeof(*call));

	if (call == NULL)
		return MHD_NO;
	call->server = lane->server;
	call->loop = lane->loop;
	call->connection = connection;
	*call_out = call;
	http_loop_enter(call->loop, connection, CLIENT_SENDING);
	MHD_get_connection_values(connection, MHD_HEADER_KIND | MHD_GET_ARGUMENT_KIND, take_field,
				  &head);
	open_exchange(call, method, path, &head);
	return check_head(call, &head);
}

static enum MHD_Result take_body(struct call *call, const char *bytes, size_t n)
{
	struct exchange *exchange = &call->exchange;
	struct api *api = call->server->api;

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
	struct http_server *server = call->server;

	MHD_resume_connection(call->connection);
	/* the last thing here: httpd_stop() waits for it */
	atomic_fetch_sub(&server->n_asleep, 1);
}

/* The same on any thread. */
static void wake(struct call *call)
{
	struct http_server *server = call->server;
	struct http_loop *loop = call->loop;

	MHD_resume_connection(call->connection);
	http_loop_wake(loop);
	atomic_fetch_sub(&server->n_asleep, 1);
}

/* On the writer's thread. */
static void write_done(void *context, struct store_op *op)
{
	(void)op;
	wake(context);
}

static void submit_write(struct call *call)
{
	struct exchange *exchange = &call->exchange;
	struct api *api = call->server->api;

	call->job = (struct writer_job){.op = &exchange->op, .done = write_done, .context = call};
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

	if (api_work(call->server->api, &call->exchange) == API_WRITE)
		submit_write(call);
	else
		wake(call);
}

static void submit_work(struct call *call)
{
	struct exchange *exchange = &call->exchange;
	struct api *api = call->server->api;

	if (workers_submit(api->workers, &call->work, &exchange->err) == STATUS_OK)
		return;
	api_refuse(api, exchange);
	wake(call);
}

/* On the loop's thread: the first request for its texts has an outcome. */
static void asked(void *context)
{
	struct call *call = context;
	struct workers *workers = call->server->api->workers;

	if (!api_is_ready(&call->exchange)) {
		workers_take_over(workers, &call->work);
		return;
	}
	workers_leave(workers);
	if (api_work(call->server->api, &call->exchange) == API_WRITE)
		submit_write(call);
	else
		resume(call);
}

/* A server is asked for its texts from here, or else by a thread that may wait. */
static void ask(struct call *call)
{
	struct workers *workers = call->server->api->workers;
	struct http_mux *mux = http_loop_mux(call->loop);

	call->work = (struct workers_job){.run = work, .context = call};
	if (mux == NULL || !workers_enter(workers))
		submit_work(call);
	else if (!api_ask(&call->exchange, mux, asked, call))
		workers_take_over(workers, &call->work);
}

/* The connection sleeps before anyone else can know of it, so it cannot be woken too early. */
static enum MHD_Result sleep_until_done(struct call *call, enum api_next next)
{
	struct http_server *server = call->server;

	/* counted before closing is looked at: httpd_stop() sets it, then waits for 0 */
	atomic_fetch_add(&server->n_asleep, 1);
	if (atomic_load(&server->closing)) {
		atomic_fetch_sub(&server->n_asleep, 1);
		err_set(&call->exchange.err, STATUS_SHUTTING_DOWN, "the daemon is stopping");
		api_refuse(server->api, &call->exchange);
		return respond(call);
	}
	http_loop_enter(call->loop, call->connection, CLIENT_WAITING);
	MHD_suspend_connection(call->connection);
	if (next == API_WRITE)
		submit_write(call);
	else
		ask(call);
	return MHD_YES;
}

/* The whole body is in. */
static enum MHD_Result answer(struct call *call)
{
	struct exchange *exchange = &call->exchange;
	enum api_next next;

	if (exchange->http_status != 0)
		return respond(call);
	if (call->submitted) {
		api_end(call->server->api, exchange);
		return respond(call);
	}
	next = api_begin(call->server->api, exchange);
	if (next == API_WAIT && api_is_ready(exchange))
		next = api_work(call->server->api, exchange);
	/* where the body is still needed, what it costs is pending until the answer */
	if (next == API_ANSWERED || (next == API_WRITE && exchange->body.bytes == NULL))
		release(call);
	return next == API_ANSWERED ? respond(call) : sleep_until_done(call, next);
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

		http_loop_forget(call->loop, &call->place);
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
	http_loop_enter(call->loop, connection, CLIENT_IDLE);
	http_loop_forget(call->loop, &call->place);
	release(call);
	api_close(call->server->api, &call->exchange);
	mem_free(call);
	*call_slot = NULL;
}
