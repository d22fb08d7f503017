/* SPDX-License-Identifier: Apache-2.0 */
#include "core/data/dataset_line.h"

#include <math.h>
#include <stdio.h>

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

static enum status read_prompt(const json_t *json, size_t dim, struct dataset_input *out,
			       struct err *err)
{
	out->kind = DATASET_ABSENT;
	out->text = (struct text){0};
	if (json == NULL || json_is_null(json))
		return STATUS_OK;
	return read_input(json, dim, out, err);
}

static enum status read_response(const json_t *json, size_t dim, struct dataset_input *out,
				 struct err *err)
{
	if (json == NULL)
		return err_set(err, STATUS_MISSING_FIELD,
			       "missing, want a text or a vector of %zu numbers", dim);
	return read_input(json, dim, out, err);
}

/* Say in which field it was. */
static enum status at(const char *field, enum status status, struct err *err)
{
	if (status != STATUS_OK)
		err_wrap(err, "/%s", field);
	return status;
}

static enum status read_fields(struct dataset_line *line, struct err *err)
{
	const json_t *json = line->json;
	const json_t *prompt = json_object_get(json, "prompt");
	const json_t *chosen = json_object_get(json, "chosen");
	const json_t *rejected = json_object_get(json, "rejected");
	enum status status;

	status = at("user", read_user(json_object_get(json, "user"), line, err), err);
	if (status == STATUS_OK)
		status =
		    at("context", read_context(json_object_get(json, "context"), line, err), err);
	if (status == STATUS_OK)
		status = at("prompt", read_prompt(prompt, line->dim, &line->prompt, err), err);
	if (status == STATUS_OK)
		status = at("chosen", read_response(chosen, line->dim, &line->chosen, err), err);
	if (status == STATUS_OK)
		status =
		    at("rejected", read_response(rejected, line->dim, &line->rejected, err), err);
	return status;
}

enum status dataset_line_parse(struct dataset_line *line, struct text bytes, struct err *err)
{
	json_error_t e;

	json_decref(line->json);
	line->json = json_loadb(bytes.bytes, bytes.len, JSON_REJECT_DUPLICATES, &e);
	if (line->json == NULL)
		return parse_fault(&e, err);
	if (!json_is_object(line->json))
		return err_set(err, STATUS_INVALID_TYPE, "want an object, got an array");
	return read_fields(line, err);
}
