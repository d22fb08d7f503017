/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api.h"

#include <string.h>

#include "generated/openapi.h"
#include "server/clock.h"
#include "server/idempotency_key.h"
#include "server/log.h"
#include "server/protocol.h"
#include "server/user_routes.h"
#include "server/user_stream.h"
#include "server/wire_read.h"
#include "server/wire_tensors.h"
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

void api_answer(struct api *api, struct exchange *exchange)
{
	answer(api, exchange, 200, JSON_CONTENT_TYPE);
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

void api_refuse(struct api *api, struct exchange *exchange)
{
	if (exchange->match.route == ROUTE_FEEDBACK && exchange->match.method == METHOD_POST)
		atomic_fetch_add(&api->metrics.feedback[FEEDBACK_REFUSED], 1);
	wire_write_error(&exchange->answer, &exchange->err);
	answer(api, exchange, status_http(exchange->err.code), JSON_CONTENT_TYPE);
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
	exchange->page = head->page;
	status = admit(api, exchange, head);
	if (status == STATUS_OK)
		status = check_media_type(exchange, head->content_type);
	if (status != STATUS_OK)
		api_refuse(api, exchange);
}

/* The model, and what a body for it is held to. */
static enum status hold_model(struct api *api, struct exchange *exchange,
			      struct wire_limits *limits_out)
{
	exchange->served = live_model_acquire(api->live);
	*limits_out = (struct wire_limits){
	    .dim = exchange->served->model.heads.dim,
	    .max_items = api->max_items,
	    .max_responses = api->max_responses,
	    .max_strength = api->max_strength,
	};
	return person_read(&exchange->person, &exchange->arena, &limits_out->person,
			   &exchange->err);
}

static enum status read_feedback(struct exchange *exchange, const struct wire_limits *limits,
				 struct feedback *out)
{
	struct buffer *body = &exchange->body;
	struct err *err = &exchange->err;

	buffer_terminate(body);
	if (buffer_status(body, "the body", err) != STATUS_OK)
		return err->code;
	if (exchange->body_type == MEDIA_SAFETENSORS)
		return wire_tensors_feedback(body->bytes, body->len, limits, &exchange->arena, out,
					     err);
	return wire_read_feedback(body->bytes, body->len, limits, &exchange->arena, out, err);
}

/* A question in the words of another server. */
static enum status read_foreign(const struct exchange *exchange, const struct reader *reader,
				const struct wire_limits *limits,
				struct protocol_request *request_out)
{
	const struct protocol_reading in = {reader, limits, &limits->person, exchange->format};

	return exchange->protocol->read(&in, request_out);
}

/* Room for what is asked, which outlives the function that reads it. */
static void *new_request(struct exchange *exchange, size_t size)
{
	void *request = arena_array(&exchange->arena, 1, size);

	if (request == NULL)
		err_no_memory(&exchange->err, "the request");
	return request;
}

/* What is read may stay where it is: the body is there until it is answered or submitted. */
static enum status read_question(struct exchange *exchange, const struct wire_limits *limits)
{
	struct protocol_request *asked = new_request(exchange, sizeof(*asked));
	struct buffer *body = &exchange->body;
	struct err *err = &exchange->err;
	struct reader reader;
	enum status status;

	if (asked == NULL)
		return STATUS_NO_MEMORY;
	exchange->asked = asked;
	exchange->protocol = protocol_of(exchange->match.route);
	buffer_terminate(body);
	if (buffer_status(body, "the body", err) != STATUS_OK)
		return err->code;
	if (exchange->body_type == MEDIA_SAFETENSORS)
		return wire_tensors_score(body->bytes, body->len, limits, &exchange->arena,
					  &asked->score, err);
	status = reader_open(&reader, body->bytes, body->len, &exchange->arena, err);
	if (status != STATUS_OK)
		return status;
	if (exchange->protocol == NULL && protocol_is_slime(reader.root))
		exchange->protocol = protocol_slime();
	if (exchange->protocol == NULL)
		return wire_read_question(&reader, limits, &asked->score);
	return read_foreign(exchange, &reader, limits, asked);
}

static void answer_foreign(struct api *api, struct exchange *exchange)
{
	const struct protocol_facts facts = {
	    .model_id = exchange->served->model.id,
	    .request_id = exchange->request_id,
	    .time_us = api->service.now_us(),
	};

	exchange->protocol->write(&exchange->answer, exchange->asked, &facts);
	api_answer(api, exchange);
}

static enum api_next refuse(struct api *api, struct exchange *exchange)
{
	api_refuse(api, exchange);
	return API_ANSWERED;
}

static enum api_next answer_score(struct api *api, struct exchange *exchange)
{
	struct score_request *scored = &exchange->asked->score;
	size_t n_scored = 0;

	if (service_score(&api->service, exchange->served, scored, &exchange->arena,
			  &exchange->err) != STATUS_OK)
		return refuse(api, exchange);
	for (size_t i = 0; i < scored->n_items; i++)
		n_scored += scored->items[i].question.n_responses;
	atomic_fetch_add(&api->metrics.scored, n_scored);
	if (exchange->protocol != NULL) {
		answer_foreign(api, exchange);
		return API_ANSWERED;
	}
	wire_write_scores(&exchange->answer, exchange->served->model.id, scored);
	api_answer(api, exchange);
	return API_ANSWERED;
}

static enum api_next score(struct api *api, struct exchange *exchange)
{
	struct wire_limits limits;

	if (hold_model(api, exchange, &limits) != STATUS_OK ||
	    read_question(exchange, &limits) != STATUS_OK ||
	    service_gather_score(exchange->served, &exchange->asked->score, &exchange->arena,
				 &exchange->err) != STATUS_OK)
		return refuse(api, exchange);
	if (exchange->asked->score.texts != NULL)
		return API_WAIT;
	return answer_score(api, exchange);
}

static enum api_next prepare_feedback(struct api *api, struct exchange *exchange)
{
	if (service_prepare_feedback(&api->service, exchange->served, exchange->feedback,
				     &exchange->arena, &exchange->op, &exchange->err) != STATUS_OK)
		return refuse(api, exchange);
	/* what waits for the writer has no part in it any more */
	buffer_free(&exchange->body);
	return API_WRITE;
}

static enum status take_idempotency_key(struct exchange *exchange)
{
	if (exchange->idempotency_key == NULL)
		return STATUS_OK;
	return idempotency_key_take(exchange->idempotency_key, &exchange->arena, exchange->feedback,
				    &exchange->err);
}

static enum api_next feedback(struct api *api, struct exchange *exchange)
{
	struct wire_limits limits;

	if (hold_model(api, exchange, &limits) != STATUS_OK)
		return refuse(api, exchange);
	exchange->feedback = new_request(exchange, sizeof(*exchange->feedback));
	if (exchange->feedback == NULL ||
	    read_feedback(exchange, &limits, exchange->feedback) != STATUS_OK ||
	    take_idempotency_key(exchange) != STATUS_OK ||
	    service_gather_feedback(exchange->served, exchange->feedback, &exchange->arena,
				    &exchange->err) != STATUS_OK)
		return refuse(api, exchange);
	if (exchange->feedback->texts != NULL)
		return API_WAIT;
	return prepare_feedback(api, exchange);
}

/* NULL: no server is asked for any, or not yet known. */
static struct text_batch *texts_of(const struct exchange *exchange)
{
	if (exchange->asked != NULL)
		return exchange->asked->score.texts;
	return exchange->feedback != NULL ? exchange->feedback->texts : NULL;
}

bool api_ask(struct exchange *exchange, struct http_mux *mux, void (*done)(void *context),
	     void *context)
{
	return text_batch_start(texts_of(exchange), mux, done, context);
}

bool api_is_ready(const struct exchange *exchange)
{
	return text_batch_is_ready(texts_of(exchange));
}

void api_put_off(struct exchange *exchange)
{
	if (exchange->asked != NULL)
		service_put_off_score(&exchange->asked->score);
	else
		service_put_off_feedback(exchange->feedback);
}

enum api_next api_work(struct api *api, struct exchange *exchange)
{
	return exchange->asked != NULL ? answer_score(api, exchange)
				       : prepare_feedback(api, exchange);
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
		return score(api, exchange);
	case ROUTE_FEEDBACK:
		return feedback(api, exchange);
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

static void end_feedback(struct api *api, struct exchange *exchange)
{
	const struct store_feedback *step = &exchange->op.feedback;

	enum feedback_result result = FEEDBACK_APPLIED;

	if (step->dry_run)
		result = FEEDBACK_DRY_RUN;
	else if (step->duplicate_out)
		result = FEEDBACK_DUPLICATE;
	atomic_fetch_add(&api->metrics.feedback[result], 1);
	wire_write_feedback(&exchange->answer, step);
	api_answer(api, exchange);
}

void api_end(struct api *api, struct exchange *exchange)
{
	if (service_check_write(&exchange->op, &exchange->err) != STATUS_OK) {
		api_refuse(api, exchange);
		return;
	}
	if (exchange->op.kind == STORE_FEEDBACK)
		end_feedback(api, exchange);
	else
		user_routes_end(api, exchange);
}

void api_close(struct api *api, struct exchange *exchange)
{
	user_stream_close(exchange->stream);
	text_batch_close(texts_of(exchange));
	live_model_release(api->live, exchange->served);
	arena_free(&exchange->arena);
	buffer_free(&exchange->body);
	buffer_free(&exchange->answer);
	atomic_fetch_sub(&api->metrics.in_flight, 1);
}
