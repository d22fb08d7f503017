/* SPDX-License-Identifier: Apache-2.0 */
#include "server/wire_write.h"

#include <string.h>

#include "server/json_field.h"

#define FACT_PREFIX "train."

static void add_numbers(struct buffer *out, const char *before, const double *x, size_t n)
{
	buffer_add_string(out, before);
	for (size_t i = 0; i < n; i++) {
		buffer_add_string(out, i == 0 ? "[" : ",");
		buffer_add_number(out, x[i]);
	}
	buffer_add_string(out, n == 0 ? "[]" : "]");
}

/* The fields of one item, without braces. */
static void add_item(struct buffer *out, const struct score_item *item)
{
	size_t n_responses = item->question.n_responses;

	add_numbers(out, "\"rewards\":", item->rewards, n_responses);
	if (n_responses == 2) {
		buffer_add_string(out, ",\"preference\":");
		buffer_add_number(out, item->preference);
	}
	add_numbers(out, ",\"weights\":", item->weights, item->n_weights);
	json_count(out, ",\"updates\":", item->updates);
	if (item->receipt != NULL)
		json_text(out, ",\"receipt\":", item->receipt);
}

void wire_write_scores(struct buffer *out, const char *model_id,
		       const struct score_request *request)
{
	json_text(out, "{\"model\":", model_id);
	buffer_add_string(out, ",");
	if (!request->is_batch) {
		add_item(out, &request->items[0]);
		buffer_add_string(out, "}");
		return;
	}
	buffer_add_string(out, "\"items\":");
	for (size_t i = 0; i < request->n_items; i++) {
		buffer_add_string(out, i == 0 ? "[{" : ",{");
		add_item(out, &request->items[i]);
		buffer_add_string(out, "}");
	}
	buffer_add_string(out, "]}");
}

/* The step in numbers. A repeat took none now: its weights are the first answer's. */
static void add_explanation(struct buffer *out, const struct store_feedback *step)
{
	if (step->duplicate_out) {
		buffer_add_string(out, ",\"explain\":null");
		return;
	}
	add_numbers(out, ",\"explain\":{\"losses\":", step->loss, step->n_heads);
	add_numbers(out, ",\"weights_before\":", step->before_out, step->n_heads);
	buffer_add_string(out, "}");
}

void wire_write_feedback(struct buffer *out, const struct store_feedback *step)
{
	json_text(out, "{\"user\":", step->user);
	json_optional(out, ",\"context\":", step->context);
	if (step->dry_run) /* nothing has this id */
		buffer_add_string(out, ",\"id\":null");
	else
		json_text(out, ",\"id\":", step->event_id);
	json_text(out, ",\"model\":", step->model_id_out);
	add_numbers(out, ",\"weights\":", step->weights_out, step->n_weights_out);
	json_count(out, ",\"updates\":", step->updates_out);
	buffer_add_string(out,
			  step->duplicate_out ? ",\"duplicate\":true" : ",\"duplicate\":false");
	if (step->dry_run)
		buffer_add_string(out, ",\"dry_run\":true");
	if (step->before_out != NULL)
		add_explanation(out, step);
	buffer_add_string(out, "}");
}

static void add_state(struct buffer *out, const struct store_state *state, const double *weights)
{
	json_optional(out, "{\"context\":", state->context);
	json_text(out, ",\"model\":", state->model_id);
	json_count(out, ",\"updates\":", state->updates);
	json_time(out, ",\"updated_at\":", state->updated_us);
	add_numbers(out, ",\"weights\":", weights, state->n_heads);
	add_numbers(out, ",\"log_weights\":", state->log_weight, state->n_heads);
	buffer_add_string(out, "}");
}

void wire_write_user(struct buffer *out, const struct user_view *view)
{
	json_text(out, "{\"user\":", view->user);
	json_count(out, ",\"events\":", view->stored.n_events);
	buffer_add_string(out, ",\"states\":[");
	for (size_t i = 0; i < view->stored.n_states; i++) {
		if (i > 0)
			buffer_add_string(out, ",");
		add_state(out, &view->stored.states[i], view->weights[i]);
	}
	buffer_add_string(out, "]}");
}

static void add_listed(struct buffer *out, const struct store_listed *listed)
{
	json_text(out, "{\"user\":", listed->user);
	json_count(out, ",\"events\":", listed->n_events);
	json_time(out, ",\"updated_at\":", listed->updated_us);
	buffer_add_string(out, "}");
}

void wire_write_users(struct buffer *out, const struct user_list *list)
{
	buffer_add_string(out, "{\"users\":[");
	for (size_t i = 0; i < list->n_users; i++) {
		if (i > 0)
			buffer_add_string(out, ",");
		add_listed(out, &list->users[i]);
	}
	if (list->next_cursor == NULL)
		buffer_add_string(out, "],\"next_cursor\":null");
	else
		json_text(out, "],\"next_cursor\":", list->next_cursor);
	buffer_add_string(out, "}");
}

/* The fields behind the user, with the brace. */
static void add_deleted(struct buffer *out, const struct store_delete *deleted)
{
	json_count(out, ",\"deleted\":{\"states\":", deleted->states_out);
	json_count(out, ",\"events\":", deleted->events_out);
	buffer_add_string(out, "}}");
}

void wire_write_deleted(struct buffer *out, const struct store_delete *deleted)
{
	json_text(out, "{\"user\":", deleted->user);
	add_deleted(out, deleted);
}

void wire_write_reset(struct buffer *out, const struct store_delete *deleted)
{
	json_text(out, "{\"user\":", deleted->user);
	json_optional(out, ",\"context\":", deleted->context);
	add_deleted(out, deleted);
}

void wire_write_imported(struct buffer *out, const struct store_import *import)
{
	json_text(out, "{\"user\":", import->user);
	json_count(out, ",\"imported\":{\"events\":", import->events_out);
	json_count(out, "},\"duplicates\":", import->duplicates_out);
	buffer_add_string(out, "}");
}

static void add_heads(struct buffer *out, const struct model *model)
{
	const char *separator = "";

	buffer_add_string(out, ",\"labels\":");
	for (size_t k = 0; k < model->heads.n_heads; k++)
		json_text(out, k == 0 ? "[" : ",", model->labels[k]);
	buffer_add_string(out, "],\"masked\":[");
	for (size_t k = 0; k < model->heads.n_heads; k++) {
		if (!model->mask[k])
			continue;
		json_count(out, separator, k);
		separator = ",";
	}
	buffer_add_string(out, "]");
}

static void add_facts(struct buffer *out, const struct model *model)
{
	const char *separator = "";

	buffer_add_string(out, ",\"training\":{");
	for (size_t i = 0; i < model->n_facts; i++) {
		const char *key = model->facts[i].key;

		if (strncmp(key, FACT_PREFIX, strlen(FACT_PREFIX)) == 0)
			key += strlen(FACT_PREFIX);
		json_text(out, separator, key);
		json_text(out, ":", model->facts[i].value);
		separator = ",";
	}
	buffer_add_string(out, "}");
}

void wire_write_model(struct buffer *out, const struct model *model)
{
	json_text(out, "{\"id\":", model->id);
	json_text(out, ",\"version\":", MICRO_VERSION);
	json_text(out, ",\"format\":", MODEL_FORMAT);
	json_count(out, ",\"n_heads\":", model->heads.n_heads);
	json_count(out, ",\"dim\":", model->heads.dim);
	json_text(out, ",\"encoder\":", model->encoder_spec);
	json_text(out, ",\"router\":{\"kind\":", router_kind_name(model->router.kind));
	json_count(out, ",\"n_hidden\":", model->router.n_hidden);
	json_text(out, "},\"templates\":{\"phi\":", model->template_phi);
	json_text(out, ",\"psi\":", model->template_psi);
	buffer_add_string(out, "}");
	add_heads(out, model);
	add_facts(out, model);
	buffer_add_string(out, "}");
}

void wire_write_not_ready(struct buffer *out, const char *reason)
{
	json_text(out, "{\"status\":\"not_ready\",\"reasons\":[", reason);
	buffer_add_string(out, "]}");
}

static const char *error_type(enum status code)
{
	int http = status_http(code);

	if (http == 503)
		return "overloaded_error";
	return http < 500 ? "invalid_request_error" : "server_error";
}

void wire_write_error(struct buffer *out, const struct err *err)
{
	json_text(out, "{\"error\":{\"message\":", err->msg);
	json_text(out, ",\"type\":", error_type(err->code));
	if (err->param[0] == '\0')
		buffer_add_string(out, ",\"param\":null");
	else
		json_text(out, ",\"param\":", err->param);
	json_text(out, ",\"code\":", status_code(err->code));
	buffer_add_string(out, "}}");
}
