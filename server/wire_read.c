/* SPDX-License-Identifier: Apache-2.0 */
#include "server/wire_read.h"

#include <string.h>

#include "server/reader.h"

#define WANT_INPUT "a text or {\"embedding\": ...}"
#define WANT_ITEM  "an object"

/* The fields that an object may have, NULL-terminated. */
static const char *const batch_fields[] = {"items", NULL};
static const char *const item_fields[] = {"user", "context", "prompt", "responses", NULL};
static const char *const feedback_fields[] = {"user",	  "context", "prompt",	 "chosen",
					      "rejected", "id",	     "strength", NULL};

static enum status no_memory(const struct reader *reader)
{
	return err_no_memory(reader->err, "the request");
}

static enum status read_input(const struct reader *reader, const struct wire_limits *limits,
			      const struct node *node, struct place place, struct input *out)
{
	*out = (struct input){.place = place};
	if (node->kind == NODE_OBJECT) {
		out->kind = INPUT_VECTOR;
		return reader_vector(reader, node, limits->dim, &out->vector);
	}
	if (node->kind != NODE_STRING)
		return reader_wrong_type(reader, node, WANT_INPUT);
	out->kind = INPUT_TEXT;
	out->text = reader_text(node);
	return STATUS_OK;
}

/* What a scored item and a feedback have in common. */
static enum status read_person(const struct reader *reader, const struct wire_limits *limits,
			       const struct node *object, size_t item, const char **user_out,
			       struct question *question)
{
	enum status status = reader_name(reader, object, "user", 1, user_out);
	struct place place = place_field(item, "prompt");
	const struct node *prompt = reader_find(object, "prompt");

	question->context = "";
	question->prompt = (struct input){.place = place};
	if (status == STATUS_OK)
		status = reader_name(reader, object, "context", 0, &question->context);
	if (status == STATUS_OK && prompt != NULL)
		status = read_input(reader, limits, prompt, place, &question->prompt);
	return status;
}

static enum status make_responses(const struct reader *reader, size_t n, struct question *question)
{
	question->n_responses = n;
	question->responses = arena_array(reader->arena, n, sizeof(*question->responses));
	return question->responses == NULL ? no_memory(reader) : STATUS_OK;
}

static enum status read_responses(const struct reader *reader, const struct wire_limits *limits,
				  const struct node *object, size_t item, struct question *question)
{
	struct place place = place_field(item, "responses");
	const struct node *array, *node;
	enum status status = reader_require(reader, object, "responses", &array);

	if (status == STATUS_OK)
		status = reader_array(reader, array, limits->max_responses, "--max-responses",
				      WANT_INPUT);
	if (status == STATUS_OK)
		status = make_responses(reader, array->n, question);
	if (status != STATUS_OK)
		return status;
	node = node_first(array);
	for (size_t i = 0; i < question->n_responses && status == STATUS_OK; i++) {
		place.index = i;
		status = read_input(reader, limits, node, place, &question->responses[i]);
		node = node_next(node);
	}
	return status;
}

static enum status read_item(const struct reader *reader, const struct wire_limits *limits,
			     const struct node *object, size_t item, struct score_item *out)
{
	enum status status = reader_object(reader, object, item_fields);

	if (status == STATUS_OK)
		status = read_person(reader, limits, object, item, &out->user, &out->question);
	if (status == STATUS_OK)
		status = read_responses(reader, limits, object, item, &out->question);
	return status;
}

static enum status make_items(const struct reader *reader, size_t n, struct score_request *request)
{
	request->n_items = n;
	request->items = arena_array(reader->arena, n, sizeof(*request->items));
	return request->items == NULL ? no_memory(reader) : STATUS_OK;
}

static enum status read_batch(const struct reader *reader, const struct wire_limits *limits,
			      const struct node *array, struct score_request *out)
{
	const struct node *node;
	enum status status = reader_object(reader, reader->root, batch_fields);

	out->is_batch = true;
	if (status == STATUS_OK)
		status = reader_array(reader, array, limits->max_items, "--max-items", WANT_ITEM);
	if (status == STATUS_OK)
		status = make_items(reader, array->n, out);
	if (status != STATUS_OK)
		return status;
	node = node_first(array);
	for (size_t i = 0; i < out->n_items && status == STATUS_OK; i++) {
		status = read_item(reader, limits, node, i, &out->items[i]);
		node = node_next(node);
	}
	return status;
}

enum status wire_read_score(const char *body, size_t len, const struct wire_limits *limits,
			    struct arena *arena, struct score_request *request_out, struct err *err)
{
	const struct node *items = NULL;
	struct reader reader;
	enum status status = reader_open(&reader, body, len, arena, err);

	*request_out = (struct score_request){0};
	if (status != STATUS_OK)
		return status;
	if (reader.root->kind == NODE_OBJECT)
		items = node_find(reader.root, "items");
	if (items != NULL)
		return read_batch(&reader, limits, items, request_out);
	status = make_items(&reader, 1, request_out);
	if (status != STATUS_OK)
		return status;
	return read_item(&reader, limits, reader.root, PLACE_NONE, &request_out->items[0]);
}

/* The pair, as responses [2]: chosen, rejected. */
static enum status read_pair(const struct reader *reader, const struct wire_limits *limits,
			     struct question *question)
{
	static const char *const fields[] = {"chosen", "rejected"};
	enum status status = make_responses(reader, 2, question);

	for (size_t i = 0; i < 2 && status == STATUS_OK; i++) {
		const struct node *node;

		status = reader_require(reader, reader->root, fields[i], &node);
		if (status == STATUS_OK)
			status =
			    read_input(reader, limits, node, place_field(PLACE_NONE, fields[i]),
				       &question->responses[i]);
	}
	return status;
}

enum status wire_read_feedback(const char *body, size_t len, const struct wire_limits *limits,
			       struct arena *arena, struct feedback *feedback_out, struct err *err)
{
	struct feedback *out = feedback_out;
	const struct node *user;
	struct reader reader;
	enum status status = reader_open(&reader, body, len, arena, err);

	*out = (struct feedback){.strength = 1};
	if (status == STATUS_OK)
		status = reader_object(&reader, reader.root, feedback_fields);
	if (status == STATUS_OK)
		status = reader_require(&reader, reader.root, "user", &user);
	if (status == STATUS_OK)
		status = read_person(&reader, limits, reader.root, PLACE_NONE, &out->user,
				     &out->question);
	if (status == STATUS_OK)
		status = read_pair(&reader, limits, &out->question);
	if (status == STATUS_OK)
		status = reader_name(&reader, reader.root, "id", 1, &out->event_id);
	if (status != STATUS_OK)
		return status;
	return reader_number(&reader, reader.root, "strength", limits->max_strength,
			     "--max-strength", &out->strength);
}
