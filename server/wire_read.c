/* SPDX-License-Identifier: Apache-2.0 */
#include "server/wire_read.h"

#include <string.h>

#include "server/wire_chat.h"
#include "server/wire_fields.h"

#define WANT_INPUT  "a text or {\"embedding\": ...}"
#define WANT_PROMPT "a text, an array of messages or {\"embedding\": ...}"
#define WANT_ITEM   "an object"

/* The fields that an object may have, NULL-terminated. */
static const char *const batch_fields[] = {"items", NULL};
static const char *const item_fields[] = {"user",      "context", "prompt",	 "messages",
					  "responses", "receipt", "personalize", NULL};
static const char *const feedback_fields[] = {
    "user", "context", "prompt", "messages", "chosen", "rejected", "id", WIRE_FIELDS_STEP, NULL};
static const char *const choice_fields[] = {"receipt",	"user",		  "context", "chosen",
					    "rejected", WIRE_FIELDS_STEP, NULL};

static const char *const reset_fields[] = {"context", NULL};

static enum status no_memory(const struct reader *reader)
{
	return err_no_memory(reader->err, "the request");
}

static enum status read_kind(const struct reader *reader, const struct wire_limits *limits,
			     const struct node *node, const char *want, struct input *out)
{
	if (node->kind == NODE_OBJECT) {
		out->kind = INPUT_VECTOR;
		return reader_vector(reader, node, limits->dim, &out->vector);
	}
	if (node->kind != NODE_STRING)
		return reader_wrong_type(reader, node, want);
	out->kind = INPUT_TEXT;
	out->text = reader_text(node);
	return STATUS_OK;
}

enum status wire_make_items(const struct reader *reader, size_t n,
			    struct score_request *request_out)
{
	request_out->n_items = n;
	request_out->items = arena_array(reader->arena, n, sizeof(*request_out->items));
	return request_out->items == NULL ? no_memory(reader) : STATUS_OK;
}

enum status wire_make_responses(const struct reader *reader, size_t n, struct question *question)
{
	question->n_responses = n;
	question->responses = arena_array(reader->arena, n, sizeof(*question->responses));
	return question->responses == NULL ? no_memory(reader) : STATUS_OK;
}

enum status wire_read_response(const struct reader *reader, const struct wire_limits *limits,
			       const struct node *node, struct place place, struct input *out)
{
	*out = (struct input){.place = place};
	return read_kind(reader, limits, node, WANT_INPUT, out);
}

enum status wire_read_prompt(const struct reader *reader, const struct wire_limits *limits,
			     const struct node *object, size_t item, struct input *out)
{
	const struct node *prompt = reader_find(object, "prompt");
	const struct node *messages = reader_find(object, "messages");

	*out = (struct input){.place = place_field(item, messages == NULL ? "prompt" : "messages")};
	if (messages != NULL && prompt != NULL)
		return reader_fault(reader, messages, STATUS_INVALID_VALUE,
				    "want prompt or messages, not both");
	if (messages != NULL)
		return wire_chat_read(reader, messages, out);
	if (prompt == NULL)
		return STATUS_OK;
	if (prompt->kind == NODE_ARRAY)
		return wire_chat_read(reader, prompt, out);
	return read_kind(reader, limits, prompt, WANT_PROMPT, out);
}

/* What a scored item and a feedback have in common. */
static enum status read_person(const struct reader *reader, const struct wire_limits *limits,
			       const struct node *object, size_t item, const char **user_out,
			       struct question *question)
{
	enum status status =
	    wire_fields_person(reader, object, &limits->person, user_out, &question->context);

	if (status == STATUS_OK)
		status = wire_read_prompt(reader, limits, object, item, &question->prompt);
	return status;
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
		status = wire_make_responses(reader, array->n, question);
	if (status != STATUS_OK)
		return status;
	node = node_first(array);
	for (size_t i = 0; i < question->n_responses && status == STATUS_OK; i++) {
		place.index = i;
		status = wire_read_response(reader, limits, node, place, &question->responses[i]);
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
	return status == STATUS_OK ? wire_fields_item(reader, object, out) : status;
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
		status = wire_make_items(reader, array->n, out);
	if (status != STATUS_OK)
		return status;
	node = node_first(array);
	for (size_t i = 0; i < out->n_items && status == STATUS_OK; i++) {
		status = read_item(reader, limits, node, i, &out->items[i]);
		node = node_next(node);
	}
	return status;
}

enum status wire_read_question(const struct reader *reader, const struct wire_limits *limits,
			       struct score_request *request_out)
{
	const struct node *items = NULL;
	enum status status;

	*request_out = (struct score_request){0};
	if (reader->root->kind == NODE_OBJECT)
		items = node_find(reader->root, "items");
	if (items != NULL)
		return read_batch(reader, limits, items, request_out);
	status = wire_make_items(reader, 1, request_out);
	if (status != STATUS_OK)
		return status;
	return read_item(reader, limits, reader->root, PLACE_NONE, &request_out->items[0]);
}

enum status wire_read_score(const char *body, size_t len, const struct wire_limits *limits,
			    struct arena *arena, struct score_request *request_out, struct err *err)
{
	struct reader reader;
	enum status status = reader_open(&reader, body, len, arena, err);

	return status == STATUS_OK ? wire_read_question(&reader, limits, request_out) : status;
}

/* The responses that were not chosen: one, or an array. */
static enum status count_rejected(const struct reader *reader, const struct wire_limits *limits,
				  const struct node *rejected, size_t *n_out)
{
	*n_out = 1;
	if (rejected->kind != NODE_ARRAY && rejected->kind != NODE_FLOATS)
		return STATUS_OK;
	*n_out = rejected->n;
	return reader_array(reader, rejected, limits->max_responses - 1, "--max-responses",
			    WANT_INPUT);
}

/* As responses: chosen, then each rejected. */
static enum status read_preference(const struct reader *reader, const struct wire_limits *limits,
				   struct question *question)
{
	struct place place = place_field(PLACE_NONE, "rejected");
	const struct node *chosen, *rejected;
	enum status status = reader_require(reader, reader->root, "chosen", &chosen);
	size_t n;

	if (status == STATUS_OK)
		status = reader_require(reader, reader->root, "rejected", &rejected);
	if (status == STATUS_OK)
		status = count_rejected(reader, limits, rejected, &n);
	if (status == STATUS_OK)
		status = wire_make_responses(reader, 1 + n, question);
	if (status == STATUS_OK)
		status =
		    wire_read_response(reader, limits, chosen, place_field(PLACE_NONE, "chosen"),
				       &question->responses[0]);
	if (status != STATUS_OK || rejected->kind != NODE_ARRAY)
		return status == STATUS_OK ? wire_read_response(reader, limits, rejected, place,
								&question->responses[1])
					   : status;
	rejected = node_first(rejected);
	for (size_t i = 0; i < n && status == STATUS_OK; i++) {
		place.index = i;
		status = wire_read_response(reader, limits, rejected, place,
					    &question->responses[1 + i]);
		rejected = node_next(rejected);
	}
	return status;
}

static enum status read_pair(const struct reader *reader, const struct wire_limits *limits,
			     struct feedback *out)
{
	const struct node *root = reader->root, *user;
	enum status status = reader_object(reader, root, feedback_fields);

	if (status == STATUS_OK && limits->person.user == NULL)
		status = reader_require(reader, root, "user", &user);
	if (status == STATUS_OK)
		status = read_person(reader, limits, root, PLACE_NONE, &out->user, &out->question);
	if (status == STATUS_OK)
		status = read_preference(reader, limits, &out->question);
	return status == STATUS_OK ? wire_fields_event(reader, root, limits->max_strength, out)
				   : status;
}

/* Each response at most once; the chosen one is not among the rejected. */
static enum status check_choice(const struct reader *reader, const struct node *rejected,
				const struct receipt_choice *choice)
{
	size_t most = choice->chosen;
	bool *seen;

	for (size_t i = 0; i < choice->n_rejected; i++)
		most = choice->rejected[i] > most ? choice->rejected[i] : most;
	seen = arena_array(reader->arena, most + 1, sizeof(*seen));
	if (seen == NULL)
		return no_memory(reader);
	seen[choice->chosen] = true;
	for (size_t i = 0; i < choice->n_rejected; i++) {
		if (seen[choice->rejected[i]])
			return reader_fault(reader, rejected, STATUS_INVALID_VALUE,
					    "response %zu is there twice, want different ones",
					    choice->rejected[i]);
		seen[choice->rejected[i]] = true;
	}
	return STATUS_OK;
}

static enum status read_indices(const struct reader *reader, const struct wire_limits *limits,
				struct receipt_choice *choice)
{
	const struct node *chosen, *rejected;
	enum status status = reader_require(reader, reader->root, "chosen", &chosen);

	if (status == STATUS_OK)
		status = reader_index(reader, chosen, &choice->chosen);
	if (status == STATUS_OK)
		status = reader_require(reader, reader->root, "rejected", &rejected);
	if (status == STATUS_OK)
		status = reader_indices(reader, rejected, &choice->rejected, &choice->n_rejected);
	if (status != STATUS_OK)
		return status;
	if (choice->n_rejected >= limits->max_responses)
		return reader_fault(reader, rejected, STATUS_INVALID_VALUE,
				    "%zu elements, want fewer than %zu (the limit of "
				    "--max-responses)",
				    choice->n_rejected, limits->max_responses);
	return check_choice(reader, rejected, choice);
}

static enum status read_choice(const struct reader *reader, const struct wire_limits *limits,
			       const struct node *token, struct feedback *out)
{
	struct receipt_choice *choice = arena_array(reader->arena, 1, sizeof(*choice));
	const struct node *root = reader->root;
	enum status status;

	if (choice == NULL)
		return no_memory(reader);
	out->choice = choice;
	status = reader_object(reader, root, choice_fields);
	if (status == STATUS_OK && token->kind != NODE_STRING)
		status = reader_wrong_type(reader, token, "a string");
	if (status != STATUS_OK)
		return status;
	choice->token = reader_text(token);
	status =
	    wire_fields_bearer(reader, root, &limits->person, &out->user, &out->question.context);
	if (status == STATUS_OK)
		status = read_indices(reader, limits, choice);
	return status == STATUS_OK ? wire_fields_step(reader, root, limits->max_strength, out)
				   : status;
}

enum status wire_read_feedback(const char *body, size_t len, const struct wire_limits *limits,
			       struct arena *arena, struct feedback *feedback_out, struct err *err)
{
	const struct node *token = NULL;
	struct reader reader;
	enum status status = reader_open(&reader, body, len, arena, err);

	*feedback_out = (struct feedback){.strength = 1};
	if (status != STATUS_OK)
		return status;
	if (reader.root->kind == NODE_OBJECT)
		token = reader_find(reader.root, "receipt");
	if (token == NULL)
		return read_pair(&reader, limits, feedback_out);
	return read_choice(&reader, limits, token, feedback_out);
}

enum status wire_read_reset(const char *body, size_t len, struct arena *arena,
			    const char **context_out, struct err *err)
{
	struct reader reader;
	enum status status = reader_open(&reader, body, len, arena, err);

	*context_out = NULL;
	if (status == STATUS_OK)
		status = reader_object(&reader, reader.root, reset_fields);
	if (status == STATUS_OK)
		status = reader_name(&reader, reader.root, "context", 1, context_out);
	return status;
}
