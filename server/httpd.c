/* SPDX-License-Identifier: Apache-2.0 */
#include "server/httpd.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "server/acceptor.h"
#include "server/clock.h"
#include "server/http_call.h"
#include "server/http_table.h"
#include "server/log.h"

struct httpd {
	struct http_server server;
	struct acceptor *acceptor; /* NULL: nobody gets in */
};

size_t httpd_tables(unsigned max_connections, unsigned n_threads)
{
	return http_table_number((max_connections + n_threads - 1) / n_threads);
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

/* NULL if libmicrohttpd does not start. The acceptor sees to the limit of connections: in all
 * lanes together, so that each may have as many. */
static struct MHD_Daemon *start_daemon(const struct httpd_options *options, struct http_lane *lane)
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
	    HTTP_LOOP_FLAGS | MHD_USE_ERROR_LOG | tls, 0, NULL, NULL, http_call_handle, lane,
	    MHD_OPTION_EXTERNAL_LOGGER, log_message, NULL, MHD_OPTION_NOTIFY_COMPLETED,
	    http_call_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION, http_loop_note, lane->loop,
	    MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_CONNECTION_LIMIT,
	    options->max_connections, MHD_OPTION_CONNECTION_TIMEOUT, options->idle_timeout,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, options->connection_memory,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY,
	    more, MHD_OPTION_END);
}

static enum status add_table(const struct httpd_options *options, struct http_lane *lane,
			     struct err *err)
{
	struct MHD_Daemon *daemon = start_daemon(options, lane);

	if (daemon == NULL)
		return err_set(err, STATUS_IO, "cannot start the HTTP server");
	return http_loop_add(lane->loop, daemon, err);
}

static enum status start_lane(const struct httpd_options *options, struct http_lane *lane, size_t i,
			      struct err *err)
{
	const struct client_limits limits = {
	    .idle = options->idle_timeout + options->request_timeout,
	    .busy = options->request_timeout,
	};
	const size_t n_tables = httpd_tables(options->max_connections, options->n_threads);
	enum status status = http_loop_open(n_tables, &limits, &lane->server->pending,
					    &lane->server->api->metrics, &lane->loop, err);

	for (size_t k = 0; k < n_tables && status == STATUS_OK; k++)
		status = add_table(options, lane, err);
	return status == STATUS_OK ? http_loop_start(lane->loop, i, options->n_threads, err)
				   : status;
}

static enum status start_lanes(const struct httpd_options *options, struct httpd *httpd,
			       struct err *err)
{
	enum status status = STATUS_OK;

	for (size_t i = 0; i < httpd->server.n_lanes && status == STATUS_OK; i++) {
		httpd->server.lanes[i].server = &httpd->server;
		status = start_lane(options, &httpd->server.lanes[i], i, err);
	}
	return status;
}

/* Owns options->listen_fd, also on error. */
static enum status start_accepting(const struct httpd_options *options, struct httpd *httpd,
				   struct err *err)
{
	const struct acceptor_options accepting = {
	    .listen_fd = options->listen_fd,
	    .max_connections = options->max_connections,
	    .n_places = options->n_places,
	    .n_lanes = httpd->server.n_lanes,
	    .encrypted = options->tls != NULL,
	    .random_bytes = httpd->server.api->service.random_bytes,
	    .metrics = &httpd->server.api->metrics,
	};
	struct acceptor_lane *lanes = mem_array(httpd->server.n_lanes, sizeof(*lanes));
	enum status status;

	if (lanes == NULL) {
		close(options->listen_fd);
		return err_no_memory(err, "the HTTP server");
	}
	for (size_t i = 0; i < httpd->server.n_lanes; i++)
		lanes[i] = (struct acceptor_lane){
		    .context = httpd->server.lanes[i].loop,
		    .count = http_loop_count,
		    .give = http_loop_give,
		    .shed = http_loop_shed,
		};
	status = acceptor_start(&accepting, lanes, &httpd->acceptor, err);
	mem_free(lanes);
	return status;
}

static void httpd_free(struct httpd *httpd)
{
	for (size_t i = 0; i < httpd->server.n_lanes; i++)
		http_loop_close(httpd->server.lanes[i].loop);
	mem_free(httpd->server.lanes);
	mem_free(httpd);
}

static struct httpd *httpd_allocate(size_t n_lanes)
{
	struct httpd *httpd = mem_array(1, sizeof(*httpd));

	if (httpd == NULL)
		return NULL;
	httpd->server.n_lanes = n_lanes;
	httpd->server.lanes = mem_array(n_lanes, sizeof(*httpd->server.lanes));
	if (httpd->server.lanes != NULL)
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
	httpd->server.api = api;
	httpd->server.audience = (struct writer_audience){http_call_wake, &httpd->server};
	httpd->server.pending.limit = options->max_pending;
	tls_serve(options->tls);
	status = start_lanes(options, httpd, err);
	if (status == STATUS_OK)
		status = start_accepting(options, httpd, err);
	else
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

	atomic_store(&httpd->server.api->stopping, true);
	acceptor_stop(httpd->acceptor);
	httpd->acceptor = NULL;
	while (atomic_load(&httpd->server.api->metrics.in_flight) > 0) {
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
	acceptor_stop(httpd->acceptor);
	atomic_store(&httpd->server.closing, true);
	live_model_cancel(httpd->server.api->live);
	for (size_t i = 0; i < httpd->server.n_lanes; i++)
		http_loop_wake(httpd->server.lanes[i].loop);
	while (atomic_load(&httpd->server.n_asleep) > 0)
		nap();
	httpd_free(httpd);
}
