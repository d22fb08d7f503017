/* SPDX-License-Identifier: Apache-2.0 */
#include "core/train/components.h"

#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/math/eigen.h"
#include "core/math/logmath.h"

/* columns beyond the components: the usual number (Halko et al., section 4.2) */
#define OVERSAMPLING 10

/* the variance found has settled if a pass adds less than this part of it */
#define SETTLED 1e-6

/* a direction whose share of the largest is below this is rounding error of floats */
#define NEGLIGIBLE 1e-10

static enum status alloc(struct components *c, struct err *err)
{
	size_t dim = c->dataset->phi.dim, n_small;

	c->width = c->n_components + OVERSAMPLING;
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
	c->projected = mem_array(2 * c->width, sizeof(*c->projected));
	c->offset = mem_array(c->width, sizeof(*c->offset));
	c->row = mem_array(c->width, sizeof(*c->row));
	if (c->mean == NULL || c->variance == NULL || c->basis == NULL || c->next == NULL ||
	    c->small == NULL || c->value == NULL || c->vector == NULL || c->rotation == NULL ||
	    c->projected == NULL || c->offset == NULL || c->row == NULL)
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
}

static struct feature_row chosen_row(const struct components *c, size_t i)
{
	return features_row(&c->dataset->phi, c->dataset->chosen[c->pairs[i]]);
}

static struct feature_row rejected_row(const struct components *c, size_t i)
{
	return features_row(&c->dataset->phi, c->dataset->rejected[c->pairs[i]]);
}

static void find_mean(struct components *c)
{
	float share = 1.0f / (float)c->n_pairs, minus = -share;

	for (size_t i = 0; i < c->n_pairs; i++) {
		feature_row_add_outer(chosen_row(c, i), &share, 1, c->mean);
		feature_row_add_outer(rejected_row(c, i), &minus, 1, c->mean);
	}
}

/* projected = (difference i - mean) * basis */
static void project(struct components *c, size_t i)
{
	float *of_rejected = c->projected + c->width;

	feature_row_times(chosen_row(c, i), c->basis, c->width, c->projected);
	feature_row_times(rejected_row(c, i), c->basis, c->width, of_rejected);
	for (size_t j = 0; j < c->width; j++)
		c->projected[j] -= of_rejected[j] + c->offset[j];
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

/*
 * One pass over the pairs, with X the centered differences:
 *   next = X^T X basis / n      small = basis^T next
 * The centering is left out on the left of next: projections sum up to zero.
 */
static void multiply(struct components *c)
{
	size_t n = c->width;
	double share = 1 / (double)c->n_pairs;

	memset(c->next, 0, c->dataset->phi.dim * n * sizeof(*c->next));
	memset(c->small, 0, n * n * sizeof(*c->small));
	feature_row_times(feature_row_dense(c->mean, c->dataset->phi.dim), c->basis, n, c->offset);
	for (size_t i = 0; i < c->n_pairs; i++) {
		float *x = c->projected;

		project(c, i);
		add_square(c, x, share);
		for (size_t j = 0; j < n; j++)
			x[j] *= (float)share;
		feature_row_add_outer(chosen_row(c, i), x, n, c->next);
		for (size_t j = 0; j < n; j++)
			x[j] = -x[j];
		feature_row_add_outer(rejected_row(c, i), x, n, c->next);
	}
	mirror(c);
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
	multiply(c);
	return check_finite(c->small, c->width * c->width, err);
}

enum status components_find(struct components *c, struct rng *rng, struct err *err)
{
	enum status status = alloc(c, err);
	double found = 0;

	if (status != STATUS_OK)
		return status;
	find_mean(c);
	for (size_t i = 0; i < c->dataset->phi.dim * c->width; i++)
		c->basis[i] = (float)rng_normal(rng);
	multiply(c);
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
