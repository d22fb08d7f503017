/* SPDX-License-Identifier: Apache-2.0 */
#include "core/data/dataset_line.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/base/base64.h"
#include "core/base/mem.h"

enum status dataset_line_init(struct dataset_line *line, size_t dim, struct err *err)
{
	*line = (struct dataset_line){.dim = dim};
	line->vectors = mem_array(3 * dim, sizeof(*line->vectors));
	if (line->vectors == NULL)
		return err_no_memory(err, "the vectors of a line");
	line->prompt.vector = line->vectors;
	line->chosen.vector = line->vectors + dim;
	line->rejected.vector = line->vectors + 2 * dim;
	return STATUS_OK;
}

void dataset_line_free(struct dataset_line *line)
{
	json_decref(line->json);
	arena_free(&line->arena);
	mem_free(line->vectors);
	*line = (struct dataset_line){0};
}

static const char *type_name(const json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a text";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_NULL:
		return "null";
	default:
		return "a boolean";
	}
}

static enum status parse_fault(const json_error_t *e, struct err *err)
{
	switch (json_error_code(e)) {
	case json_error_out_of_memory:
		return err_no_memory(err, "a line");
	case json_error_stack_overflow:
		return err_set(err, STATUS_MALFORMED, "column %d: nested too deep", e->column);
	default:
		return err_set(err, STATUS_MALFORMED, "column %d: %s",
			       e->column < 1 ? 1 : e->column, e->text);
	}
}

/* A string or an integer, which stands for its decimal text; null is absent. */
static enum status read_name(const json_t *json, char digits[DATASET_LINE_DIGITS], struct text *out,
			     struct err *err)
{
	int len;

	*out = (struct text){0};
	if (json == NULL || json_is_null(json))
		return STATUS_OK;
	if (json_is_string(json)) {
		*out = (struct text){json_string_value(json), json_string_length(json)};
		if (memchr(out->bytes, '\0', out->len) != NULL)
			return err_set(err, STATUS_INVALID_VALUE,
				       "a name has the character U+0000, want none");
		return STATUS_OK;
	}
	if (!json_is_integer(json))
		return err_set(err, STATUS_INVALID_TYPE, "want a text or an integer, got %s",
			       type_name(json));
	len = snprintf(digits, DATASET_LINE_DIGITS, "%" JSON_INTEGER_FORMAT,
		       json_integer_value(json));
	*out = (struct text){digits, (size_t)len};
	return STATUS_OK;
}

static enum status read_user(const json_t *json, struct dataset_line *line, struct err *err)
{
	enum status status = read_name(json, line->user_digits, &line->user, err);

	if (status == STATUS_OK && line->user.bytes != NULL && line->user.len == 0)
		return err_set(err, STATUS_INVALID_VALUE,
			       "the empty text names nobody: give a name, or leave user out");
	return status;
}

/* The empty context is none, as it is for the daemon. */
static enum status read_context(const json_t *json, struct dataset_line *line, struct err *err)
{
	enum status status = read_name(json, line->context_digits, &line->context, err);

	if (line->context.len == 0)
		line->context.bytes = NULL;
	return status;
}

static enum status read_number(const json_t *json, float *out, struct err *err)
{
	if (!json_is_number(json))
		return err_set(err, STATUS_INVALID_TYPE, "want a number, got %s", type_name(json));
	*out = (float)json_number_value(json);
	if (!isfinite(*out))
		return err_set(err, STATUS_NOT_FINITE,
			       "%g does not fit in a float32, want a magnitude below 3.4028236e38",
			       json_number_value(json));
	return STATUS_OK;
}

static enum status read_numbers(const json_t *array, size_t dim, float *out, struct err *err)
{
	if (json_array_size(array) != dim)
		return err_set(err, STATUS_WRONG_DIMENSION, "vector of %zu numbers, want %zu",
			       json_array_size(array), dim);
	for (size_t i = 0; i < dim; i++) {
		enum status status = read_number(json_array_get(array, i), &out[i], err);

		if (status != STATUS_OK) {
			err_wrap(err, "number %zu", i);
			return status;
		}
	}
	return STATUS_OK;
}

static enum status read_input(const json_t *json, size_t dim, struct dataset_input *out,
			      struct err *err)
{
	const json_t *embedding = json_object_get(json, "embedding");

	if (json_is_string(json)) {
		out->kind = DATASET_TEXT;
		out->text = (struct text){json_string_value(json), json_string_length(json)};
		return STATUS_OK;
	}
	out->kind = DATASET_VECTOR;
	if (json_is_array(json))
		return read_numbers(json, dim, out->vector, err);
	if (json_is_array(embedding))
		return read_numbers(embedding, dim, out->vector, err);
	if (json_is_string(embedding))
		return base64_decode_floats(json_string_value(embedding),
					    json_string_length(embedding), dim, out->vector, err);
	if (json_is_object(json))
		return err_set(err, STATUS_INVALID_TYPE,
			       "want {\"embedding\": ...} with %zu numbers or their base64", dim);
	return err_set(err, STATUS_INVALID_TYPE, "want a text or a vector of %zu numbers, got %s",
		       dim, type_name(json));
}

/* ---- messages: [{"role": "user", "content": "..."}, ...] ---- */

static bool is_messages(const json_t *json)
{
	return json_is_array(json) && json_is_object(json_array_get(json, 0));
}

static struct text text_of(const json_t *string)
{
	return (struct text){json_string_value(string), json_string_length(string)};
}

/* [{"type": "text", "text": "..."}, ...] */
static enum status read_parts(const json_t *array, struct arena *arena, struct text *out,
			      struct err *err)
{
	size_t n = json_array_size(array);
	struct text *parts = arena_array(arena, n, sizeof(*parts));

	if (parts == NULL)
		return err_no_memory(err, "messages");
	for (size_t i = 0; i < n; i++) {
		const json_t *part = json_array_get(array, i);
		const char *type = json_string_value(json_object_get(part, "type"));
		const json_t *text = json_object_get(part, "text");

		if (type == NULL || strcmp(type, "text") != 0 || !json_is_string(text))
			return err_set(err, STATUS_INVALID_TYPE,
				       "content/%zu: want {\"type\": \"text\", \"text\": ...}", i);
		parts[i] = text_of(text);
	}
	return chat_join(parts, n, arena, out, err);
}

static enum status read_message(const json_t *json, struct arena *arena, struct chat_message *out,
				struct err *err)
{
	const json_t *role = json_object_get(json, "role");
	const json_t *content = json_object_get(json, "content");

	if (!json_is_string(role) || json_string_length(role) == 0)
		return err_set(err, STATUS_INVALID_TYPE, "role: want a text that is not empty");
	out->role = text_of(role);
	if (json_is_array(content))
		return read_parts(content, arena, &out->content, err);
	if (!json_is_string(content))
		return err_set(err, STATUS_INVALID_TYPE,
			       "content: want a text or an array of texts");
	out->content = text_of(content);
	return STATUS_OK;
}

static enum status read_messages(const json_t *array, struct arena *arena, struct chat *chat_out,
				 struct err *err)
{
	size_t n = json_array_size(array);
	struct chat_message *messages = arena_array(arena, n, sizeof(*messages));
	enum status status = STATUS_OK;

	if (messages == NULL)
		return err_no_memory(err, "messages");
	*chat_out = (struct chat){messages, n};
	for (size_t i = 0; i < n && status == STATUS_OK; i++) {
		status = read_message(json_array_get(array, i), arena, &messages[i], err);
		if (status != STATUS_OK)
			err_wrap(err, "%zu", i);
	}
	return status;
}

static enum status read_prompt(const json_t *json, struct dataset_line *line, struct err *err)
{
	struct dataset_input *out = &line->prompt;
	enum status status;

	out->kind = DATASET_ABSENT;
	out->text = (struct text){0};
	if (json == NULL || json_is_null(json))
		return STATUS_OK;
	if (!is_messages(json))
		return read_input(json, line->dim, out, err);
	out->kind = DATASET_TEXT;
	status = read_messages(json, &line->arena, &line->chat, err);
	return status == STATUS_OK ? chat_text(&line->chat, &line->arena, &out->text, err) : status;
}

/* A response in messages is one message of whoever answers. */
static enum status read_response(const json_t *json, struct dataset_line *line,
				 struct dataset_input *out, struct err *err)
{
	struct chat chat;
	enum status status;

	if (json == NULL)
		return err_set(err, STATUS_MISSING_FIELD,
			       "missing, want a text or a vector of %zu numbers", line->dim);
	if (!is_messages(json))
		return read_input(json, line->dim, out, err);
	status = read_messages(json, &line->arena, &chat, err);
	if (status != STATUS_OK)
		return status;
	if (chat.n != 1)
		return err_set(err, STATUS_INVALID_VALUE,
			       "%zu messages, want one: those before it are the prompt's", chat.n);
	out->kind = DATASET_TEXT;
	out->text = chat.messages[0].content;
	return STATUS_OK;
}

/* Say in which field it was. */
static enum status at(const char *field, enum status status, struct err *err)
{
	if (status != STATUS_OK)
		err_wrap(err, "/%s", field);
	return status;
}

/* "messages" stands where "prompt" would. */
static enum status check_messages(const json_t *json, struct err *err)
{
	if (json_object_get(json, "prompt") != NULL)
		return err_set(err, STATUS_INVALID_VALUE, "want /prompt or /messages, not both");
	if (!is_messages(json_object_get(json, "messages")))
		return err_set(err, STATUS_INVALID_TYPE,
			       "/messages: want an array of {\"role\": ..., \"content\": ...}");
	return STATUS_OK;
}

static enum status read_fields(struct dataset_line *line, struct err *err)
{
	const json_t *json = line->json;
	const json_t *messages = json_object_get(json, "messages");
	const json_t *prompt = messages == NULL ? json_object_get(json, "prompt") : messages;
	const json_t *chosen = json_object_get(json, "chosen");
	const json_t *rejected = json_object_get(json, "rejected");
	enum status status;

	status = at("user", read_user(json_object_get(json, "user"), line, err), err);
	if (status == STATUS_OK)
		status =
		    at("context", read_context(json_object_get(json, "context"), line, err), err);
	if (status == STATUS_OK && messages != NULL)
		status = check_messages(json, err);
	if (status == STATUS_OK)
		status = at(messages == NULL ? "prompt" : "messages",
			    read_prompt(prompt, line, err), err);
	if (status == STATUS_OK)
		status = at("chosen", read_response(chosen, line, &line->chosen, err), err);
	if (status == STATUS_OK)
		status = at("rejected", read_response(rejected, line, &line->rejected, err), err);
	return status;
}

enum status dataset_line_parse(struct dataset_line *line, struct text bytes, struct err *err)
{
	json_error_t e;

	json_decref(line->json);
	arena_free(&line->arena);
	line->chat = (struct chat){0};
	/* texts are as a model wrote them */
	line->json =
	    json_loadb(bytes.bytes, bytes.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
	if (line->json == NULL)
		return parse_fault(&e, err);
	if (!json_is_object(line->json))
		return err_set(err, STATUS_INVALID_TYPE, "want an object, got an array");
	return read_fields(line, err);
}
