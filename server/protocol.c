/* SPDX-License-Identifier: Apache-2.0 */
#include "server/protocol.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/math/logmath.h"
#include "server/wire_chat.h"
#include "server/wire_fields.h"

#define WANT_TEXT   "a string"
#define WANT_PROMPT "a string or an array of messages"

static const struct protocol *const protocols[N_ROUTES] = {
    [ROUTE_GET_REWARD] = &protocol_openrlhf,
    [ROUTE_CLASSIFY] = &protocol_classify,
    [ROUTE_SCORE_EVALUATION] = &protocol_llamafactory,
    [ROUTE_RERANK] = &protocol_rerank,
};

const struct protocol *protocol_of(enum route route)
{
	return protocols[route];
}

static struct place place_of(const char *field, size_t index)
{
	return (struct place){.item = PLACE_NONE, .field = field, .index = index};
}

static enum status read_string(const struct protocol_reading *in, const struct node *node,
			       const char *want, struct input *out)
{
	if (node->kind != NODE_STRING)
		return reader_wrong_type(in->reader, node, want);
	out->kind = INPUT_TEXT;
	out->text = reader_text(node);
	return STATUS_OK;
}

enum status protocol_text(const struct protocol_reading *in, const struct node *node,
			  const char *field, size_t index, struct input *out)
{
	*out = (struct input){.place = place_of(field, index)};
	return read_string(in, node, WANT_TEXT, out);
}

enum status protocol_prompt(const struct protocol_reading *in, const struct node *node,
			    const char *field, size_t index, struct input *out)
{
	*out = (struct input){.place = place_of(field, index)};
	if (node->kind == NODE_ARRAY)
		return wire_chat_read(in->reader, node, out);
	return read_string(in, node, WANT_PROMPT, out);
}

enum status protocol_texts(const struct protocol_reading *in, const char *field,
			   protocol_read_text *read, struct protocol_texts *texts_out)
{
	const struct node *node = reader_find(in->reader->root, field);
	enum status status = STATUS_OK;

	*texts_out = (struct protocol_texts){0};
	if (node == NULL || (node->kind == NODE_ARRAY && node->n == 0))
		return STATUS_OK;
	texts_out->is_single = node->kind == NODE_STRING;
	if (!texts_out->is_single)
		status =
		    reader_array(in->reader, node, in->limits->max_items, "--max-items", WANT_TEXT);
	if (status != STATUS_OK)
		return status;
	texts_out->n = texts_out->is_single ? 1 : node->n;
	texts_out->input = arena_array(in->reader->arena, texts_out->n, sizeof(*texts_out->input));
	if (texts_out->input == NULL)
		return err_no_memory(in->reader->err, "the request");
	if (texts_out->is_single)
		return read(in, node, field, PLACE_NONE, texts_out->input);
	node = node_first(node);
	for (size_t i = 0; i < texts_out->n && status == STATUS_OK; i++) {
		status = read(in, node, field, i, &texts_out->input[i]);
		node = node_next(node);
	}
	return status;
}

/* For whom the client names. */
static struct score_item item_of(const struct protocol_reading *in)
{
	return (struct score_item){
	    .user = in->person->user,
	    .question = {.context = in->person->context},
	};
}

enum status protocol_item(const struct protocol_reading *in, struct protocol_request *request_out)
{
	enum status status = wire_make_items(in->reader, 1, &request_out->score);

	if (status == STATUS_OK)
		request_out->score.items[0] = item_of(in);
	return status;
}

enum status protocol_named_item(const struct protocol_reading *in,
				struct protocol_request *request_out)
{
	struct score_item *item;
	enum status status = protocol_item(in, request_out);

	if (status != STATUS_OK)
		return status;
	item = &request_out->score.items[0];
	return wire_fields_person(in->reader, in->reader->root, in->person, &item->user,
				  &item->question.context);
}

enum status protocol_items(const struct protocol_reading *in, const struct protocol_texts *texts,
			   struct protocol_request *request_out)
{
	struct score_request *score = &request_out->score;
	enum status status = wire_make_items(in->reader, texts->n, score);

	for (size_t i = 0; i < texts->n && status == STATUS_OK; i++) {
		struct question *question = &score->items[i].question;

		score->items[i] = item_of(in);
		question->prompt = (struct input){
		    .kind = INPUT_TEXT, .text = {"", 0}, .place = texts->input[i].place};
		question->responses = &texts->input[i];
		question->n_responses = 1;
	}
	return status;
}

enum status protocol_conversation(const struct protocol_reading *in, const struct node *messages,
				  struct protocol_request *request_out)
{
	struct question *question;
	enum status status = protocol_item(in, request_out);

	if (status != STATUS_OK)
		return status;
	question = &request_out->score.items[0].question;
	status = wire_make_responses(in->reader, 1, question);
	if (status != STATUS_OK)
		return status;
	question->prompt.place = question->responses[0].place = place_of("messages", PLACE_NONE);
	return wire_chat_answered(in->reader, messages, &question->prompt, &question->responses[0]);
}

double protocol_number(const struct protocol_request *request, double reward)
{
	return request->scale == SCALE_SIGMOID ? sigmoid(reward) : reward;
}

double protocol_entropy(const struct score_item *item)
{
	double sum = 0;

	for (size_t k = 0; k < item->n_weights; k++) {
		if (item->weights[k] > 0)
			sum -= item->weights[k] * log(item->weights[k]);
	}
	return sum;
}

void protocol_write_head(struct buffer *out, const char *kind, const struct protocol_facts *facts)
{
	char id[REQUEST_ID_MAX + 32];
	int len = snprintf(id, sizeof(id), "%s-%s", kind, facts->request_id);

	buffer_add_string(out, "{\"id\":");
	buffer_add_quoted(out, id, (size_t)len);
	buffer_add_string(out, ",\"model\":");
	buffer_add_quoted(out, facts->model_id, strlen(facts->model_id));
}
