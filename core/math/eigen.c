/* SPDX-License-Identifier: Apache-2.0 */
#include "core/math/eigen.h"

#include <float.h>
#include <math.h>

/* Convergence is quadratic: ten sweeps are many, and this many only stop what is not finite. */
#define MAX_SWEEPS 60

/* The rotation (c, s) of rows p and q of m [n, n]. */
static void rotate_rows(double *m, size_t n, size_t p, size_t q, double c, double s)
{
	double *restrict x = m + p * n;
	double *restrict y = m + q * n;

	for (size_t i = 0; i < n; i++) {
		double xi = x[i], yi = y[i];

		x[i] = c * xi - s * yi;
		y[i] = s * xi + c * yi;
	}
}

static void rotate_columns(double *m, size_t n, size_t p, size_t q, double c, double s)
{
	for (size_t i = 0; i < n; i++) {
		double xi = m[i * n + p], yi = m[i * n + q];

		m[i * n + p] = c * xi - s * yi;
		m[i * n + q] = s * xi + c * yi;
	}
}

/* The rotation that makes a_pq zero, by the smaller angle: t = tan, |t| <= 1. */
static void annihilate(double *a, size_t n, size_t p, size_t q, double *vector)
{
	double theta = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q]);
	double t = copysign(1, theta) / (fabs(theta) + hypot(1, theta));
	double c = 1 / sqrt(1 + t * t);

	rotate_rows(a, n, p, q, c, t * c);
	rotate_columns(a, n, p, q, c, t * c);
	a[p * n + q] = 0;
	a[q * n + p] = 0;
	rotate_rows(vector, n, p, q, c, t * c);
}

/* Each element off the diagonal once; how many were not yet negligible. */
static size_t sweep(double *a, size_t n, double negligible, double *vector)
{
	size_t n_rotations = 0;

	for (size_t p = 0; p < n; p++) {
		for (size_t q = p + 1; q < n; q++) {
			if (!(fabs(a[p * n + q]) > negligible))
				continue;
			annihilate(a, n, p, q, vector);
			n_rotations++;
		}
	}
	return n_rotations;
}

static void swap_rows(double *m, size_t n, size_t i, size_t j)
{
	for (size_t k = 0; k < n; k++) {
		double x = m[i * n + k];

		m[i * n + k] = m[j * n + k];
		m[j * n + k] = x;
	}
}

static void sort_descending(double *value, size_t n, double *vector)
{
	for (size_t i = 0; i < n; i++) {
		size_t largest = i;
		double x = value[i];

		for (size_t j = i + 1; j < n; j++) {
			if (value[j] > value[largest])
				largest = j;
		}
		if (largest == i)
			continue;
		value[i] = value[largest];
		value[largest] = x;
		swap_rows(vector, n, i, largest);
	}
}

void eigen_symmetric(double *a, size_t n, double *value_out, double *vector_out)
{
	double norm = 0;

	for (size_t i = 0; i < n * n; i++) {
		norm += a[i] * a[i];
		vector_out[i] = 0;
	}
	norm = sqrt(norm);
	for (size_t i = 0; i < n; i++)
		vector_out[i * n + i] = 1;
	for (size_t i = 0; i < MAX_SWEEPS; i++) {
		if (sweep(a, n, norm * DBL_EPSILON / (double)n, vector_out) == 0)
			break;
	}
	for (size_t i = 0; i < n; i++)
		value_out[i] = a[i * n + i];
	sort_descending(value_out, n, vector_out);
}
