/* SPDX-License-Identifier: Apache-2.0 */
#include "core/encode/features.h"

#include <assert.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/math/linalg.h"
#include "core/math/logmath.h"
#include "core/math/sparse.h"

void features_init(struct features *f, size_t dim, bool sparse)
{
	*f = (struct features){.dim = dim, .sparse = sparse};
}

void features_map(struct features *f, size_t dim, size_t n_rows, struct mapped_rows *mapped)
{
	*f = (struct features){.dim = dim, .n_rows = n_rows, .mapped = mapped};
}

void features_free(struct features *f)
{
	mapped_rows_close(f->mapped);
	mem_free(f->value);
	mem_free(f->index);
	mem_free(f->start);
	features_init(f, f->dim, f->sparse);
}

static size_t values_used(const struct features *f)
{
	if (!f->sparse)
		return f->n_rows * f->dim;
	return f->n_rows == 0 ? 0 : f->start[f->n_rows];
}

static enum status reserve_rows(struct features *f, struct err *err)
{
	if (!f->sparse || f->n_rows < f->capacity_rows)
		return STATUS_OK;

	size_t capacity = f->capacity_rows == 0 ? 16 : 2 * f->capacity_rows;
	size_t n_used = f->start == NULL ? 0 : f->n_rows + 1;
	size_t *start = mem_grow(f->start, n_used, capacity + 1, sizeof(*start));

	if (start == NULL)
		return err_no_memory(err, "feature rows");
	if (n_used == 0)
		start[0] = 0;
	f->start = start;
	f->capacity_rows = capacity;
	return STATUS_OK;
}

static enum status reserve_values(struct features *f, size_t n_more, struct err *err)
{
	size_t n_used = values_used(f);

	/* also a row without values needs its arrays: an index that is NULL says dense */
	bool is_allocated = f->value != NULL && (!f->sparse || f->index != NULL);

	if (is_allocated && n_used + n_more <= f->capacity_values)
		return STATUS_OK;

	size_t capacity = 2 * f->capacity_values;
	if (capacity < n_used + n_more)
		capacity = n_used + n_more;
	float *value = mem_grow(f->value, n_used, capacity, sizeof(*value));
	if (value == NULL)
		return err_no_memory(err, "feature values");
	f->value = value;
	if (f->sparse) {
		uint32_t *index = mem_grow(f->index, n_used, capacity, sizeof(*index));
		if (index == NULL)
			return err_no_memory(err, "feature indices");
		f->index = index;
	}
	f->capacity_values = capacity;
	return STATUS_OK;
}

static void append_sparse(struct features *f, struct feature_row row)
{
	size_t at = f->start[f->n_rows];

	for (size_t j = 0; j < row.n_values; j++) {
		if (row.value[j] == 0)
			continue;
		f->value[at] = row.value[j];
		f->index[at] = row.index == NULL ? (uint32_t)j : row.index[j];
		at++;
	}
	f->start[f->n_rows + 1] = at;
}

enum status features_append(struct features *f, struct feature_row row, struct err *err)
{
	size_t bad;
	enum status status;

	assert(f->mapped == NULL);
	if (row.dim != f->dim)
		return err_set(err, STATUS_WRONG_DIMENSION, "vector of %zu numbers, want %zu",
			       row.dim, f->dim);
	if (!all_finite_f(row.value, row.n_values, &bad))
		return err_set(err, STATUS_NOT_FINITE, "number %zu of the vector is not finite",
			       bad);
	status = reserve_rows(f, err);
	if (status == STATUS_OK)
		status = reserve_values(f, f->sparse ? row.n_values : f->dim, err);
	if (status != STATUS_OK)
		return status;
	if (f->sparse)
		append_sparse(f, row);
	else
		feature_row_copy(row, f->value + f->n_rows * f->dim);
	f->n_rows++;
	return STATUS_OK;
}

struct feature_row features_row(const struct features *f, size_t i)
{
	assert(i < f->n_rows && f->mapped == NULL);
	if (!f->sparse)
		return feature_row_dense(f->value + i * f->dim, f->dim);
	return (struct feature_row){
	    .dim = f->dim,
	    .n_values = f->start[i + 1] - f->start[i],
	    .index = f->index + f->start[i],
	    .value = f->value + f->start[i],
	};
}

enum status features_view(const struct features *f, size_t i, float *buffer,
			  struct feature_row *row_out, struct err *err)
{
	uint32_t row = (uint32_t)i;

	if (f->mapped == NULL) {
		*row_out = features_row(f, i);
		return STATUS_OK;
	}
	*row_out = feature_row_dense(buffer, f->dim);
	return mapped_rows_gather(f->mapped, &row, 1, buffer, err);
}

bool features_is_dense(const struct features *f)
{
	return !f->sparse;
}

enum status features_gather(const struct features *f, const uint32_t *rows, size_t n, float *out,
			    struct err *err)
{
	if (f->mapped != NULL)
		return mapped_rows_gather(f->mapped, rows, n, out, err);
	for (size_t i = 0; i < n; i++)
		feature_row_copy(features_row(f, rows[i]), out + i * f->dim);
	return STATUS_OK;
}

enum status features_differences(const struct features *f, const uint32_t *rows, size_t n,
				 float *out, struct err *err)
{
	assert(features_is_dense(f));
	if (f->mapped != NULL)
		return mapped_rows_differences(f->mapped, rows, n, out, err);
	for (size_t i = 0; i < n; i++) {
		float *restrict x = out + i * f->dim;
		const float *restrict b = f->value + rows[2 * i + 1] * f->dim;

		feature_row_copy(features_row(f, rows[2 * i]), x);
		for (size_t j = 0; j < f->dim; j++)
			x[j] -= b[j];
	}
	return STATUS_OK;
}

struct feature_row feature_row_dense(const float *x, size_t dim)
{
	return (struct feature_row){.dim = dim, .n_values = dim, .value = x};
}

void feature_row_times(struct feature_row row, const float *a, size_t m, float *out)
{
	if (row.index == NULL) {
		linalg_vecmat(row.value, a, row.dim, m, out);
		return;
	}
	sparse_times(row.index, row.value, row.n_values, a, row.dim, m, out);
}

void feature_row_add_outer(struct feature_row row, const float *d, size_t m, float *a)
{
	for (size_t j = 0; j < row.n_values; j++) {
		float *restrict a_row = a + (row.index == NULL ? j : row.index[j]) * m;
		float x = row.value[j];

		for (size_t k = 0; k < m; k++)
			a_row[k] += x * d[k];
	}
}

void feature_row_copy(struct feature_row row, float *out)
{
	if (row.index == NULL) {
		memcpy(out, row.value, row.dim * sizeof(*out));
		return;
	}
	memset(out, 0, row.dim * sizeof(*out));
	for (size_t j = 0; j < row.n_values; j++)
		out[row.index[j]] = row.value[j];
}
