/* SPDX-License-Identifier: Apache-2.0 */
#include "core/math/logmath.h"

#include <math.h>

double log_sigmoid(double x)
{
	return x >= 0 ? -log1p(exp(-x)) : x - log1p(exp(x));
}

double sigmoid(double x)
{
	if (x >= 0)
		return 1 / (1 + exp(-x));
	double e = exp(x);

	return e / (1 + e);
}

double log_sum_exp(const double *x, size_t n)
{
	double max = -INFINITY;
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		max = fmax(max, x[i]);
	if (isinf(max))
		return max;
	for (size_t i = 0; i < n; i++)
		sum += exp(x[i] - max);
	return max + log(sum);
}

void log_softmax(double *x, size_t n)
{
	double norm = log_sum_exp(x, n);

	for (size_t i = 0; i < n; i++)
		x[i] -= norm;
}

bool all_finite_f(const float *x, size_t n, size_t *first_bad_out)
{
	for (size_t i = 0; i < n; i++) {
		if (!isfinite(x[i])) {
			*first_bad_out = i;
			return false;
		}
	}
	return true;
}

bool all_finite(const double *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!isfinite(x[i]))
			return false;
	}
	return true;
}
