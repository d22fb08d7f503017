/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_serve.c - microd without a command: start, serve, stop. */
#include <stdio.h>
#include <unistd.h>

#include "core/base/atomic_file.h"
#include "core/math/linalg.h"
#include "server/api.h"
#include "server/clock.h"
#include "server/command.h"
#include "server/config.h"
#include "server/httpd.h"
#include "server/listener.h"
#include "server/log.h"
#include "server/notify.h"
#include "server/process.h"
#include "server/random.h"
#include "server/signals.h"

#define ENCODER_MAX_FAILURES 5 /* calls in a row until its server counts as down */

/* Files that may be open besides connections: in all; of each thread, with its connection to the
 * database; and of clients past the limit, until they are told. */
#define FILES_OF_DAEMON	 128
#define FILES_OF_THREAD	 11
#define FILES_OF_ENCODER 3 /* for each connection to it */
#define PLACES_MAX	 8192
#define PLACES_MIN	 512 /* where there are files for that */
#define PLACES_SHARE	 8   /* else this part of those that connections may have */

/* What is opened in this order and closed in the other. */
struct microd {
	struct config config;
	struct api api;
	struct httpd *httpd;
	uint16_t port;
};

static enum status open_store(struct microd *d, struct err *err)
{
	const struct store_sqlite_options options = {
	    .path = d->config.state,
	    .busy_timeout_ms = d->config.busy_timeout,
	    .n_readers = (size_t)d->config.threads,
	    .cache_bytes = (size_t)d->config.state_cache,
	    .check = !d->config.no_state_check,
	};

	return store_sqlite_open(&options, &d->api.service.store, err);
}

static enum status open_access(struct microd *d, struct err *err)
{
	const struct access_options options = {
	    .path = d->config.api_keys,
	    .key = d->config.api_key,
	    .rate = d->config.rate_limit,
	    .burst = d->config.rate_burst,
	};

	return config_has_keys(&d->config) ? access_open(&options, &d->api.access, err) : STATUS_OK;
}

static enum status open_tls(struct microd *d, struct err *err)
{
	if (d->config.tls_cert == NULL)
		return STATUS_OK;
	return tls_open(d->config.tls_cert, d->config.tls_key, &d->api.tls, err);
}

static enum status open_receipt_key(struct microd *d, struct err *err)
{
	struct receipt_key *key = &d->api.service.receipt_key;
	char path[PATH_MAX];
	enum status status;

	if (d->config.receipt_key != NULL) {
		status = receipt_key_parse(d->config.receipt_key, key, err);
		return status == STATUS_OK ? status : err_wrap(err, "MICROD_RECEIPT_KEY");
	}
	status = config_receipt_key_path(&d->config, path, err);
	return status == STATUS_OK ? receipt_key_load(path, randombytes_buf, key, err) : status;
}

static enum status start_writer(struct microd *d, struct err *err)
{
	return writer_start(d->api.service.store, (size_t)d->config.queue,
			    (size_t)d->config.max_batch, &d->api.writer, err);
}

static enum status start_retention(struct microd *d, struct err *err)
{
	const struct retention_options options = {
	    .days = d->config.retention_days,
	    .now_us = clock_now_us,
	    .writer = d->api.writer,
	};

	return options.days > 0 ? retention_start(&options, &d->api.retention, err) : STATUS_OK;
}

/* A place and a thread for each connection to the encoder: more would wait for one of these. */
static enum status start_workers(struct microd *d, struct err *err)
{
	if (d->config.encoder_url == NULL)
		return STATUS_OK;
	return workers_start((size_t)d->config.encoder_connections, (size_t)d->config.encoder_queue,
			     &d->api.workers, err);
}

static void set_up_api(struct microd *d)
{
	struct service *service = &d->api.service;

	service->temperature = d->config.tau;
	service->drift = d->config.drift;
	service->keep_inputs = d->config.keep_inputs;
	service->receipt_age_us = (int64_t)(d->config.receipt_age * 1e6);
	service->now_us = clock_now_us;
	service->random_bytes = random_bytes;
	d->api.max_body = (size_t)d->config.max_body;
	d->api.max_items = (size_t)d->config.max_items;
	d->api.max_responses = (size_t)d->config.max_responses;
	d->api.max_strength = d->config.max_strength;
	d->api.access_log = d->config.access_log;
}

static uint64_t at_most(uint64_t n, uint64_t most)
{
	return n < most ? n : most;
}

static void warn_of_few_files(uint64_t wanted, unsigned max_connections)
{
	struct log_line line;

	log_begin(&line, LOG_WARN, "few_files");
	log_int(&line, "wanted", (int64_t)wanted);
	log_int(&line, "max_connections", (int64_t)max_connections);
	log_text(&line, "message",
		 "not enough files may be open (ulimit -n) for --max-connections");
	log_end(&line);
}

/* Files of everything but clients, of whom so many may be served. */
static uint64_t files_beside(const struct config *config, uint64_t n_connections)
{
	uint64_t threads = (uint64_t)config->threads;
	uint64_t tables = httpd_tables((unsigned)n_connections, (unsigned)threads);

	return FILES_OF_DAEMON + (FILES_OF_THREAD + HTTPD_FILES_OF_TABLE * tables) * threads +
	       FILES_OF_ENCODER * (uint64_t)config->encoder_connections;
}

/* Connections as many as --max-connections says, or as the system lets us have open besides all
 * else; what it allows beyond that goes to places for those who are refused. */
static void allow_connections(const struct config *config, struct httpd_options *options_out)
{
	uint64_t connections = (uint64_t)config->max_connections;
	uint64_t threads = (uint64_t)config->threads;
	uint64_t files =
	    process_allow_files(files_beside(config, connections) + connections + PLACES_MAX);
	uint64_t others = files_beside(config, at_most(connections, files));
	uint64_t for_clients = files > others + threads + 1 ? files - others : threads + 1;
	uint64_t places = at_most(PLACES_MIN, for_clients / PLACES_SHARE + 1);

	connections = at_most(connections, for_clients - places);
	if (connections < threads)
		connections = threads;
	else
		places = at_most(for_clients - connections, PLACES_MAX);
	options_out->max_connections = (unsigned)connections;
	options_out->n_places = (unsigned)places;
	if (connections < (uint64_t)config->max_connections)
		warn_of_few_files(others + (uint64_t)config->max_connections + PLACES_MIN,
				  options_out->max_connections);
}

static enum status start_httpd(struct microd *d, struct err *err)
{
	struct httpd_options options = {
	    .n_threads = (unsigned)d->config.threads,
	    .max_pending = (uint64_t)d->config.max_pending,
	    .idle_timeout = (unsigned)d->config.idle_timeout,
	    .request_timeout = (unsigned)d->config.request_timeout,
	    .connection_memory = (size_t)d->config.connection_memory,
	    .tls = d->api.tls,
	};
	enum status status;

	allow_connections(&d->config, &options);
	status = listener_open(d->config.listen, (uint16_t)d->config.port, &options.listen_fd,
			       &d->port, err);

	return status == STATUS_OK ? httpd_start(&options, &d->api, &d->httpd, err) : status;
}

static enum status write_text_file(const char *path, const char *text, struct err *err)
{
	struct atomic_file file;
	enum status status = atomic_file_open(&file, path, err);

	if (status != STATUS_OK)
		return status;
	status = atomic_file_write(&file, text, strlen(text), err);
	if (status != STATUS_OK) {
		atomic_file_abort(&file);
		return status;
	}
	return atomic_file_commit(&file, err);
}

static enum status write_port_file(const struct microd *d, struct err *err)
{
	char text[16];

	if (d->config.port_file == NULL)
		return STATUS_OK;
	snprintf(text, sizeof(text), "%u\n", (unsigned)d->port);
	if (write_text_file(d->config.port_file, text, err) == STATUS_OK)
		return STATUS_OK;
	return err_wrap(err, "port file %s", d->config.port_file);
}

/* An encoder's server is told of once when it goes and once when it is back. */
static void note_encoder(void *context, const struct err *why)
{
	struct log_line line;

	(void)context;
	log_begin(&line, why == NULL ? LOG_INFO : LOG_WARN,
		  why == NULL ? "encoder_up" : "encoder_down");
	if (why != NULL) {
		log_text(&line, "code", status_code(why->code));
		log_text(&line, "message", why->msg);
	}
	log_end(&line);
}

static enum status open_model(struct microd *d, struct err *err)
{
	struct encoder_options encoder;

	config_encoder(&d->config, &encoder);
	encoder.max_failures = ENCODER_MAX_FAILURES;
	encoder.notify = note_encoder;
	return live_model_open_at(d->config.model, &encoder, &d->api.live, err);
}

static void log_listening(const struct microd *d)
{
	struct served_model *served = live_model_acquire(d->api.live);
	struct log_line line;

	log_begin(&line, LOG_INFO, "listening");
	log_text(&line, "address", d->config.listen);
	log_int(&line, "port", d->port);
	log_text(&line, "protocol", d->api.tls == NULL ? "http" : "https");
	log_int(&line, "api_keys", (int64_t)access_n_keys(d->api.access));
	log_text(&line, "version", MICRO_VERSION);
	log_text(&line, "model", served->model.id);
	log_text(&line, "blas", linalg_version());
	log_text(&line, "vectors", packed_kind_name(packed_kind_best()));
	log_end(&line);
	live_model_release(d->api.live, served);
}

/* Who breaks into it may do what it may. */
static void warn_of_root(void)
{
	struct log_line line;

	if (geteuid() != 0)
		return;
	log_begin(&line, LOG_WARN, "runs_as_root");
	log_text(&line, "message", "no privileges are needed: give microd a user of its own");
	log_end(&line);
}

static enum status start(struct microd *d, struct err *err)
{
	enum status status = open_model(d, err);

	set_up_api(d);
	if (status == STATUS_OK)
		status = open_access(d, err);
	if (status == STATUS_OK)
		status = open_tls(d, err);
	if (status == STATUS_OK)
		status = open_store(d, err);
	if (status == STATUS_OK)
		status = open_receipt_key(d, err);
	if (status == STATUS_OK)
		status = start_writer(d, err);
	if (status == STATUS_OK)
		status = start_retention(d, err);
	if (status == STATUS_OK)
		status = start_workers(d, err);
	if (status == STATUS_OK)
		status = start_httpd(d, err);
	if (status != STATUS_OK)
		return status;
	/* who finds the port in the file finds it in the log, too */
	log_listening(d);
	warn_of_root();
	return write_port_file(d, err);
}

static void log_fault(const char *event, const struct err *err)
{
	struct log_line line;

	log_begin(&line, LOG_ERROR, event);
	log_text(&line, "code", status_code(err->code));
	log_text(&line, "message", err->msg);
	log_end(&line);
}

static void log_event(enum log_level level, const char *event)
{
	struct log_line line;

	log_begin(&line, level, event);
	log_end(&line);
}

/* What was read again, or was to be. */
static void note_reload(struct microd *d, enum reloaded what, const struct err *err)
{
	static const struct {
		const char *done, *failed;
	} events[N_RELOADED] = {
	    [RELOADED_MODEL] = {"model_reloaded", "model_reload_failed"},
	    [RELOADED_KEYS] = {"keys_reloaded", "keys_reload_failed"},
	    [RELOADED_TLS] = {"tls_reloaded", "tls_reload_failed"},
	};

	metrics_reload(&d->api.metrics, what, err->code);
	if (err->code == STATUS_OK)
		log_event(LOG_INFO, events[what].done);
	else
		log_fault(events[what].failed, err);
}

/* Each by itself: a bad model must not keep a key alive that was taken out. */
static void reload(struct microd *d)
{
	struct err model = {0}, keys = {0}, tls = {0};

	if (d->api.access != NULL) {
		access_reload(d->api.access, &keys);
		note_reload(d, RELOADED_KEYS, &keys);
	}
	if (d->api.tls != NULL) {
		tls_reload(d->api.tls, &tls);
		note_reload(d, RELOADED_TLS, &tls);
	}
	live_model_reload(d->api.live, &model);
	note_reload(d, RELOADED_MODEL, &model);
}

static void serve(struct microd *d)
{
	notify_ready();
	while (signals_wait() == SIGNALS_RELOAD) {
		notify_reloading();
		reload(d);
		notify_ready();
	}
}

static void drain(struct microd *d)
{
	notify_stopping();
	log_event(LOG_INFO, "stopping");
	if (!httpd_drain(d->httpd, d->config.grace))
		log_event(LOG_WARN, "grace_exceeded");
}

/* Also after a start that went half way. */
static void stop(struct microd *d)
{
	httpd_stop(d->httpd);
	workers_stop(d->api.workers);
	retention_stop(d->api.retention);
	writer_stop(d->api.writer);
	store_close(d->api.service.store);
	tls_close(d->api.tls);
	access_close(d->api.access);
	live_model_close(d->api.live);
}

const struct help serve_help = {
    .usage = "microd --model FILE [options]\n"
	     "microd COMMAND [options]",
    .about = "Serves a MiCRo model over HTTP and learns each user's preferences.\n"
	     "SIGTERM finishes what is in flight and ends; SIGHUP reads the model, the API\n"
	     "keys and the certificate again.",
    .list_title = "commands, each with its own --help",
    .write_list = command_list,
    .groups = {&config_options},
    .has_version = true,
};

static int show(enum config_action action)
{
	if (action == CONFIG_VERSION) {
		puts("microd " MICRO_VERSION);
		return command_end();
	}
	return command_help(&serve_help);
}

int serve_run(int argc, char **argv)
{
	static struct microd d;
	enum config_action action;
	struct err err = {0};

	signals_open();
	if (config_parse(argc, argv, &d.config, &action, &err) != STATUS_OK)
		return command_fault(&err);
	if (action != CONFIG_RUN)
		return show(action);
	log_open((enum log_level)d.config.log_level, STDERR_FILENO);
	linalg_set_threads(1);
	process_keep_memory();
	if (start(&d, &err) == STATUS_OK) {
		serve(&d);
		drain(&d);
	}
	stop(&d);
	if (err.code == STATUS_OK) {
		log_event(LOG_INFO, "stopped");
		return EXIT_STATUS_OK;
	}
	log_fault("failed", &err);
	return EXIT_STATUS_FAILED;
}
