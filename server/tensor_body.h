/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tensor_body.h - a request body that is a safetensors file: vectors as rows of tensors, read
 * where they are, and all else as JSON in __metadata__ under the key "request".
 */
#ifndef MICRO_SERVER_TENSOR_BODY_H
#define MICRO_SERVER_TENSOR_BODY_H

#include <stdbool.h>

#include "core/model/safetensors.h"
#include "server/judge.h"
#include "server/reader.h"

struct tensor_body {
	struct safetensors *file; /* owned */
	struct reader reader;	  /* of the request in __metadata__ */
	size_t dim;		  /* of the model's vectors */
};

/* The rows of one tensor. */
struct tensor_rows {
	const char *name;
	const float *x; /* [n, dim], finite */
	size_t n;	/* 0: there is no such tensor */
};

/**
 * tensor_body_open(t, body, len, names, dim, arena, err): check the file's header and
 * metadata; names, which end with NULL: the tensors that it may have. Errors:
 * STATUS_MALFORMED, STATUS_UNKNOWN_FIELD, STATUS_NO_MEMORY. tensor_body_close() releases t,
 * but not what was read: that is in arena or in body.
 */
enum status tensor_body_open(struct tensor_body *t, const char *body, size_t len,
			     const char *const *names, size_t dim, struct arena *arena,
			     struct err *err);

void tensor_body_close(struct tensor_body *t);

/**
 * tensor_body_rows(t, name, out): the rows of an optional tensor. Errors:
 * STATUS_WRONG_DIMENSION, STATUS_INVALID_TYPE (its numbers are no floats), STATUS_NOT_FINITE,
 * STATUS_NO_MEMORY.
 */
enum status tensor_body_rows(const struct tensor_body *t, const char *name,
			     struct tensor_rows *out);

/** tensor_body_require(t, name, out): STATUS_MISSING_FIELD if there is no such tensor. */
enum status tensor_body_require(const struct tensor_body *t, const char *name,
				struct tensor_rows *out);

/** tensor_body_wrong_rows(t, rows, want, why): STATUS_INVALID_VALUE, "... rows, want ...". */
enum status tensor_body_wrong_rows(const struct tensor_body *t, const struct tensor_rows *rows,
				   size_t want, const char *why);

/** tensor_body_input(t, rows, row): that row, with its place. */
struct input tensor_body_input(const struct tensor_body *t, const struct tensor_rows *rows,
			       size_t row);

#endif
