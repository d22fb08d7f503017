/* SPDX-License-Identifier: Apache-2.0 */
#include "server/tensor_body.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/math/logmath.h"

#define METADATA_REQUEST "request"
#define METADATA_FORMAT	 "format" /* what PyTorch files say of themselves */
#define REQUEST_POINTER	 "/__metadata__/" METADATA_REQUEST
#define KNOWN_MAX	 160 /* bytes of a list of tensors */

/* The fault in err is at the tensor of that name, or at what follows "/". */
static enum status at_name(const struct tensor_body *t, const char *name, enum status code)
{
	struct err *err = t->reader.err;

	err->param[0] = '\0';
	node_pointer_add(err->param, sizeof(err->param), name, strlen(name));
	return code;
}

static bool is_known(const char *const *names, const char *name)
{
	for (; *names != NULL; names++) {
		if (strcmp(*names, name) == 0)
			return true;
	}
	return false;
}

static enum status check_names(const struct tensor_body *t, const char *const *names)
{
	char known[KNOWN_MAX] = "";

	for (size_t i = 0; i < safetensors_count(t->file); i++) {
		const char *name = safetensors_at(t->file, i)->name;

		if (is_known(names, name))
			continue;
		for (; *names != NULL; names++) {
			size_t len = strlen(known);

			snprintf(known + len, sizeof(known) - len, "%s%s", len == 0 ? "" : ", ",
				 *names);
		}
		return at_name(t, name,
			       err_set(t->reader.err, STATUS_UNKNOWN_FIELD,
				       "unknown tensor \"%.64s\", known are: %s", name, known));
	}
	return STATUS_OK;
}

static enum status check_metadata(const struct tensor_body *t)
{
	static const char *const known[] = {METADATA_REQUEST, METADATA_FORMAT, NULL};
	struct err *err = t->reader.err;

	for (size_t i = 0; i < safetensors_metadata_count(t->file); i++) {
		const char *key, *value;

		safetensors_metadata_at(t->file, i, &key, &value);
		if (is_known(known, key))
			continue;
		err_set(err, STATUS_UNKNOWN_FIELD,
			"unknown key \"%.64s\", want the request's fields as JSON under the key "
			"\"" METADATA_REQUEST "\"",
			key);
		at_name(t, "__metadata__", STATUS_UNKNOWN_FIELD);
		node_pointer_add(err->param, sizeof(err->param), key, strlen(key));
		return STATUS_UNKNOWN_FIELD;
	}
	return STATUS_OK;
}

/* The strings of the request are in the header, which goes away: in a copy they stay. */
static enum status read_request(struct tensor_body *t)
{
	const char *text = safetensors_metadata(t->file, METADATA_REQUEST);
	struct arena *arena = t->reader.arena;
	struct err *err = t->reader.err;
	enum status status;

	if (text == NULL)
		text = "{}";
	text = arena_string(arena, text, strlen(text));
	if (text == NULL)
		return err_no_memory(err, "the request");
	status = reader_open(&t->reader, text, strlen(text), arena, err);
	t->reader.base = REQUEST_POINTER;
	if (status == STATUS_OK)
		return STATUS_OK;
	err_wrap(err, "__metadata__, " METADATA_REQUEST);
	snprintf(err->param, sizeof(err->param), "%s", REQUEST_POINTER);
	return status;
}

enum status tensor_body_open(struct tensor_body *t, const char *body, size_t len,
			     const char *const *names, size_t dim, struct arena *arena,
			     struct err *err)
{
	enum status status = safetensors_parse(body, len, &t->file, err);

	/* a bad file is ours, a bad body the client's */
	if (status == STATUS_BAD_FILE) {
		err_wrap(err, "no safetensors body");
		err->code = status = STATUS_MALFORMED;
	}
	if (status != STATUS_OK)
		return status;
	t->dim = dim;
	t->reader = (struct reader){.arena = arena, .err = err};
	status = check_names(t, names);
	if (status == STATUS_OK)
		status = check_metadata(t);
	if (status == STATUS_OK)
		status = read_request(t);
	if (status != STATUS_OK)
		safetensors_close(t->file);
	return status;
}

void tensor_body_close(struct tensor_body *t)
{
	safetensors_close(t->file);
}

static enum status check_tensor(const struct tensor_body *t, const struct tensor *tensor)
{
	char shape[TENSOR_SHAPE_TEXT];

	if (!dtype_is_float(tensor->dtype))
		return at_name(t, tensor->name,
			       err_set(t->reader.err, STATUS_INVALID_TYPE,
				       "dtype %s, want F32, F16 or BF16", tensor->dtype_name));
	if (tensor->rank == 2 && tensor->shape[0] >= 1 && tensor->shape[1] == t->dim)
		return STATUS_OK;
	tensor_shape_text(tensor->shape, tensor->rank, shape);
	return at_name(t, tensor->name,
		       err_set(t->reader.err, STATUS_WRONG_DIMENSION,
			       "shape %s, want [n, %zu]: 1 row or more of the model's dimension",
			       shape, t->dim));
}

/* The numbers where they are, if they can be used so; NULL without memory. */
static const float *take_numbers(const struct tensor_body *t, const struct tensor *tensor)
{
	float *copy;

	if (tensor->dtype == DTYPE_F32 && (uintptr_t)tensor->data % sizeof(float) == 0)
		return (const float *)(const void *)tensor->data;
	copy = arena_floats(t->reader.arena, tensor->n_elements);
	if (copy != NULL)
		dtype_to_floats(tensor->dtype, tensor->data, tensor->n_elements, copy);
	return copy;
}

enum status tensor_body_rows(const struct tensor_body *t, const char *name, struct tensor_rows *out)
{
	const struct tensor *tensor = safetensors_find(t->file, name);
	struct err *err = t->reader.err;
	enum status status;
	size_t bad;

	*out = (struct tensor_rows){.name = name};
	if (tensor == NULL)
		return STATUS_OK;
	status = check_tensor(t, tensor);
	if (status != STATUS_OK)
		return status;
	out->n = tensor->shape[0];
	out->x = take_numbers(t, tensor);
	if (out->x == NULL)
		return err_no_memory(err, "the request");
	if (all_finite_f(out->x, tensor->n_elements, &bad))
		return STATUS_OK;
	at_name(t, name,
		err_set(err, STATUS_NOT_FINITE, "number %zu of row %zu of tensor %s is not finite",
			bad % t->dim, bad / t->dim, name));
	node_pointer_add_index(err->param, sizeof(err->param), bad / t->dim);
	return STATUS_NOT_FINITE;
}

enum status tensor_body_require(const struct tensor_body *t, const char *name,
				struct tensor_rows *out)
{
	enum status status = tensor_body_rows(t, name, out);

	if (status != STATUS_OK || out->n > 0)
		return status;
	return at_name(t, name,
		       err_set(t->reader.err, STATUS_MISSING_FIELD, "this tensor is required"));
}

enum status tensor_body_wrong_rows(const struct tensor_body *t, const struct tensor_rows *rows,
				   size_t want, const char *why)
{
	return at_name(t, rows->name,
		       err_set(t->reader.err, STATUS_INVALID_VALUE, "%zu rows, want %zu%s", rows->n,
			       want, why));
}

struct input tensor_body_input(const struct tensor_body *t, const struct tensor_rows *rows,
			       size_t row)
{
	struct place place = place_field(PLACE_NONE, rows->name);

	place.index = row;
	return (struct input){
	    .kind = INPUT_VECTOR,
	    .vector = feature_row_dense(rows->x + row * t->dim, t->dim),
	    .place = place,
	};
}
