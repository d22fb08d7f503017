/* SPDX-License-Identifier: Apache-2.0 */
/*
 * estimate.h - means whose terms come in clusters, with a confidence interval: the pairs
 * of one person are not independent of each other, so people are counted, not pairs.
 */
#ifndef MICRO_DIAGNOSE_ESTIMATE_H
#define MICRO_DIAGNOSE_ESTIMATE_H

#include <stddef.h>

struct estimate {
	double mean;
	double se;	   /* standard error of mean */
	double low, high;  /* a 95 % interval: Student's t with n_clusters - 1 degrees of freedom */
	size_t n_clusters; /* with a term; all is 0 without any, and se is with a single one */
};

/** estimate_from(mean, variance, n_clusters): with the variance of mean, >= 0. */
struct estimate estimate_from(double mean, double variance, size_t n_clusters);

/**
 * estimate_share(mean, variance, n_clusters): the same of a share, whose interval is Wilson's
 * (1927) and stays within [0, 1]: that of a binomial share of n = mean (1 - mean) / variance
 * trials. Where no variance shows, as of a share of 0, n is n_clusters and the quantile the
 * normal one's: two trials without a hit leave 0 to 0.66.
 */
struct estimate estimate_share(double mean, double variance, size_t n_clusters);

/**
 * estimate_ratio(sum, count, n): the mean of terms that come in n clusters, sum [n] and
 * number [n] of each:
 *
 *   m = sum_c s_c / sum_c n_c      se^2 = C / (C - 1) sum_c (s_c - m n_c)^2 / (sum_c n_c)^2
 *
 * the cluster-robust (linearized) standard error of a ratio, C clusters having n_c > 0
 * (Cochran, Sampling Techniques, 1977, section 2.11). Counts of 1 make it the plain mean
 * of the clusters' own values.
 */
struct estimate estimate_ratio(const double *sum, const double *count, size_t n);

#endif
