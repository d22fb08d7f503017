/* SPDX-License-Identifier: Apache-2.0 */
#include "core/train/components.h"

#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/math/eigen.h"
#include "core/math/linalg.h"
#include "core/math/logmath.h"

/* dense vectors: pairs, and features, that are multiplied at once */
#define BLOCK 32
#define SHARD 384

/* the variance found has settled if a pass adds less than this part of it */
#define SETTLED 1e-6

/* a direction whose share of the largest is below this is rounding error of floats */
#define NEGLIGIBLE 1e-10

static enum status alloc(struct components *c, struct err *err)
{
	bool is_dense = features_is_dense(&c->dataset->phi);
	size_t dim = c->dataset->phi.dim, n_small;

	c->width = c->n_components + COMPONENTS_OVERSAMPLING;
	if (c->width > dim)
		c->width = dim;
	if (!mem_mul(c->width, c->width, &n_small))
		return err_no_memory(err, "components");
	c->mean = mem_array(dim, sizeof(*c->mean));
	c->variance = mem_array(c->width, sizeof(*c->variance));
	c->basis = mem_array(dim, c->width * sizeof(*c->basis));
	c->next = mem_array(dim, c->width * sizeof(*c->next));
	c->small = mem_array(n_small, sizeof(*c->small));
	c->value = mem_array(c->width, sizeof(*c->value));
	c->vector = mem_array(n_small, sizeof(*c->vector));
	c->rotation = mem_array(n_small, sizeof(*c->rotation));
	c->projected = mem_array(BLOCK, c->width * sizeof(*c->projected));
	c->offset = mem_array(c->width, sizeof(*c->offset));
	c->row = mem_array(c->width, sizeof(*c->row));
	c->block = mem_array(is_dense ? 2 * BLOCK : 0, dim * sizeof(*c->block));
	c->part = mem_array(is_dense ? SHARD : 0, c->width * sizeof(*c->part));
	if (c->mean == NULL || c->variance == NULL || c->basis == NULL || c->next == NULL ||
	    c->small == NULL || c->value == NULL || c->vector == NULL || c->rotation == NULL ||
	    c->projected == NULL || c->offset == NULL || c->row == NULL || c->block == NULL ||
	    c->part == NULL)
		return err_no_memory(err, "components");
	return STATUS_OK;
}

void components_free(struct components *c)
{
	mem_free(c->mean);
	mem_free(c->variance);
	mem_free(c->basis);
	mem_free(c->next);
	mem_free(c->small);
	mem_free(c->value);
	mem_free(c->vector);
	mem_free(c->rotation);
	mem_free(c->projected);
	mem_free(c->offset);
	mem_free(c->row);
	mem_free(c->block);
	mem_free(c->part);
}

static struct feature_row chosen_row(const struct components *c, size_t i)
{
	return features_row(&c->dataset->phi, c->dataset->chosen[c->pairs[i]]);
}

static struct feature_row rejected_row(const struct components *c, size_t i)
{
	return features_row(&c->dataset->phi, c->dataset->rejected[c->pairs[i]]);
}

/* Of dense vectors: the differences of n <= BLOCK pairs from begin on, into block. */
static enum status load_block(struct components *c, size_t begin, size_t n, struct err *err)
{
	const struct features *phi = &c->dataset->phi;
	float *restrict chosen = c->block;
	float *restrict rejected = c->block + BLOCK * phi->dim;
	uint32_t rows[2][BLOCK];
	enum status status;

	for (size_t i = 0; i < n; i++) {
		rows[0][i] = c->dataset->chosen[c->pairs[begin + i]];
		rows[1][i] = c->dataset->rejected[c->pairs[begin + i]];
	}
	status = features_gather(phi, rows[0], n, chosen, err);
	if (status == STATUS_OK)
		status = features_gather(phi, rows[1], n, rejected, err);
	for (size_t j = 0; j < n * phi->dim && status == STATUS_OK; j++)
		chosen[j] -= rejected[j];
	return status;
}

static size_t block_size(const struct components *c, size_t begin)
{
	return c->n_pairs - begin < BLOCK ? c->n_pairs - begin : BLOCK;
}

static void find_sparse_mean(struct components *c)
{
	float share = 1.0f / (float)c->n_pairs, minus = -share;

	for (size_t i = 0; i < c->n_pairs; i++) {
		feature_row_add_outer(chosen_row(c, i), &share, 1, c->mean);
		feature_row_add_outer(rejected_row(c, i), &minus, 1, c->mean);
	}
}

static enum status find_mean(struct components *c, struct err *err)
{
	size_t dim = c->dataset->phi.dim;
	float share = 1.0f / (float)c->n_pairs;

	if (!features_is_dense(&c->dataset->phi)) {
		find_sparse_mean(c);
		return STATUS_OK;
	}
	for (size_t begin = 0; begin < c->n_pairs; begin += BLOCK) {
		size_t n = block_size(c, begin);
		enum status status = load_block(c, begin, n, err);

		if (status != STATUS_OK)
			return status;
		for (size_t i = 0; i < n; i++)
			feature_row_add_outer(feature_row_dense(c->block + i * dim, dim), &share, 1,
					      c->mean);
	}
	return STATUS_OK;
}

/* small += share * x x^T, x [width]; below the diagonal only, see mirror() */
static void add_square(struct components *c, const float *x, double share)
{
	for (size_t j = 0; j < c->width; j++) {
		double *restrict row = c->small + j * c->width;
		double xj = share * x[j];

		for (size_t k = 0; k <= j; k++)
			row[k] += xj * x[k];
	}
}

static void mirror(struct components *c)
{
	for (size_t j = 0; j < c->width; j++) {
		for (size_t k = 0; k < j; k++)
			c->small[k * c->width + j] = c->small[j * c->width + k];
	}
}

/* x = share * (x - offset), of which small has its part; x: a difference * basis */
static void center(struct components *c, float *x, double share)
{
	for (size_t j = 0; j < c->width; j++)
		x[j] -= c->offset[j];
	add_square(c, x, share);
	for (size_t j = 0; j < c->width; j++)
		x[j] *= (float)share;
}

static void multiply_sparse(struct components *c, double share)
{
	float *x = c->projected, *of_rejected = c->projected + c->width;

	for (size_t i = 0; i < c->n_pairs; i++) {
		feature_row_times(chosen_row(c, i), c->basis, c->width, x);
		feature_row_times(rejected_row(c, i), c->basis, c->width, of_rejected);
		for (size_t j = 0; j < c->width; j++)
			x[j] -= of_rejected[j];
		center(c, x, share);
		feature_row_add_outer(chosen_row(c, i), x, c->width, c->next);
		for (size_t j = 0; j < c->width; j++)
			x[j] = -x[j];
		feature_row_add_outer(rejected_row(c, i), x, c->width, c->next);
	}
}

/* next += block^T x, x [n, width], so many features at a time */
static void add_products(struct components *c, size_t n, const float *x)
{
	size_t dim = c->dataset->phi.dim;

	for (size_t first = 0; first < dim; first += SHARD) {
		size_t n_features = dim - first < SHARD ? dim - first : SHARD;
		float *restrict to = c->next + first * c->width;

		linalg_matmul_transposed(c->block + first, dim, n, n_features, x, c->width,
					 c->part);
		for (size_t j = 0; j < n_features * c->width; j++)
			to[j] += c->part[j];
	}
}

static enum status multiply_dense(struct components *c, double share, struct err *err)
{
	size_t dim = c->dataset->phi.dim;

	for (size_t begin = 0; begin < c->n_pairs; begin += BLOCK) {
		size_t n = block_size(c, begin);
		enum status status = load_block(c, begin, n, err);

		if (status != STATUS_OK)
			return status;
		linalg_matmul(c->block, dim, n, dim, c->basis, c->width, c->projected);
		for (size_t i = 0; i < n; i++)
			center(c, c->projected + i * c->width, share);
		add_products(c, n, c->projected);
	}
	return STATUS_OK;
}

/*
 * One pass over the pairs, with X the centered differences:
 *   next = X^T X basis / n      small = basis^T next
 * The centering is left out on the left of next: projections sum up to zero.
 */
static enum status multiply(struct components *c, struct err *err)
{
	size_t n = c->width;
	double share = 1 / (double)c->n_pairs;
	enum status status = STATUS_OK;

	memset(c->next, 0, c->dataset->phi.dim * n * sizeof(*c->next));
	memset(c->small, 0, n * n * sizeof(*c->small));
	feature_row_times(feature_row_dense(c->mean, c->dataset->phi.dim), c->basis, n, c->offset);
	if (features_is_dense(&c->dataset->phi))
		status = multiply_dense(c, share, err);
	else
		multiply_sparse(c, share);
	mirror(c);
	return status;
}

/* A feature that no pair has is a row of zeros; with a million of them most are. */
static bool is_zero(const float *row, size_t n)
{
	for (size_t j = 0; j < n; j++) {
		if (row[j] != 0)
			return false;
	}
	return true;
}

/* to = from * rotation^T, both [dim, width]; they may be the same */
static void rotate(struct components *c, const float *from, float *to)
{
	size_t n = c->width;

	for (size_t d = 0; d < c->dataset->phi.dim; d++) {
		const float *x = from + d * n;
		float *y = to + d * n;

		if (is_zero(x, n)) {
			memset(y, 0, n * sizeof(*y));
			continue;
		}
		for (size_t j = 0; j < n; j++)
			c->row[j] = x[j];
		for (size_t j = 0; j < n; j++) {
			const double *r = c->rotation + j * n;
			double sum = 0;

			for (size_t k = 0; k < n; k++)
				sum += r[k] * c->row[k];
			y[j] = (float)sum;
		}
	}
}

/* small = m^T m, m: [dim, width] */
static void gram(struct components *c, const float *m)
{
	size_t n = c->width;

	memset(c->small, 0, n * n * sizeof(*c->small));
	for (size_t d = 0; d < c->dataset->phi.dim; d++) {
		const float *x = m + d * n;

		if (!is_zero(x, n))
			add_square(c, x, 1);
	}
	mirror(c);
}

/*
 * to = an orthonormal basis of the columns of from, by the eigenvectors of their Gram
 * matrix (Stathopoulos and Wu 2002, SVQB); a direction that is only rounding error
 * becomes a column of zeros.
 */
static void orthonormalize(struct components *c, const float *from, float *to)
{
	size_t n = c->width;

	gram(c, from);
	eigen_symmetric(c->small, n, c->value, c->vector);
	c->n_found = 0;
	for (size_t j = 0; j < n; j++) {
		bool kept = c->value[j] > NEGLIGIBLE * c->value[0];
		double scale = kept ? 1 / sqrt(c->value[j]) : 0;

		c->n_found += kept;
		for (size_t k = 0; k < n; k++)
			c->rotation[j * n + k] = scale * c->vector[j * n + k];
	}
	rotate(c, from, to);
}

/* Rayleigh and Ritz: the eigenvectors within the basis; the variance of the components. */
static double find_variance(struct components *c)
{
	double sum = 0;

	eigen_symmetric(c->small, c->width, c->variance, c->vector);
	for (size_t j = 0; j < c->n_components && j < c->width; j++)
		sum += c->variance[j];
	return sum;
}

/* Whether everything so far fits into floats; checked where all numbers of a pass meet. */
static enum status check_finite(const double *x, size_t n, struct err *err)
{
	if (all_finite(x, n))
		return STATUS_OK;
	return err_set(err, STATUS_NOT_FINITE,
		       "the squares of the differences are not finite; lower the scale of the "
		       "vectors");
}

/* basis = the next one, next and small = what the pairs make of it */
static enum status iterate(struct components *c, struct err *err)
{
	enum status status;

	orthonormalize(c, c->next, c->basis);
	status = check_finite(c->value, c->width, err);
	if (status != STATUS_OK)
		return status;
	/* twice is enough: the first time leaves columns of very unlike length askew */
	orthonormalize(c, c->basis, c->basis);
	status = multiply(c, err);
	if (status != STATUS_OK)
		return status;
	return check_finite(c->small, c->width * c->width, err);
}

enum status components_find(struct components *c, struct rng *rng, struct err *err)
{
	enum status status = alloc(c, err);
	double found = 0;

	if (status == STATUS_OK)
		status = find_mean(c, err);
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < c->dataset->phi.dim * c->width; i++)
		c->basis[i] = (float)rng_normal(rng);
	status = multiply(c, err);
	if (status != STATUS_OK)
		return status;
	for (size_t pass = 1; pass < COMPONENTS_MAX_PASSES; pass++) {
		double before = found;

		if (!c->pass(c->pass_context, pass))
			return err_set(err, STATUS_INTERRUPTED, "interrupted after pass %zu", pass);
		status = iterate(c, err);
		if (status != STATUS_OK)
			return status;
		found = find_variance(c);
		if (!(found > before * (1 + SETTLED)))
			break;
	}
	memcpy(c->rotation, c->vector, c->width * c->width * sizeof(*c->rotation));
	rotate(c, c->basis, c->basis);
	return STATUS_OK;
}
