/* SPDX-License-Identifier: Apache-2.0 */
#include "server/wire_read.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/digest.h"

/* Numbers are read as doubles, so that 1 and 1.0 are the same. */
#define READ_FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL)

/* What every reading function needs. */
struct reader {
	const struct wire_limits *limits;
	struct arena *arena;
	struct err *err;
};

/* The fields that an object may have, NULL-terminated. */
static const char *const batch_fields[] = {"items", NULL};
static const char *const item_fields[] = {"user", "context", "prompt", "responses", NULL};
static const char *const feedback_fields[] = {"user",	  "context", "prompt",	 "chosen",
					      "rejected", "id",	     "strength", NULL};

static enum status fault(const struct reader *reader, enum status code, struct place place,
			 const char *text)
{
	char param[PLACE_TEXT_MAX];

	return err_at(reader->err, code, place_text(place, param), "%s", text);
}

static const char *type_name(const json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_NULL:
		return "null";
	default:
		return "a boolean";
	}
}

static enum status wrong_type(const struct reader *reader, struct place place, const char *want,
			      const json_t *got)
{
	char param[PLACE_TEXT_MAX];

	return err_at(reader->err, STATUS_INVALID_TYPE, place_text(place, param), "want %s, got %s",
		      want, type_name(got));
}

static enum status parse_fault(const json_error_t *e, struct err *err)
{
	int column = e->column < 1 ? 1 : e->column;
	int line = e->line < 1 ? 1 : e->line;

	if (json_error_code(e) == json_error_out_of_memory)
		return err_no_memory(err, "the request");
	if (json_error_code(e) == json_error_null_character)
		return err_set(err, STATUS_MALFORMED,
			       "line %d, column %d: a string has the character U+0000, want none",
			       line, column);
	if (json_error_code(e) == json_error_stack_overflow)
		return err_set(err, STATUS_MALFORMED,
			       "line %d, column %d: nested too deep, the limit is 2048 levels",
			       line, column);
	return err_set(err, STATUS_MALFORMED, "line %d, column %d: %s", line, column, e->text);
}

static enum status parse(const char *body, size_t len, json_t **root_out, struct err *err)
{
	json_error_t e;

	if (len == 0)
		return err_set(err, STATUS_MALFORMED,
			       "line 1, column 1: the body is empty, want a JSON object");
	*root_out = json_loadb(body, len, READ_FLAGS, &e);
	return *root_out == NULL ? parse_fault(&e, err) : STATUS_OK;
}

static bool is_known(const char *const *fields, const char *key)
{
	for (; *fields != NULL; fields++) {
		if (strcmp(*fields, key) == 0)
			return true;
	}
	return false;
}

static enum status unknown_field(const struct reader *reader, const char *const *fields,
				 size_t item, const char *key)
{
	char param[PLACE_TEXT_MAX], known[128] = "";

	for (size_t i = 0; fields[i] != NULL; i++) {
		size_t len = strlen(known);

		snprintf(known + len, sizeof(known) - len, "%s%s", i == 0 ? "" : ", ", fields[i]);
	}
	return err_at(reader->err, STATUS_UNKNOWN_FIELD, place_text(place_field(item, key), param),
		      "unknown field \"%.64s\", known are: %s", key, known);
}

static enum status check_object(const struct reader *reader, json_t *object,
				const char *const *fields, size_t item)
{
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return wrong_type(reader, place_field(item, NULL), "an object", object);
	json_object_foreach(object, key, value)
	{
		if (!is_known(fields, key))
			return unknown_field(reader, fields, item, key);
	}
	return STATUS_OK;
}

/* NULL if the field is missing or null: null is how many clients write "none". */
static json_t *find(json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);

	return json_is_null(value) ? NULL : value;
}

static enum status require(const struct reader *reader, json_t *object, struct place place,
			   json_t **value_out)
{
	*value_out = find(object, place.field);
	if (*value_out != NULL)
		return STATUS_OK;
	return fault(reader, STATUS_MISSING_FIELD, place, "this field is required");
}

static enum status copy_text(const struct reader *reader, const json_t *json, const char **out)
{
	*out = arena_string(reader->arena, json_string_value(json), json_string_length(json));
	return *out == NULL ? err_no_memory(reader->err, "the request") : STATUS_OK;
}

/* An optional name; *out is left alone if it is missing. */
static enum status read_name(const struct reader *reader, json_t *object, struct place place,
			     size_t min_len, const char **out)
{
	json_t *json = find(object, place.field);
	char param[PLACE_TEXT_MAX];
	enum status status;

	if (json == NULL)
		return STATUS_OK;
	if (!json_is_string(json))
		return wrong_type(reader, place, "a string", json);
	status = identifier_check(json_string_value(json), json_string_length(json), min_len,
				  place_text(place, param), reader->err);
	return status == STATUS_OK ? copy_text(reader, json, out) : status;
}

static enum status read_number(const struct reader *reader, const json_t *json,
			       const struct input *input, size_t i, float *out)
{
	char param[PLACE_TEXT_MAX], pointer[PLACE_TEXT_MAX + 32];

	*out = (float)json_number_value(json);
	if (json_is_number(json) && isfinite(*out))
		return STATUS_OK;
	snprintf(pointer, sizeof(pointer), "%s/embedding/%zu", place_text(input->place, param), i);
	if (!json_is_number(json))
		return err_at(reader->err, STATUS_INVALID_TYPE, pointer, "want a number, got %s",
			      type_name(json));
	return err_at(reader->err, STATUS_NOT_FINITE, pointer,
		      "%g does not fit in a float32, want a magnitude below 3.4028236e38",
		      json_number_value(json));
}

static enum status read_numbers(const struct reader *reader, const json_t *array,
				const struct input *input, float *out)
{
	char param[PLACE_TEXT_MAX], pointer[PLACE_TEXT_MAX + 32];
	enum status status = STATUS_OK;
	size_t dim = reader->limits->dim;

	if (json_array_size(array) != dim) {
		snprintf(pointer, sizeof(pointer), "%s/embedding", place_text(input->place, param));
		return err_at(reader->err, STATUS_WRONG_DIMENSION, pointer,
			      "vector of %zu numbers, want %zu, the model's dimension",
			      json_array_size(array), dim);
	}
	for (size_t i = 0; i < dim && status == STATUS_OK; i++)
		status = read_number(reader, json_array_get(array, i), input, i, &out[i]);
	return status;
}

static enum status read_base64(const struct reader *reader, const json_t *string,
			       const struct input *input, float *out)
{
	char param[PLACE_TEXT_MAX];
	enum status status =
	    base64_decode_floats(json_string_value(string), json_string_length(string),
				 reader->limits->dim, out, reader->err);

	if (status != STATUS_OK)
		snprintf(reader->err->param, sizeof(reader->err->param), "%.100s/embedding",
			 place_text(input->place, param));
	return status;
}

static enum status read_vector(const struct reader *reader, json_t *object, struct input *input)
{
	json_t *embedding = json_object_get(object, "embedding");
	size_t dim = reader->limits->dim;

	if (embedding == NULL || json_object_size(object) != 1)
		return fault(reader,
			     embedding == NULL ? STATUS_MISSING_FIELD : STATUS_UNKNOWN_FIELD,
			     input->place, "want an object with the one field \"embedding\"");
	float *vector = arena_array(reader->arena, dim, sizeof(*vector));
	if (vector == NULL)
		return err_no_memory(reader->err, "the request");
	input->kind = INPUT_VECTOR;
	input->vector = feature_row_dense(vector, dim);
	if (json_is_array(embedding))
		return read_numbers(reader, embedding, input, vector);
	if (json_is_string(embedding))
		return read_base64(reader, embedding, input, vector);
	return fault(reader, STATUS_INVALID_TYPE, input->place,
		     "want an embedding that is an array of numbers or a base64 string");
}

static enum status read_input(const struct reader *reader, json_t *json, struct place place,
			      struct input *out)
{
	*out = (struct input){.place = place};
	if (json_is_object(json))
		return read_vector(reader, json, out);
	if (!json_is_string(json))
		return wrong_type(reader, place, "a text or {\"embedding\": ...}", json);
	out->kind = INPUT_TEXT;
	out->text.len = json_string_length(json);
	return copy_text(reader, json, &out->text.bytes);
}

static enum status read_prompt(const struct reader *reader, json_t *object, size_t item,
			       struct input *out)
{
	struct place place = place_field(item, "prompt");
	json_t *json = find(object, place.field);

	*out = (struct input){.place = place};
	return json == NULL ? STATUS_OK : read_input(reader, json, place, out);
}

/* Length of an array that must have 1 to max elements. */
static enum status check_length(const struct reader *reader, const json_t *array,
				struct place place, size_t max, const char *option)
{
	char param[PLACE_TEXT_MAX];
	size_t n = json_array_size(array);

	if (!json_is_array(array))
		return wrong_type(reader, place, "an array", array);
	if (n >= 1 && n <= max)
		return STATUS_OK;
	return err_at(reader->err, STATUS_INVALID_VALUE, place_text(place, param),
		      "%zu elements, want 1 to %zu (the limit of %s)", n, max, option);
}

static enum status read_responses(const struct reader *reader, json_t *object, size_t item,
				  struct question *question)
{
	struct place place = place_field(item, "responses");
	json_t *array;
	enum status status = require(reader, object, place, &array);

	if (status == STATUS_OK)
		status = check_length(reader, array, place, reader->limits->max_responses,
				      "--max-responses");
	if (status != STATUS_OK)
		return status;
	question->n_responses = json_array_size(array);
	question->responses =
	    arena_array(reader->arena, question->n_responses, sizeof(*question->responses));
	if (question->responses == NULL)
		return err_no_memory(reader->err, "the request");
	for (size_t i = 0; i < question->n_responses && status == STATUS_OK; i++) {
		place.index = i;
		status =
		    read_input(reader, json_array_get(array, i), place, &question->responses[i]);
	}
	return status;
}

/* What a scored item and a feedback have in common. */
static enum status read_person(const struct reader *reader, json_t *object, size_t item,
			       const char **user_out, struct question *question)
{
	enum status status = read_name(reader, object, place_field(item, "user"), 1, user_out);

	question->context = "";
	if (status == STATUS_OK)
		status =
		    read_name(reader, object, place_field(item, "context"), 0, &question->context);
	if (status == STATUS_OK)
		status = read_prompt(reader, object, item, &question->prompt);
	return status;
}

static enum status read_item(const struct reader *reader, json_t *object, size_t item,
			     struct score_item *out)
{
	enum status status = check_object(reader, object, item_fields, item);

	if (status == STATUS_OK)
		status = read_person(reader, object, item, &out->user, &out->question);
	if (status == STATUS_OK)
		status = read_responses(reader, object, item, &out->question);
	return status;
}

static enum status read_items(const struct reader *reader, json_t *root, struct score_request *out)
{
	json_t *array = json_object_get(root, "items");
	enum status status = STATUS_OK;

	if (array == NULL) {
		out->n_items = 1;
	} else {
		out->is_batch = true;
		out->n_items = json_array_size(array);
		status = check_object(reader, root, batch_fields, PLACE_NONE);
		if (status == STATUS_OK)
			status = check_length(reader, array, place_field(PLACE_NONE, "items"),
					      reader->limits->max_items, "--max-items");
	}
	if (status != STATUS_OK)
		return status;
	out->items = arena_array(reader->arena, out->n_items, sizeof(*out->items));
	if (out->items == NULL)
		return err_no_memory(reader->err, "the request");
	if (!out->is_batch)
		return read_item(reader, root, PLACE_NONE, &out->items[0]);
	for (size_t i = 0; i < out->n_items && status == STATUS_OK; i++)
		status = read_item(reader, json_array_get(array, i), i, &out->items[i]);
	return status;
}

enum status wire_read_score(const char *body, size_t len, const struct wire_limits *limits,
			    struct arena *arena, struct score_request *request_out, struct err *err)
{
	const struct reader reader = {limits, arena, err};
	json_t *root;
	enum status status = parse(body, len, &root, err);

	if (status != STATUS_OK)
		return status;
	*request_out = (struct score_request){0};
	status = read_items(&reader, root, request_out);
	json_decref(root);
	return status;
}

static enum status read_strength(const struct reader *reader, json_t *root, double *out)
{
	struct place place = place_field(PLACE_NONE, "strength");
	json_t *json = find(root, place.field);
	char param[PLACE_TEXT_MAX];

	*out = 1;
	if (json == NULL)
		return STATUS_OK;
	if (!json_is_number(json))
		return wrong_type(reader, place, "a number", json);
	*out = json_number_value(json);
	if (*out >= 0 && *out <= reader->limits->max_strength)
		return STATUS_OK;
	return err_at(reader->err, STATUS_INVALID_VALUE, place_text(place, param),
		      "%g, want 0 to %g (the limit of --max-strength)", *out,
		      reader->limits->max_strength);
}

/* The pair, as responses [2]: chosen, rejected. */
static enum status read_pair(const struct reader *reader, json_t *root, struct question *question)
{
	const struct place places[] = {place_field(PLACE_NONE, "chosen"),
				       place_field(PLACE_NONE, "rejected")};
	enum status status = STATUS_OK;

	question->n_responses = 2;
	question->responses = arena_array(reader->arena, 2, sizeof(*question->responses));
	if (question->responses == NULL)
		return err_no_memory(reader->err, "the request");
	for (size_t i = 0; i < 2 && status == STATUS_OK; i++) {
		json_t *json;

		status = require(reader, root, places[i], &json);
		if (status == STATUS_OK)
			status = read_input(reader, json, places[i], &question->responses[i]);
	}
	return status;
}

static enum status read_feedback(const struct reader *reader, json_t *root, struct feedback *out)
{
	enum status status = check_object(reader, root, feedback_fields, PLACE_NONE);
	json_t *user;

	if (status == STATUS_OK)
		status = require(reader, root, place_field(PLACE_NONE, "user"), &user);
	if (status == STATUS_OK)
		status = read_person(reader, root, PLACE_NONE, &out->user, &out->question);
	if (status == STATUS_OK)
		status = read_pair(reader, root, &out->question);
	if (status == STATUS_OK)
		status = read_name(reader, root, place_field(PLACE_NONE, "id"), 1, &out->event_id);
	if (status == STATUS_OK)
		status = read_strength(reader, root, &out->strength);
	return status;
}

enum status wire_read_feedback(const char *body, size_t len, const struct wire_limits *limits,
			       struct arena *arena, struct feedback *feedback_out, struct err *err)
{
	const struct reader reader = {limits, arena, err};
	json_t *root;
	enum status status = parse(body, len, &root, err);

	if (status != STATUS_OK)
		return status;
	*feedback_out = (struct feedback){0};
	status = read_feedback(&reader, root, feedback_out);
	json_decref(root);
	return status;
}
