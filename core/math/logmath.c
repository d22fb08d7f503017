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

static double maximum(const double *x, size_t n)
{
	double max = -INFINITY;

	for (size_t i = 0; i < n; i++)
		max = fmax(max, x[i]);
	return max;
}

/* log sum_i exp(x_i - max), with a finite max */
static double log_sum_exp_below(const double *x, size_t n, double max)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += exp(x[i] - max);
	return log(sum);
}

double log_sum_exp(const double *x, size_t n)
{
	double max = maximum(x, n);

	return isinf(max) ? max : max + log_sum_exp_below(x, n, max);
}

void log_softmax(double *x, size_t n)
{
	double max = maximum(x, n);
	double log_sum = log_sum_exp_below(x, n, max);

	/* two steps: added to a large maximum the logarithm would lose its digits */
	for (size_t i = 0; i < n; i++)
		x[i] = x[i] - max - log_sum;
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
