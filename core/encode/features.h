/* SPDX-License-Identifier: Apache-2.0 */
/*
 * features.h - feature vectors phi(x,a) and psi(c,x), dense or sparse, or in a file.
 *
 * A language model's hidden state is dense; a hashed text has about a hundred
 * non-zeros in thousands of dimensions. Both go through the same functions with
 * the same results, and the sparse ones cost what their non-zeros cost.
 */
#ifndef MICRO_ENCODE_FEATURES_H
#define MICRO_ENCODE_FEATURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/encode/mapped_rows.h"

/* One vector; a view that owns nothing. */
struct feature_row {
	size_t dim;
	size_t n_values;       /* dense: dim; sparse: number of non-zeros */
	const uint32_t *index; /* [n_values], ascending, < dim; NULL: dense */
	const float *value;    /* [n_values] */
};

/*
 * A growing matrix [n_rows, dim], or one of fixed size that stays in a file.
 * Invariants: 1. sparse: start[0] = 0, start[n_rows] = number of values.
 *             2. every value is finite; of a file's, every value that is given out.
 *             3. mapped: not sparse; value, index and start are NULL.
 */
struct features {
	size_t dim;
	size_t n_rows;
	bool sparse;
	float *value;	 /* dense: [n_rows, dim]; sparse: [start[n_rows]] */
	uint32_t *index; /* sparse: [start[n_rows]]; dense: NULL */
	size_t *start;	 /* sparse: [n_rows + 1]; dense: NULL */
	size_t capacity_rows;
	size_t capacity_values;
	struct mapped_rows *mapped; /* owned; NULL: the rows are in memory */
};

/** features_init(f, dim, sparse): an empty matrix; features_free() releases it. */
void features_init(struct features *f, size_t dim, bool sparse);

/** features_map(f, dim, n_rows, mapped): the rows of mapped, which f owns from now on. */
void features_map(struct features *f, size_t dim, size_t n_rows, struct mapped_rows *mapped);

/** features_free(f): releases the rows; f may be initialized again. */
void features_free(struct features *f);

/**
 * features_append(f, row, err): add a row, converting between dense and sparse
 * as f needs. Errors: STATUS_WRONG_DIMENSION, STATUS_NOT_FINITE, STATUS_NO_MEMORY;
 * f is unchanged then.
 */
enum status features_append(struct features *f, struct feature_row row, struct err *err);

/**
 * features_row(f, i): a view of row i < n_rows, valid until the next append. f is not
 * mapped: features_view() is for both.
 */
struct feature_row features_row(const struct features *f, size_t i);

/**
 * features_view(f, i, buffer, row_out, err): the same of any storage: a mapped row is
 * copied into buffer [dim] and valid as long as that stays. Errors: features_gather()'s.
 */
enum status features_view(const struct features *f, size_t i, float *buffer,
			  struct feature_row *row_out, struct err *err);

/**
 * features_is_dense(f): a row costs its dim numbers, so products are worth taking by
 * blocks of rows (features_gather()) rather than row by row (features_row()).
 */
bool features_is_dense(const struct features *f);

/**
 * features_gather(f, rows, n, out, err): out [n, dim] = the rows rows [n], each
 * < n_rows and in any order, as dense numbers whatever the storage. Several threads may
 * gather at once. Errors: none of rows in memory; mapped_rows_gather()'s of those in a file.
 */
enum status features_gather(const struct features *f, const uint32_t *rows, size_t n, float *out,
			    struct err *err);

/**
 * features_differences(f, rows, n, out, err): out [n, dim] = row rows[2i] - row rows[2i + 1],
 * i < n, of a dense f; otherwise as features_gather().
 */
enum status features_differences(const struct features *f, const uint32_t *rows, size_t n,
				 float *out, struct err *err);

/** feature_row_dense(x, dim): a view of a dense vector. */
struct feature_row feature_row_dense(const float *x, size_t dim);

/** feature_row_times(row, a, m, out): out [m] = row * a [dim, m]. */
void feature_row_times(struct feature_row row, const float *a, size_t m, float *out);

/** feature_row_add_outer(row, d, a, m): a [dim, m] += row^T * d [m]. */
void feature_row_add_outer(struct feature_row row, const float *d, size_t m, float *a);

/** feature_row_copy(row, out): out [dim], dense. */
void feature_row_copy(struct feature_row row, float *out);

#endif
