/* SPDX-License-Identifier: Apache-2.0 */
#include "server/protocol.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/math/logmath.h"

#define WANT_TEXT "a string"

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

static enum status one_text(const struct protocol_reading *in, const struct node *node,
			    struct text *out)
{
	if (node->kind != NODE_STRING)
		return reader_wrong_type(in->reader, node, WANT_TEXT);
	*out = reader_text(node);
	return STATUS_OK;
}

enum status protocol_texts(const struct protocol_reading *in, const char *field, size_t max,
			   const char *option, struct protocol_texts *texts_out)
{
	const struct node *node = reader_find(in->reader->root, field);
	struct text *text;
	enum status status = STATUS_OK;

	*texts_out = (struct protocol_texts){.field = field};
	if (node == NULL || (node->kind == NODE_ARRAY && node->n == 0))
		return STATUS_OK;
	texts_out->is_single = node->kind == NODE_STRING;
	if (!texts_out->is_single)
		status = reader_array(in->reader, node, max, option, WANT_TEXT);
	if (status != STATUS_OK)
		return status;
	texts_out->n = texts_out->is_single ? 1 : node->n;
	text = arena_array(in->reader->arena, texts_out->n, sizeof(*text));
	texts_out->text = text;
	if (text == NULL)
		return err_no_memory(in->reader->err, "the request");
	if (!texts_out->is_single)
		node = node_first(node);
	for (size_t i = 0; i < texts_out->n && status == STATUS_OK; i++) {
		status = one_text(in, node, &text[i]);
		node = node_next(node);
	}
	return status;
}

struct input protocol_input(const struct text *text, const char *field, size_t index)
{
	return (struct input){
	    .kind = INPUT_TEXT,
	    .text = *text,
	    .place = {.item = PLACE_NONE, .field = field, .index = index},
	};
}

enum status protocol_items(const struct protocol_reading *in, const struct protocol_texts *texts,
			   struct protocol_request *request_out)
{
	static const struct text empty = {"", 0};
	struct score_request *score = &request_out->score;
	struct arena *arena = in->reader->arena;
	struct input *responses = arena_array(arena, texts->n, sizeof(*responses));

	score->n_items = texts->n;
	score->items = arena_array(arena, texts->n, sizeof(*score->items));
	if (responses == NULL || score->items == NULL)
		return err_no_memory(in->reader->err, "the request");
	for (size_t i = 0; i < texts->n; i++) {
		size_t index = texts->is_single ? PLACE_NONE : i;

		responses[i] = protocol_input(&texts->text[i], texts->field, index);
		score->items[i] = (struct score_item){
		    .user = in->person->user,
		    .question = {.context = in->person->context,
				 .prompt = protocol_input(&empty, texts->field, index),
				 .responses = &responses[i],
				 .n_responses = 1},
		};
	}
	return STATUS_OK;
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
