/* SPDX-License-Identifier: Apache-2.0 */
/* embedding_reply.c - the vectors of an embedding server's reply (embedding_api.h). */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <unistr.h>

#include "core/base/arena.h"
#include "core/base/base64.h"
#include "core/base/mem.h"
#include "core/encode/embedding_api.h"
#include "core/json/tree.h"

/* A reply while it is read. */
struct reply {
	size_t n_texts, dim;
	float *rows;	  /* [n_texts, dim] */
	bool *seen;	  /* [n_texts]: there is a vector */
	size_t n_vectors; /* read so far */
	struct err *err;
};

static enum status broken(const struct reply *r, const char *want, const struct node *got)
{
	return err_set(r->err, STATUS_ENCODER_FAULT, "vector %zu: want %s, got %s", r->n_vectors,
		       want, got == NULL ? "nothing" : node_kind_text(got));
}

/* ---- one vector ---- */

static enum status wrong_dimension(const struct reply *r, size_t got)
{
	return err_set(r->err, STATUS_ENCODER_FAULT,
		       "vector %zu has %zu numbers, want %zu: another model, or another D in the "
		       "encoder's name",
		       r->n_vectors, got, r->dim);
}

static enum status read_base64(const struct reply *r, const struct node *text, float *row)
{
	enum status status = base64_decode_floats(text->bytes, text->n, r->dim, row, r->err);

	if (status == STATUS_OK)
		return status;
	if (r->err != NULL)
		r->err->code = STATUS_ENCODER_FAULT;
	err_wrap(r->err, "vector %zu", r->n_vectors);
	return STATUS_ENCODER_FAULT;
}

/* Of an array that is not all numbers of a float32: JavaScript writes null for NaN. */
static enum status no_numbers(const struct reply *r, const struct node *array)
{
	size_t i = 0;

	for (const struct node *item = node_first(array); item != node_end(array);
	     item = node_next(item), i++) {
		if (item->kind == NODE_NULL ||
		    (item->kind == NODE_NUMBER && !isfinite((float)item->number)))
			return err_set(r->err, STATUS_ENCODER_FAULT,
				       "number %zu of vector %zu is not finite", i, r->n_vectors);
		if (item->kind != NODE_NUMBER)
			return broken(r, "numbers", item);
	}
	return wrong_dimension(r, i);
}

static enum status check_row(const struct reply *r, const float *row)
{
	for (size_t i = 0; i < r->dim; i++) {
		if (row[i] != 0)
			return STATUS_OK;
	}
	return err_set(r->err, STATUS_ENCODER_FAULT, "vector %zu is all zeros", r->n_vectors);
}

static enum status read_vector(struct reply *r, const struct node *vector, float *row)
{
	enum status status = STATUS_OK;

	if (vector != NULL && vector->kind == NODE_STRING)
		status = read_base64(r, vector, row);
	else if (vector != NULL && vector->kind == NODE_ARRAY)
		status = no_numbers(r, vector);
	else if (vector == NULL || vector->kind != NODE_FLOATS)
		status = broken(r, "a vector, as an array or base64", vector);
	else if (vector->n != r->dim)
		status = wrong_dimension(r, vector->n);
	else
		memcpy(row, vector->floats, r->dim * sizeof(*row));
	if (status == STATUS_OK)
		status = check_row(r, row);
	r->n_vectors++;
	return status;
}

/* ---- all of them ---- */

static enum status check_number(const struct reply *r, const struct node *vectors)
{
	size_t n = node_length(vectors);

	if (n == r->n_texts)
		return STATUS_OK;
	return err_set(r->err, STATUS_ENCODER_FAULT, "the reply has %zu vectors, want %zu", n,
		       r->n_texts);
}

/* [[...], ...] */
static enum status read_tei(struct reply *r, const struct node *root)
{
	enum status status;

	if (root->kind != NODE_ARRAY)
		return err_set(r->err, STATUS_ENCODER_FAULT,
			       "the reply: want an array of vectors, got %s", node_kind_text(root));
	status = check_number(r, root);
	for (const struct node *item = node_first(root);
	     item != node_end(root) && status == STATUS_OK; item = node_next(item))
		status = read_vector(r, item, r->rows + r->n_vectors * r->dim);
	return status;
}

static enum status read_index(const struct reply *r, const struct node *item, size_t *index_out)
{
	const struct node *index = node_find(item, "index");

	if (index == NULL || index->kind != NODE_NUMBER || !(index->number >= 0) ||
	    !(index->number < (double)r->n_texts) || index->number != floor(index->number))
		return err_set(r->err, STATUS_ENCODER_FAULT,
			       "index of vector %zu: want a whole number below %zu", r->n_vectors,
			       r->n_texts);
	*index_out = (size_t)index->number;
	if (r->seen[*index_out])
		return err_set(r->err, STATUS_ENCODER_FAULT, "index %zu is there twice",
			       *index_out);
	r->seen[*index_out] = true;
	return STATUS_OK;
}

static enum status read_item(struct reply *r, const struct node *item)
{
	size_t index = 0;
	enum status status;

	if (item->kind != NODE_OBJECT)
		return broken(r, "an object with index and embedding", item);
	status = read_index(r, item, &index);
	if (status != STATUS_OK)
		return status;
	return read_vector(r, node_find(item, "embedding"), r->rows + index * r->dim);
}

/* {"data": [{"index": 0, "embedding": ...}, ...], ...} */
static enum status read_openai(struct reply *r, const struct node *root)
{
	const struct node *data = root->kind == NODE_OBJECT ? node_find(root, "data") : NULL;
	enum status status;

	if (data == NULL || data->kind != NODE_ARRAY)
		return err_set(r->err, STATUS_ENCODER_FAULT,
			       "the reply: want an object with an array \"data\" of objects");
	status = check_number(r, data);
	for (const struct node *item = node_first(data);
	     item != node_end(data) && status == STATUS_OK; item = node_next(item))
		status = read_item(r, item);
	return status;
}

/* The one thing that a parser's message quotes: messages here are our own words. */
static void forget_name(struct err *err)
{
	static const char before[] = "duplicate field";
	char *at = strstr(err->msg, before);

	if (at != NULL)
		at[sizeof(before) - 1] = '\0';
}

static enum status read_tree(struct reply *r, enum embedding_api api, const char *body, size_t len,
			     struct arena *arena)
{
	const struct node *root;
	enum status status = tree_parse(body, len, arena, &root, r->err);

	if (status == STATUS_NO_MEMORY)
		return status;
	if (status != STATUS_OK) {
		if (r->err != NULL) {
			r->err->code = STATUS_ENCODER_FAULT;
			forget_name(r->err);
		}
		err_wrap(r->err, "the reply is no JSON");
		return STATUS_ENCODER_FAULT;
	}
	return api == EMBEDDING_API_TEI ? read_tei(r, root) : read_openai(r, root);
}

enum status embedding_reply_read(enum embedding_api api, const char *body, size_t len,
				 size_t n_texts, size_t dim, float *rows_out, struct err *err)
{
	struct reply reply = {.n_texts = n_texts, .dim = dim, .rows = rows_out, .err = err};
	struct arena arena = {0};
	enum status status;

	reply.seen = mem_array(n_texts, sizeof(*reply.seen));
	if (reply.seen == NULL)
		return err_no_memory(err, "an encoder's reply");
	status = read_tree(&reply, api, body, len, &arena);
	arena_free(&arena);
	mem_free(reply.seen);
	return status;
}

/* ---- what a refusal says ---- */

/* What servers call the text of a refusal, or the object that it is in. */
static const char *const message_fields[] = {"message", "detail", "error"};

#define N_MESSAGE_FIELDS (sizeof(message_fields) / sizeof(*message_fields))

static const struct node *text_within(const struct node *object)
{
	for (size_t i = 0; i < N_MESSAGE_FIELDS; i++) {
		const struct node *value = node_find(object, message_fields[i]);

		if (value != NULL && value->kind == NODE_STRING)
			return value;
	}
	return NULL;
}

/* The first of these texts, in an object or in an object within. */
static const struct node *find_message(const struct node *object)
{
	if (object->kind != NODE_OBJECT)
		return NULL;
	for (size_t i = 0; i < N_MESSAGE_FIELDS; i++) {
		const struct node *value = node_find(object, message_fields[i]);

		if (value != NULL && value->kind == NODE_OBJECT)
			value = text_within(value);
		if (value != NULL && value->kind == NODE_STRING)
			return value;
	}
	return NULL;
}

/* Without U+0000, cut between characters, and no further than it is UTF-8. */
static void copy_text(const char *bytes, size_t len, char *out, size_t size)
{
	const uint8_t *bad;

	len = strnlen(bytes, len < size - 1 ? len : size - 1);
	memcpy(out, bytes, len);
	bad = u8_check((const uint8_t *)out, len);
	out[bad == NULL ? len : (size_t)(bad - (const uint8_t *)out)] = '\0';
}

void embedding_reply_complaint(const char *body, size_t len, char *out, size_t size)
{
	const struct node *root, *message = NULL;
	struct arena arena = {0};

	if (tree_parse(body, len, &arena, &root, NULL) == STATUS_OK)
		message = find_message(root);
	if (message != NULL)
		copy_text(message->bytes, message->n, out, size);
	else
		copy_text(body, len, out, size);
	arena_free(&arena);
}
