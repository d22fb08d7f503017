/* SPDX-License-Identifier: Apache-2.0 */
#include "core/diagnose/estimate.h"

#include <math.h>

#define NORMAL_QUANTILE 1.959963984540054 /* 97.5 % */

/*
 * 97.5 % quantile of Student's t with nu degrees of freedom from the normal one's, z
 * (Abramowitz and Stegun 1964, 26.7.5): right to 0.003 from nu = 5, to 0.0002 from nu = 9 on.
 */
static double student_quantile(double nu)
{
	const double z = NORMAL_QUANTILE;
	double first = (pow(z, 3) + z) / 4;
	double second = (5 * pow(z, 5) + 16 * pow(z, 3) + 3 * z) / 96;
	double third = (3 * pow(z, 7) + 19 * pow(z, 5) + 17 * pow(z, 3) - 15 * z) / 384;

	return z + first / nu + second / (nu * nu) + third / (nu * nu * nu);
}

struct estimate estimate_from(double mean, double variance, size_t n_clusters)
{
	double se = sqrt(variance);
	double half = n_clusters < 2 ? 0 : student_quantile((double)n_clusters - 1) * se;

	return (struct estimate){
	    .mean = mean,
	    .se = se,
	    .low = mean - half,
	    .high = mean + half,
	    .n_clusters = n_clusters,
	};
}

struct estimate estimate_share(double mean, double variance, size_t n_clusters)
{
	struct estimate e = estimate_from(mean, variance, n_clusters);
	double n = (double)n_clusters, q = NORMAL_QUANTILE, middle, half;

	if (n_clusters == 0)
		return e;
	if (variance > 0 && n_clusters > 1) {
		n = mean * (1 - mean) / variance;
		q = student_quantile((double)n_clusters - 1);
	}
	middle = (mean + q * q / (2 * n)) / (1 + q * q / n);
	half = q / (1 + q * q / n) * sqrt(mean * (1 - mean) / n + q * q / (4 * n * n));
	e.low = fmax(0, middle - half);
	e.high = fmin(1, middle + half);
	return e;
}

struct estimate estimate_ratio(const double *sum, const double *count, size_t n)
{
	double total = 0, terms = 0, squares = 0, mean;
	size_t n_clusters = 0;

	for (size_t c = 0; c < n; c++) {
		total += sum[c];
		terms += count[c];
		n_clusters += count[c] > 0;
	}
	if (n_clusters == 0)
		return (struct estimate){0};
	mean = total / terms;
	if (n_clusters == 1)
		return estimate_from(mean, 0, 1);
	for (size_t c = 0; c < n; c++) {
		double residual = sum[c] - mean * count[c];

		squares += residual * residual;
	}
	squares *= (double)n_clusters / (double)(n_clusters - 1);
	return estimate_from(mean, squares / (terms * terms), n_clusters);
}
