/* SPDX-License-Identifier: Apache-2.0 */
#include "server/httpd.h"

#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "server/clock.h"
#include "server/http_loop.h"
#include "server/log.h"

/* A refused body is read to its end, because a client that is still sending would
 * see a reset connection instead of the answer. But not for ever. */
#define DISCARD_MAX (64u << 20)

/* Room for a body is made at once when its first bytes are there, but no more than this for
 * bytes that are only announced. */
#define RESERVE_MAX (1u << 20)

struct httpd {
	struct api *api;
	atomic_bool closing;	/* no more writes are submitted */
	atomic_size_t n_writes; /* submitted, or about to be; suspended connections */
	size_t n_lanes;
	struct lane *lanes; /* [n_lanes] */
};

/* A thread with connections of its own. */
struct lane {
	struct httpd *httpd;
	struct http_loop *loop;
};

/* One request on its connection. */
struct call {
	struct exchange exchange;
	struct httpd *httpd;
	struct http_loop *loop;
	struct MHD_Connection *connection;
	uint64_t n_announced; /* bytes of the body, by Content-Length */
	uint64_t n_received;  /* bytes of the body, kept or not */
	bool submitted;	      /* to the writer: the next step is api_end() */
	bool last;	      /* of its connection, which is closed after the answer */
	struct writer_job job;
};

static const char *header(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static bool add_retry_after(const struct exchange *exchange, struct MHD_Response *response)
{
	unsigned seconds = exchange->caller.retry_after;
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
	if (call->last || atomic_load(&call->httpd->api->stopping))
		ok = ok && MHD_add_response_header(response, "Connection", "close");
	return ok;
}

/* MHD_NO closes the connection: without memory there is nothing better. */
static enum MHD_Result respond(struct call *call)
{
	const struct exchange *exchange = &call->exchange;
	/* the text lives until completed(), and MHD is done with it then */
	struct MHD_Response *response = MHD_create_response_from_buffer(
	    exchange->text_len, (void *)exchange->text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result = MHD_NO;

	if (response == NULL)
		return MHD_NO;
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
		call->httpd->api->max_body);
	api_refuse(call->httpd->api, exchange);
}

static bool is_endless(const struct call *call, uint64_t n_bytes)
{
	return n_bytes > (uint64_t)call->httpd->api->max_body + DISCARD_MAX;
}

static enum MHD_Result count_length(void *context, enum MHD_ValueKind kind, const char *name,
				    const char *value)
{
	size_t *n_lengths = context;

	(void)kind;
	(void)value;
	if (strcasecmp(name, "Content-Length") == 0 || strcasecmp(name, "Transfer-Encoding") == 0)
		++*n_lengths;
	return MHD_YES;
}

/* A proxy in front may have believed another length than libmicrohttpd does: what is a body
 * to one of them is the next request to the other (RFC 9112, section 11.2). */
static void check_lengths(struct call *call)
{
	const char *encoding = header(call->connection, "Transfer-Encoding");
	struct exchange *exchange = &call->exchange;
	size_t n_lengths = 0;

	MHD_get_connection_values(call->connection, MHD_HEADER_KIND, count_length, &n_lengths);
	call->last = n_lengths > 1 || (encoding != NULL && strcasecmp(encoding, "chunked") != 0);
	if (!call->last || exchange->http_status != 0)
		return;
	err_set(&exchange->err, STATUS_MALFORMED,
		"the length of the body is not clear, want one Content-Length or one "
		"Transfer-Encoding: chunked");
	api_refuse(call->httpd->api, exchange);
}

/* What can be told from the headers; an answer right away only where no body follows,
 * would follow too long or has no clear end. */
static enum MHD_Result check_head(struct call *call)
{
	const char *length = header(call->connection, "Content-Length");
	struct exchange *exchange = &call->exchange;
	uint64_t n_bytes = length == NULL ? 0 : strtoull(length, NULL, 10);

	call->n_announced = n_bytes;
	check_lengths(call);
	if (exchange->http_status == 0 && n_bytes > call->httpd->api->max_body)
		refuse_length(call);
	if (exchange->http_status == 0)
		return MHD_YES;
	if (call->last || header(call->connection, "Expect") != NULL || is_endless(call, n_bytes))
		return respond(call);
	return MHD_YES;
}

static enum MHD_Result open_call(const struct lane *lane, struct MHD_Connection *connection,
				 const char *method, const char *path, void **call_out)
{
	const struct exchange_head head = {
	    .method = method,
	    .path = path,
	    .content_type = header(connection, "Content-Type"),
	    .request_id = header(connection, "X-Request-Id"),
	    .authorization = header(connection, "Authorization"),
	};
	struct call *call = mem_array(1, sizeof(*call));

	if (call == NULL)
		return MHD_NO;
	call->httpd = lane->httpd;
	call->loop = lane->loop;
	call->connection = connection;
	*call_out = call;
	api_open(call->httpd->api, &call->exchange, &head);
	return check_head(call);
}

/* The whole of it and its NUL, if that is not too much to do on trust. */
static size_t body_room(const struct call *call)
{
	return call->n_announced < RESERVE_MAX ? (size_t)call->n_announced + 1 : RESERVE_MAX;
}

static enum MHD_Result take_body(struct call *call, const char *bytes, size_t n)
{
	struct exchange *exchange = &call->exchange;
	struct api *api = call->httpd->api;

	call->n_received += n;
	if (exchange->http_status != 0)
		return is_endless(call, call->n_received) ? MHD_NO : MHD_YES;
	if (call->n_received > api->max_body) {
		refuse_length(call);
		return MHD_YES;
	}
	if (exchange->match.method != METHOD_POST)
		return MHD_YES;
	if (exchange->body.capacity == 0)
		buffer_reserve(&exchange->body, body_room(call));
	buffer_add(&exchange->body, bytes, n);
	if (buffer_status(&exchange->body, "the body", &exchange->err) != STATUS_OK)
		api_refuse(api, exchange);
	return MHD_YES;
}

/* On the writer's thread. */
static void write_done(void *context, struct store_op *op)
{
	struct call *call = context;
	struct httpd *httpd = call->httpd;
	struct http_loop *loop = call->loop;

	(void)op;
	/* from here on the call belongs to its connection again */
	MHD_resume_connection(call->connection);
	http_loop_wake(loop);
	/* the last thing here: httpd_stop() waits for it */
	atomic_fetch_sub(&httpd->n_writes, 1);
}

/* The connection sleeps before the writer can know of it, so it cannot be woken too early. */
static void submit(struct call *call)
{
	struct exchange *exchange = &call->exchange;
	struct api *api = call->httpd->api;

	call->job = (struct writer_job){.op = &exchange->op, .done = write_done, .context = call};
	call->submitted = true;
	MHD_suspend_connection(call->connection);
	if (writer_submit(api->writer, &call->job, &exchange->err) == STATUS_OK)
		return;
	api_refuse(api, exchange);
	write_done(call, &exchange->op);
}

static enum MHD_Result begin_write(struct call *call)
{
	struct httpd *httpd = call->httpd;

	/* counted before closing is looked at: httpd_stop() sets it, then waits for 0 */
	atomic_fetch_add(&httpd->n_writes, 1);
	if (!atomic_load(&httpd->closing)) {
		submit(call);
		return MHD_YES;
	}
	atomic_fetch_sub(&httpd->n_writes, 1);
	err_set(&call->exchange.err, STATUS_SHUTTING_DOWN, "the daemon is stopping");
	api_refuse(httpd->api, &call->exchange);
	return respond(call);
}

/* The whole body is in. */
static enum MHD_Result answer(struct call *call)
{
	struct exchange *exchange = &call->exchange;

	if (exchange->http_status != 0)
		return respond(call);
	if (call->submitted) {
		api_end(call->httpd->api, exchange);
		return respond(call);
	}
	if (api_begin(call->httpd->api, exchange) == API_WRITE)
		return begin_write(call);
	return respond(call);
}

/* MHD_quiesce_daemon() would stop the accepting, but it is for the thread that runs the daemon. */
static enum MHD_Result admit(void *context, const struct sockaddr *address, socklen_t len)
{
	const struct httpd *httpd = context;

	(void)address;
	(void)len;
	return atomic_load(&httpd->api->stopping) ? MHD_NO : MHD_YES;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *upload_data,
			      size_t *upload_data_size, void **call_slot)
{
	struct call *call = *call_slot;
	size_t n = *upload_data_size;

	(void)version;
	if (call == NULL)
		return open_call(context, connection, method, url, call_slot);
	if (n == 0)
		return answer(call);
	*upload_data_size = 0;
	return take_body(call, upload_data, n);
}

static void completed(void *context, struct MHD_Connection *connection, void **call_slot,
		      enum MHD_RequestTerminationCode why)
{
	struct call *call = *call_slot;

	(void)context;
	(void)connection;
	(void)why;
	if (call == NULL)
		return;
	api_close(call->httpd->api, &call->exchange);
	mem_free(call);
	*call_slot = NULL;
}

/* Paths stay as they came; route.c decodes them strictly. */
static size_t keep_escapes(void *context, struct MHD_Connection *connection, char *text)
{
	(void)context;
	(void)connection;
	return strlen(text);
}

static void log_message(void *context, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void log_message(void *context, const char *format, va_list args)
{
	struct log_line line;
	char text[512];

	(void)context;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\r\n")] = '\0';
	log_begin(&line, LOG_WARN, "http");
	log_text(&line, "message", text);
	log_end(&line);
}

/* n_connections: that this lane may have. NULL if libmicrohttpd does not start. */
static struct MHD_Daemon *start_daemon(const struct httpd_options *options, struct lane *lane,
				       int listen_fd, unsigned n_connections)
{
	const unsigned tls = options->tls == NULL ? 0 : MHD_USE_TLS;
	struct MHD_OptionItem more[3];
	size_t n = 0;

	if (options->tls != NULL) {
		more[n++] =
		    (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)TLS_PRIORITIES};
		more[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK2, 0,
						    (void *)tls_retrieve};
	}
	more[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};

	/* the logger first: it is used while the other options are read */
	return MHD_start_daemon(
	    HTTP_LOOP_FLAGS | MHD_USE_ERROR_LOG | tls, 0, admit, lane->httpd, handle, lane,
	    MHD_OPTION_EXTERNAL_LOGGER, log_message, NULL, MHD_OPTION_LISTEN_SOCKET, listen_fd,
	    MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_NOTIFY_CONNECTION,
	    http_loop_note, lane->loop, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
	    MHD_OPTION_CONNECTION_LIMIT, n_connections, MHD_OPTION_CONNECTION_TIMEOUT,
	    options->idle_timeout, MHD_OPTION_CONNECTION_MEMORY_LIMIT, options->connection_memory,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY,
	    more, MHD_OPTION_END);
}

/* All lanes accept from one socket, each through a descriptor that its daemon closes. */
static enum status start_lane(const struct httpd_options *options, struct lane *lane,
			      unsigned n_connections, struct err *err)
{
	enum status status = http_loop_open(&lane->loop, err);
	struct MHD_Daemon *daemon;
	int fd;

	if (status != STATUS_OK)
		return status;
	fd = fcntl(options->listen_fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(err, STATUS_IO, "start the HTTP server");
	daemon = start_daemon(options, lane, fd, n_connections);
	if (daemon == NULL) {
		close(fd);
		return err_set(err, STATUS_IO, "cannot start the HTTP server");
	}
	return http_loop_start(lane->loop, daemon, err);
}

static enum status start_lanes(const struct httpd_options *options, struct httpd *httpd,
			       struct err *err)
{
	unsigned n = options->n_threads;
	enum status status = STATUS_OK;

	for (unsigned i = 0; i < n && status == STATUS_OK; i++) {
		/* the first ones take what is left over */
		unsigned n_connections =
		    options->max_connections / n + (i < options->max_connections % n);

		httpd->lanes[i].httpd = httpd;
		status = start_lane(options, &httpd->lanes[i], n_connections, err);
	}
	return status;
}

static void httpd_free(struct httpd *httpd)
{
	for (size_t i = 0; i < httpd->n_lanes; i++)
		http_loop_close(httpd->lanes[i].loop);
	mem_free(httpd->lanes);
	mem_free(httpd);
}

static struct httpd *httpd_allocate(size_t n_lanes)
{
	struct httpd *httpd = mem_array(1, sizeof(*httpd));

	if (httpd == NULL)
		return NULL;
	httpd->n_lanes = n_lanes;
	httpd->lanes = mem_array(n_lanes, sizeof(*httpd->lanes));
	if (httpd->lanes != NULL)
		return httpd;
	mem_free(httpd);
	return NULL;
}

enum status httpd_start(const struct httpd_options *options, struct api *api,
			struct httpd **httpd_out, struct err *err)
{
	struct httpd *httpd = httpd_allocate(options->n_threads);
	enum status status;

	if (httpd == NULL) {
		close(options->listen_fd);
		return err_no_memory(err, "the HTTP server");
	}
	httpd->api = api;
	tls_serve(options->tls);
	status = start_lanes(options, httpd, err);
	close(options->listen_fd);
	if (status != STATUS_OK) {
		httpd_free(httpd);
		return status;
	}
	*httpd_out = httpd;
	return STATUS_OK;
}

static void nap(void)
{
	const struct timespec ms = {.tv_nsec = 1000000};

	nanosleep(&ms, NULL);
}

bool httpd_drain(struct httpd *httpd, double seconds)
{
	double end = clock_monotonic() + seconds;

	atomic_store(&httpd->api->stopping, true);
	while (atomic_load(&httpd->api->metrics.in_flight) > 0) {
		if (clock_monotonic() >= end)
			return false;
		nap();
	}
	return true;
}

void httpd_stop(struct httpd *httpd)
{
	if (httpd == NULL)
		return;
	atomic_store(&httpd->closing, true);
	while (atomic_load(&httpd->n_writes) > 0)
		nap();
	httpd_free(httpd);
}
