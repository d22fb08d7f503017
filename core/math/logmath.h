/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logmath.h - probabilities in log space. Each function subtracts the maximum
 * first, so that none overflows and none returns NaN for finite input.
 */
#ifndef MICRO_MATH_LOGMATH_H
#define MICRO_MATH_LOGMATH_H

#include <stdbool.h>
#include <stddef.h>

/** log_sigmoid(x): log(1 / (1 + exp(-x))). */
double log_sigmoid(double x);

/** sigmoid(x): 1 / (1 + exp(-x)). */
double sigmoid(double x);

/** log_sum_exp(x, n): log sum_i exp(x_i); -inf entries are allowed, all -inf gives -inf. */
double log_sum_exp(const double *x, size_t n);

/** log_softmax(x, n): x <- x - log_sum_exp(x), in place; at least one entry is finite. */
void log_softmax(double *x, size_t n);

/** all_finite_f(x, n, first_bad_out): false with the first index that is NaN or infinite. */
bool all_finite_f(const float *x, size_t n, size_t *first_bad_out);

/** all_finite(x, n): the same for doubles, without the index. */
bool all_finite(const double *x, size_t n);

#endif
