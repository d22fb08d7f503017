/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader.h - typed reading of a JSON body: the fields of objects, names, numbers, texts,
 * vectors. Every fault says what, where (a JSON pointer) and what would be right, so that a
 * route's reading functions are little more than a list of its fields.
 */
#ifndef MICRO_SERVER_READER_H
#define MICRO_SERVER_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/encode/encoder.h"
#include "core/encode/features.h"
#include "core/json/node.h"

#define INDEX_MAX 1000000 /* more responses than an item may have */

struct reader {
	const struct node *root; /* of the body; faults are told from here */
	const char *base;	 /* JSON pointer of root in what the client sent; NULL: all of it */
	struct arena *arena;	 /* where what is read lives */
	struct err *err;
};

/** reader_open(reader, body, len, arena, err): parse body [len + 1], which ends with a NUL
 * and outlives what is read. Errors: those of tree_parse(). */
enum status reader_open(struct reader *reader, const char *body, size_t len, struct arena *arena,
			struct err *err);

/** reader_fault(reader, node, code, format, ...): the fault at node; returns code. */
enum status reader_fault(const struct reader *reader, const struct node *node, enum status code,
			 const char *format, ...) __attribute__((format(printf, 4, 5)));

/** reader_at(reader, node, status): a status of other functions; a fault of theirs in
 * reader->err is told to be at node. */
enum status reader_at(const struct reader *reader, const struct node *node, enum status status);

/** reader_wrong_type(reader, node, want): STATUS_INVALID_TYPE, "want ..., got a string". */
enum status reader_wrong_type(const struct reader *reader, const struct node *node,
			      const char *want);

/** reader_object(reader, node, fields): an object with no other fields than those, a list
 * that ends with NULL. */
enum status reader_object(const struct reader *reader, const struct node *node,
			  const char *const *fields);

/** reader_find(object, field): NULL if it is missing or null, which is how many clients write
 * "none". */
const struct node *reader_find(const struct node *object, const char *field);

/** reader_require(reader, object, field, value_out): STATUS_MISSING_FIELD instead of NULL. */
enum status reader_require(const struct reader *reader, const struct node *object,
			   const char *field, const struct node **value_out);

/** reader_name(reader, object, field, min_len, out): an optional name (identifier_check()),
 * with a NUL; *out is left alone if it is missing. */
enum status reader_name(const struct reader *reader, const struct node *object, const char *field,
			size_t min_len, const char **out);

/** reader_number(reader, object, field, max, option, out): an optional number from 0 to max,
 * the limit of that option; *out is left alone if it is missing. */
enum status reader_number(const struct reader *reader, const struct node *object, const char *field,
			  double max, const char *option, double *out);

/** reader_flag(reader, object, field, out): an optional true or false; *out is left alone if it
 * is missing. */
enum status reader_flag(const struct reader *reader, const struct node *object, const char *field,
			bool *out);

/** reader_index(reader, node, out): a whole number from 0 to INDEX_MAX. */
enum status reader_index(const struct reader *reader, const struct node *node, size_t *out);

/** reader_indices(reader, node, out, n_out): one of them, or an array of 1 or more. */
enum status reader_indices(const struct reader *reader, const struct node *node, const size_t **out,
			   size_t *n_out);

/** reader_array(reader, node, max, option, want): an array of 1 to max elements, the limit of
 * that option, which are what want says; none is a number. */
enum status reader_array(const struct reader *reader, const struct node *node, size_t max,
			 const char *option, const char *want);

/** reader_text(node): the characters of a NODE_STRING, without a NUL. */
struct text reader_text(const struct node *node);

/** reader_vector(reader, object, dim, out): {"embedding": [...]} or {"embedding": "base64"}
 * of dim finite float32, and nothing else in the object. */
enum status reader_vector(const struct reader *reader, const struct node *object, size_t dim,
			  struct feature_row *out);

#endif
