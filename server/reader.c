/* SPDX-License-Identifier: Apache-2.0 */
#include "server/reader.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/base64.h"
#include "core/json/tree.h"
#include "server/identifier.h"

#define KNOWN_MAX 160 /* bytes of a list of fields */

enum status reader_open(struct reader *reader, const char *body, size_t len, struct arena *arena,
			struct err *err)
{
	*reader = (struct reader){.arena = arena, .err = err};
	if (len == 0)
		return err_set(err, STATUS_MALFORMED,
			       "line 1, column 1: the body is empty, want a JSON object");
	return tree_parse(body, len, arena, &reader->root, err);
}

static void point_at(const struct reader *reader, const struct node *node)
{
	const size_t size = sizeof(reader->err->param);
	char *param = reader->err->param;
	size_t len = 0;

	if (reader->base != NULL)
		len = (size_t)snprintf(param, size / 2, "%s", reader->base);
	node_pointer(reader->root, node, param + len, size - len);
}

enum status reader_at(const struct reader *reader, const struct node *node, enum status status)
{
	if (status != STATUS_OK)
		point_at(reader, node);
	return status;
}

enum status reader_fault(const struct reader *reader, const struct node *node, enum status code,
			 const char *format, ...)
{
	char text[sizeof(reader->err->msg)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return reader_at(reader, node, err_set(reader->err, code, "%s", text));
}

enum status reader_wrong_type(const struct reader *reader, const struct node *node,
			      const char *want)
{
	return reader_fault(reader, node, STATUS_INVALID_TYPE, "want %s, got %s", want,
			    node_kind_text(node));
}

static bool is_known(const struct node *name, const char *const *fields)
{
	for (; *fields != NULL; fields++) {
		if (node_is(name, *fields))
			return true;
	}
	return false;
}

static enum status unknown_field(const struct reader *reader, const struct node *name,
				 const char *const *fields)
{
	char known[KNOWN_MAX] = "";

	for (size_t i = 0; fields[i] != NULL; i++) {
		size_t len = strlen(known);

		snprintf(known + len, sizeof(known) - len, "%s%s", i == 0 ? "" : ", ", fields[i]);
	}
	return reader_fault(reader, node_value(name), STATUS_UNKNOWN_FIELD,
			    "unknown field \"%.*s\", known are: %s",
			    (int)(name->n < 64 ? name->n : 64), name->bytes, known);
}

enum status reader_object(const struct reader *reader, const struct node *node,
			  const char *const *fields)
{
	const struct node *name, *end;

	if (node->kind != NODE_OBJECT)
		return reader_wrong_type(reader, node, "an object");
	end = node_end(node);
	for (name = node_first(node); name != end; name = node_next(node_value(name))) {
		if (!is_known(name, fields))
			return unknown_field(reader, name, fields);
	}
	return STATUS_OK;
}

const struct node *reader_find(const struct node *object, const char *field)
{
	const struct node *value = node_find(object, field);

	return value == NULL || value->kind == NODE_NULL ? NULL : value;
}

enum status reader_require(const struct reader *reader, const struct node *object,
			   const char *field, const struct node **value_out)
{
	struct err *err = reader->err;

	*value_out = reader_find(object, field);
	if (*value_out != NULL)
		return STATUS_OK;
	reader_fault(reader, object, STATUS_MISSING_FIELD, "this field is required");
	node_pointer_add(err->param, sizeof(err->param), field, strlen(field));
	return STATUS_MISSING_FIELD;
}

enum status reader_name(const struct reader *reader, const struct node *object, const char *field,
			size_t min_len, const char **out)
{
	const struct node *node = reader_find(object, field);
	enum status status;

	if (node == NULL)
		return STATUS_OK;
	if (node->kind != NODE_STRING)
		return reader_wrong_type(reader, node, "a string");
	status = identifier_check(node->bytes, node->n, min_len, "", reader->err);
	if (status != STATUS_OK)
		return reader_at(reader, node, status);
	*out = arena_string(reader->arena, node->bytes, node->n);
	return *out == NULL ? err_no_memory(reader->err, "the request") : STATUS_OK;
}

enum status reader_number(const struct reader *reader, const struct node *object, const char *field,
			  double max, const char *option, double *out)
{
	const struct node *node = reader_find(object, field);

	if (node == NULL)
		return STATUS_OK;
	if (node->kind != NODE_NUMBER)
		return reader_wrong_type(reader, node, "a number");
	*out = node->number;
	if (*out >= 0 && *out <= max)
		return STATUS_OK;
	return reader_fault(reader, node, STATUS_INVALID_VALUE,
			    "%g, want 0 to %g (the limit of %s)", *out, max, option);
}

enum status reader_flag(const struct reader *reader, const struct node *object, const char *field,
			bool *out)
{
	const struct node *node = reader_find(object, field);

	if (node == NULL)
		return STATUS_OK;
	if (node->kind != NODE_BOOL)
		return reader_wrong_type(reader, node, "true or false");
	*out = node->truth;
	return STATUS_OK;
}

static bool to_index(double x, size_t *out)
{
	if (!(x >= 0 && x <= INDEX_MAX))
		return false;
	*out = (size_t)x;
	return (double)*out == x;
}

static enum status no_index(const struct reader *reader, const struct node *node, double x)
{
	return reader_fault(reader, node, STATUS_INVALID_VALUE,
			    "%g, want the number of a response: 0 is the first", x);
}

enum status reader_index(const struct reader *reader, const struct node *node, size_t *out)
{
	if (node->kind != NODE_NUMBER)
		return reader_wrong_type(reader, node, "the number of a response");
	return to_index(node->number, out) ? STATUS_OK : no_index(reader, node, node->number);
}

/* An array that did not become floats is empty, or has what is no number or too great a one. */
static enum status no_indices(const struct reader *reader, const struct node *array)
{
	const struct node *node, *end = node_end(array);
	size_t index;

	for (node = node_first(array); node != end; node = node_next(node)) {
		enum status status = reader_index(reader, node, &index);

		if (status != STATUS_OK)
			return status;
	}
	return reader_fault(reader, array, STATUS_INVALID_VALUE,
			    "0 elements, want the number of one response or more");
}

enum status reader_indices(const struct reader *reader, const struct node *node, const size_t **out,
			   size_t *n_out)
{
	size_t *indices;

	if (node->kind == NODE_ARRAY)
		return no_indices(reader, node);
	if (node->kind != NODE_NUMBER && node->kind != NODE_FLOATS)
		return reader_wrong_type(reader, node,
					 "the number of a response, or an array of them");
	*n_out = node->kind == NODE_NUMBER ? 1 : node->n;
	indices = arena_array(reader->arena, *n_out, sizeof(*indices));
	*out = indices;
	if (indices == NULL)
		return err_no_memory(reader->err, "the request");
	if (node->kind == NODE_NUMBER)
		return reader_index(reader, node, indices);
	/* float32 has every whole number up to 2^24 */
	for (size_t i = 0; i < *n_out; i++) {
		if (!to_index((double)node->floats[i], &indices[i]))
			return no_index(reader, node, (double)node->floats[i]);
	}
	return STATUS_OK;
}

enum status reader_array(const struct reader *reader, const struct node *node, size_t max,
			 const char *option, const char *want)
{
	struct err *err = reader->err;

	if (node->kind != NODE_ARRAY && node->kind != NODE_FLOATS)
		return reader_wrong_type(reader, node, "an array");
	if (node->n < 1 || node->n > max)
		return reader_fault(reader, node, STATUS_INVALID_VALUE,
				    "%u elements, want 1 to %zu (the limit of %s)", node->n, max,
				    option);
	if (node->kind == NODE_ARRAY)
		return STATUS_OK;
	reader_fault(reader, node, STATUS_INVALID_TYPE, "want %s, got a number", want);
	node_pointer_add_index(err->param, sizeof(err->param), 0);
	return STATUS_INVALID_TYPE;
}

struct text reader_text(const struct node *node)
{
	return (struct text){.bytes = node->bytes, .len = node->n};
}

/* An array that did not become floats has something else, or a number that does not fit. */
static enum status find_odd_number(const struct reader *reader, const struct node *array)
{
	const struct node *node, *end = node_end(array);

	for (node = node_first(array); node != end; node = node_next(node)) {
		if (node->kind != NODE_NUMBER)
			return reader_wrong_type(reader, node, "a number");
		if (!isfinite((float)node->number))
			return reader_fault(reader, node, STATUS_NOT_FINITE,
					    "%g does not fit in a float32, want a magnitude below "
					    "3.4028236e38",
					    node->number);
	}
	return reader_fault(reader, array, STATUS_NOT_FINITE,
			    "a number does not fit in a float32, want magnitudes below "
			    "3.4028236e38");
}

static enum status read_numbers(const struct reader *reader, const struct node *array, size_t dim,
				struct feature_row *out)
{
	if (array->n != dim)
		return reader_fault(reader, array, STATUS_WRONG_DIMENSION,
				    "vector of %u numbers, want %zu, the model's dimension",
				    array->n, dim);
	if (array->kind == NODE_ARRAY)
		return find_odd_number(reader, array);
	*out = feature_row_dense(array->floats, dim);
	return STATUS_OK;
}

static enum status read_base64(const struct reader *reader, const struct node *string, size_t dim,
			       struct feature_row *out)
{
	float *vector = arena_floats(reader->arena, dim);

	if (vector == NULL)
		return err_no_memory(reader->err, "the request");
	*out = feature_row_dense(vector, dim);
	return reader_at(reader, string,
			 base64_decode_floats(string->bytes, string->n, dim, vector, reader->err));
}

enum status reader_vector(const struct reader *reader, const struct node *object, size_t dim,
			  struct feature_row *out)
{
	const struct node *embedding = node_find(object, "embedding");

	if (embedding == NULL || object->n != 1)
		return reader_fault(reader, object,
				    embedding == NULL ? STATUS_MISSING_FIELD : STATUS_UNKNOWN_FIELD,
				    "want an object with the one field \"embedding\"");
	if (embedding->kind == NODE_ARRAY || embedding->kind == NODE_FLOATS)
		return read_numbers(reader, embedding, dim, out);
	if (embedding->kind == NODE_STRING)
		return read_base64(reader, embedding, dim, out);
	return reader_fault(reader, object, STATUS_INVALID_TYPE,
			    "want an embedding that is an array of numbers or a base64 string");
}
