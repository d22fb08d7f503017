/* SPDX-License-Identifier: Apache-2.0 */
#include "server/preference_routes.h"

#include "server/idempotency_key.h"
#include "server/protocol.h"
#include "server/wire_read.h"
#include "server/wire_tensors.h"
#include "server/wire_write.h"

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
	if (api_check_head(exchange) != STATUS_OK)
		return exchange->err.code;
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

static void write_foreign(const struct api *api, struct exchange *exchange)
{
	const struct protocol_facts facts = {
	    .model_id = exchange->served->model.id,
	    .request_id = exchange->request_id,
	    .time_us = api->service.now_us(),
	};

	exchange->protocol->write(&exchange->answer, exchange->asked, &facts);
}

static enum api_next answer_score(struct api *api, struct exchange *exchange)
{
	struct score_request *scored = &exchange->asked->score;
	size_t n_scored = 0;

	if (service_score(&api->service, exchange->served, scored, &exchange->arena,
			  &exchange->err) != STATUS_OK)
		return api_refuse(api, exchange);
	for (size_t i = 0; i < scored->n_items; i++)
		n_scored += scored->items[i].question.n_responses;
	atomic_fetch_add(&api->metrics.scored, n_scored);
	if (exchange->protocol != NULL)
		write_foreign(api, exchange);
	else
		wire_write_scores(&exchange->answer, exchange->served->model.id, scored);
	return api_answer(api, exchange);
}

enum api_next preference_routes_score(struct api *api, struct exchange *exchange)
{
	struct wire_limits limits;

	if (hold_model(api, exchange, &limits) != STATUS_OK ||
	    read_question(exchange, &limits) != STATUS_OK ||
	    service_gather_score(exchange->served, &exchange->asked->score, &exchange->arena,
				 &exchange->err) != STATUS_OK)
		return api_refuse(api, exchange);
	if (exchange->asked->score.texts != NULL)
		return API_WAIT;
	return answer_score(api, exchange);
}

static enum api_next prepare_feedback(struct api *api, struct exchange *exchange)
{
	if (service_prepare_feedback(&api->service, exchange->served, exchange->feedback,
				     &exchange->arena, &exchange->op, &exchange->err) != STATUS_OK)
		return api_refuse(api, exchange);
	/* what waits for the writer has no part in it any more */
	buffer_free(&exchange->body);
	return API_WRITE;
}

static enum status take_idempotency_key(struct api *api, struct exchange *exchange)
{
	struct feedback *feedback = exchange->feedback;
	enum status status;

	if (exchange->idempotency_key == NULL)
		return STATUS_OK;
	status = idempotency_key_take(exchange->idempotency_key, &exchange->arena, feedback,
				      &exchange->err);
	if (status != STATUS_OK || in_progress_enter(&api->in_progress, &exchange->entry,
						     feedback->user, feedback->event_id))
		return status;
	return err_at(&exchange->err, STATUS_IN_PROGRESS, "Idempotency-Key",
		      "a feedback with this key is not answered yet: want it answered first; sent "
		      "again then, this one has the same answer");
}

enum api_next preference_routes_feedback(struct api *api, struct exchange *exchange)
{
	struct wire_limits limits;

	if (hold_model(api, exchange, &limits) != STATUS_OK)
		return api_refuse(api, exchange);
	exchange->feedback = new_request(exchange, sizeof(*exchange->feedback));
	if (exchange->feedback == NULL ||
	    read_feedback(exchange, &limits, exchange->feedback) != STATUS_OK ||
	    take_idempotency_key(api, exchange) != STATUS_OK ||
	    service_gather_feedback(exchange->served, exchange->feedback, &exchange->arena,
				    &exchange->err) != STATUS_OK)
		return api_refuse(api, exchange);
	if (exchange->feedback->texts != NULL)
		return API_WAIT;
	return prepare_feedback(api, exchange);
}

struct text_batch *preference_routes_texts(const struct exchange *exchange)
{
	if (exchange->asked != NULL)
		return exchange->asked->score.texts;
	return exchange->feedback != NULL ? exchange->feedback->texts : NULL;
}

void preference_routes_put_off(struct exchange *exchange)
{
	if (exchange->asked != NULL)
		service_put_off_score(&exchange->asked->score);
	else
		service_put_off_feedback(exchange->feedback);
}

enum api_next preference_routes_work(struct api *api, struct exchange *exchange)
{
	return exchange->asked != NULL ? answer_score(api, exchange)
				       : prepare_feedback(api, exchange);
}

void preference_routes_end(struct api *api, struct exchange *exchange)
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
