/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api.h"

#include <stdio.h>
#include <string.h>

#include "generated/openapi.h"
#include "server/clock.h"
#include "server/log.h"
#include "server/preference_routes.h"
#include "server/user_routes.h"
#include "server/user_stream.h"
#include "server/wire_write.h"

#define JSON_CONTENT_TYPE "application/json"
#define YAML_CONTENT_TYPE "application/yaml"

/* Every answer passes here once: counted and logged at the same place. */
static void record(struct api *api, const struct exchange *exchange)
{
	enum status code = exchange->err.code;
	enum log_level level = api->access_log ? LOG_INFO : LOG_DEBUG;
	double seconds = clock_monotonic() - exchange->began;
	struct log_line line;

	metrics_request(&api->metrics, &exchange->match, exchange->http_status, seconds);
	if (code != STATUS_OK) {
		metrics_refusal(&api->metrics, code);
		level = status_http(code) == 500 || status_http(code) == 507 ? LOG_ERROR : LOG_INFO;
	}
	log_begin(&line, level, "request");
	log_text(&line, "request_id", exchange->request_id);
	log_text(&line, "method", method_name(exchange->match.method));
	log_text(&line, "route", route_pattern(exchange->match.route));
	log_int(&line, "status", exchange->http_status);
	log_real(&line, "ms", seconds * 1e3);
	if (exchange->caller.name[0] != '\0')
		log_text(&line, "key", exchange->caller.name);
	if (code != STATUS_OK)
		log_text(&line, "code", status_code(code));
	/* a client's fault may quote the client's texts in its message; ours does not */
	if (level == LOG_ERROR)
		log_text(&line, "message", exchange->err.msg);
	log_end(&line);
}

static void answer_text(struct api *api, struct exchange *exchange, int http_status,
			const char *content_type, const char *text, size_t len)
{
	exchange->http_status = http_status;
	exchange->content_type = content_type;
	exchange->text = text;
	exchange->text_len = len;
	in_progress_leave(&api->in_progress, &exchange->entry);
	record(api, exchange);
}

/* With what is in exchange->answer; if there was no memory for it, with that. */
static void answer(struct api *api, struct exchange *exchange, int http_status,
		   const char *content_type)
{
	static const char no_memory[] =
	    "{\"error\":{\"message\":\"out of memory for the answer\","
	    "\"type\":\"overloaded_error\",\"param\":null,\"code\":\"no_memory\"}}";
	const struct buffer *made = &exchange->answer;

	if (buffer_status(made, "the answer", &exchange->err) == STATUS_OK)
		answer_text(api, exchange, http_status, content_type, made->bytes, made->len);
	else
		answer_text(api, exchange, status_http(STATUS_NO_MEMORY), JSON_CONTENT_TYPE,
			    no_memory, sizeof(no_memory) - 1);
}

enum api_next api_answer(struct api *api, struct exchange *exchange)
{
	answer(api, exchange, 200, JSON_CONTENT_TYPE);
	return API_ANSWERED;
}

void api_answer_stream(struct api *api, struct exchange *exchange, const char *content_type)
{
	answer_text(api, exchange, 200, content_type, NULL, 0);
}

ssize_t api_read_stream(struct api *api, struct exchange *exchange, char *bytes, size_t size)
{
	struct err *err = &exchange->err;
	struct log_line line;
	size_t n;

	if (user_stream_read(exchange->stream, bytes, size, &n, err) == STATUS_OK)
		return (ssize_t)n;
	metrics_refusal(&api->metrics, err->code);
	log_begin(&line, LOG_ERROR, "answer_broken_off");
	log_text(&line, "request_id", exchange->request_id);
	log_text(&line, "route", route_pattern(exchange->match.route));
	log_text(&line, "code", status_code(err->code));
	log_text(&line, "message", err->msg);
	log_end(&line);
	return -1;
}

enum api_next api_refuse(struct api *api, struct exchange *exchange)
{
	if (exchange->match.route == ROUTE_FEEDBACK && exchange->match.method == METHOD_POST)
		atomic_fetch_add(&api->metrics.feedback[FEEDBACK_REFUSED], 1);
	wire_write_error(&exchange->answer, &exchange->err);
	answer(api, exchange, status_http(exchange->err.code), JSON_CONTENT_TYPE);
	return API_ANSWERED;
}

enum status api_check_head(struct exchange *exchange)
{
	if (exchange->twofold == NULL)
		return STATUS_OK;
	return err_at(&exchange->err, STATUS_INVALID_VALUE, exchange->twofold,
		      "it is there with two values, want one");
}

static enum status check_lines_type(struct exchange *exchange, const char *content_type)
{
	if (exchange->body_type == MEDIA_LINES || content_type == NULL)
		return STATUS_OK;
	return err_set(&exchange->err, STATUS_UNSUPPORTED_MEDIA_TYPE,
		       "Content-Type is %.64s, want " LINES_CONTENT_TYPE, content_type);
}

/* Vectors come as JSON or, where there are some, as tensors. */
static enum status check_media_type(struct exchange *exchange, const char *content_type)
{
	const struct route_match *match = &exchange->match;
	bool tensors = match->route == ROUTE_SCORE || match->route == ROUTE_FEEDBACK;

	exchange->body_type = media_type_of(content_type);
	if (match->route == ROUTE_USER_IMPORT)
		return check_lines_type(exchange, content_type);
	if (match->method != METHOD_POST || exchange->body_type == MEDIA_JSON ||
	    (tensors && exchange->body_type == MEDIA_SAFETENSORS))
		return STATUS_OK;
	return err_set(&exchange->err, STATUS_UNSUPPORTED_MEDIA_TYPE,
		       "Content-Type is %.64s, want application/json%s", content_type,
		       tensors ? " or application/vnd.safetensors" : "");
}

static void take_request_id(const struct api *api, struct exchange *exchange, const char *id)
{
	if (id != NULL && identifier_is_request_id(id))
		strcpy(exchange->request_id, id);
	else
		identifier_uuid(api->service.random_bytes, exchange->request_id);
}

/* Whether there is such a route is told to those who may know. */
static enum status admit(struct api *api, struct exchange *exchange,
			 const struct exchange_head *head)
{
	enum status found = route_find(head->method, head->path, &exchange->match, &exchange->err);
	enum status allowed;
	struct err refusal;

	if (api->access == NULL)
		return found;
	allowed = access_check(api->access, &exchange->match, head->authorization,
			       (int64_t)(exchange->began * 1e9), &exchange->caller, &refusal);
	if (allowed == STATUS_OK)
		return found;
	exchange->err = refusal;
	return allowed;
}

void api_open(struct api *api, struct exchange *exchange, const struct exchange_head *head)
{
	enum status status;

	exchange->began = clock_monotonic();
	atomic_fetch_add(&api->metrics.in_flight, 1);
	take_request_id(api, exchange, head->request_id);
	exchange->person = head->person;
	exchange->format = head->format;
	exchange->idempotency_key = head->idempotency_key;
	exchange->twofold = head->twofold;
	exchange->page = head->page;
	status = admit(api, exchange, head);
	if (status == STATUS_OK)
		status = check_media_type(exchange, head->content_type);
	if (status != STATUS_OK)
		api_refuse(api, exchange);
}

bool api_ask(struct exchange *exchange, struct http_mux *mux, void (*done)(void *context),
	     void *context)
{
	return text_batch_start(preference_routes_texts(exchange), mux, done, context);
}

bool api_is_ready(const struct exchange *exchange)
{
	return text_batch_is_ready(preference_routes_texts(exchange));
}

void api_put_off(struct exchange *exchange)
{
	preference_routes_put_off(exchange);
}

enum api_next api_work(struct api *api, struct exchange *exchange)
{
	return preference_routes_work(api, exchange);
}

static void show_model(struct api *api, struct exchange *exchange)
{
	exchange->served = live_model_acquire(api->live);
	wire_write_model(&exchange->answer, &exchange->served->model);
	api_answer(api, exchange);
}

/* Its server; without it no text can be scored. */
static enum status check_encoder(struct api *api, struct err *err)
{
	struct served_model *served = live_model_acquire(api->live);
	enum status status = encoder_health(served->encoder, err);

	live_model_release(api->live, served);
	return status;
}

static enum status check_ready(struct api *api, struct err *err)
{
	enum status status;

	if (atomic_load(&api->stopping))
		return err_set(err, STATUS_SHUTTING_DOWN, "the daemon is stopping");
	status = store_check(api->service.store, err);
	return status == STATUS_OK ? check_encoder(api, err) : status;
}

static void show_metrics(struct api *api, struct exchange *exchange)
{
	struct metrics_state state = {
	    .ready = check_ready(api, NULL) == STATUS_OK,
	    .n_api_keys = access_n_keys(api->access),
	    .tls_expiry = api->tls == NULL ? 0 : tls_expiry(api->tls),
	};

	exchange->served = live_model_acquire(api->live);
	state.model = &exchange->served->model;
	encoder_stats(exchange->served->encoder, &state.encoder);
	writer_stats(api->writer, &state.writer);
	workers_stats(api->workers, &state.workers);
	store_stats(api->service.store, &state.store);
	retention_stats(api->retention, &state.retention);
	metrics_render(&api->metrics, &state, &exchange->answer);
	answer(api, exchange, 200, METRICS_CONTENT_TYPE);
}

static void ready(struct api *api, struct exchange *exchange)
{
	struct err *err = &exchange->err;

	if (check_ready(api, err) == STATUS_OK) {
		buffer_add_string(&exchange->answer, "{\"status\":\"ready\"}");
		api_answer(api, exchange);
		return;
	}
	wire_write_not_ready(&exchange->answer, err->msg);
	answer(api, exchange, 503, JSON_CONTENT_TYPE);
}

enum api_next api_begin(struct api *api, struct exchange *exchange)
{
	static const char alive[] = "{\"status\":\"ok\"}";

	switch (exchange->match.route) {
	case ROUTE_SCORE:
	case ROUTE_GET_REWARD:
	case ROUTE_CLASSIFY:
	case ROUTE_SCORE_EVALUATION:
	case ROUTE_RERANK:
		return preference_routes_score(api, exchange);
	case ROUTE_FEEDBACK:
		return preference_routes_feedback(api, exchange);
	case ROUTE_USERS:
	case ROUTE_USER:
	case ROUTE_USER_EXPORT:
	case ROUTE_USER_IMPORT:
	case ROUTE_USER_RESET:
		return user_routes_begin(api, exchange);
	case ROUTE_MODEL:
		show_model(api, exchange);
		break;
	case ROUTE_LIVEZ:
		answer_text(api, exchange, 200, JSON_CONTENT_TYPE, alive, sizeof(alive) - 1);
		break;
	case ROUTE_READYZ:
	case ROUTE_HEALTH: /* what vLLM, SGLang, TEI and llama.cpp call it */
		ready(api, exchange);
		break;
	case ROUTE_METRICS:
		show_metrics(api, exchange);
		break;
	default:
		answer_text(api, exchange, 200, YAML_CONTENT_TYPE, openapi_yaml,
			    sizeof(openapi_yaml) - 1);
		break;
	}
	return API_ANSWERED;
}

static enum status check_write(struct exchange *exchange)
{
	struct err *err = &exchange->err;
	enum status status = service_check_write(&exchange->op, err);

	/* its id may be there alone */
	if (status == STATUS_EVENT_ID_REUSED && exchange->idempotency_key != NULL)
		snprintf(err->param, sizeof(err->param), "Idempotency-Key");
	return status;
}

void api_end(struct api *api, struct exchange *exchange)
{
	if (check_write(exchange) != STATUS_OK) {
		api_refuse(api, exchange);
		return;
	}
	if (exchange->op.kind == STORE_FEEDBACK)
		preference_routes_end(api, exchange);
	else
		user_routes_end(api, exchange);
}

void api_close(struct api *api, struct exchange *exchange)
{
	in_progress_leave(&api->in_progress, &exchange->entry);
	user_stream_close(exchange->stream);
	text_batch_close(preference_routes_texts(exchange));
	live_model_release(api->live, exchange->served);
	arena_free(&exchange->arena);
	buffer_free(&exchange->body);
	buffer_free(&exchange->answer);
	atomic_fetch_sub(&api->metrics.in_flight, 1);
}
