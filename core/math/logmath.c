/* SPDX-License-Identifier: Apache-2.0 */
#include "core/math/logmath.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define FINITE_BLOCK  64	  /* floats looked at together */
#define EXPONENT_MASK 0x7f800000u /* of a float32; all ones: infinite or not a number */
#define EXPONENT_ONE  0x00800000u
#define SIGN_BIT      31

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

/*
 * How many blocks from the first on have finite numbers only. One added to an exponent of ones
 * alone carries into the sign, which the mask has cleared. The inner loop has no exits, so that
 * compilers make vectors of it.
 */
static inline __attribute__((always_inline)) size_t count_finite(const float *x, size_t n_blocks)
{
	for (size_t block = 0; block < n_blocks; block++, x += FINITE_BLOCK) {
		uint32_t carries = 0;

		for (size_t i = 0; i < FINITE_BLOCK; i++) {
			uint32_t bits;

			memcpy(&bits, &x[i], sizeof(bits));
			carries |= (bits & EXPONENT_MASK) + EXPONENT_ONE;
		}
		if (carries >> SIGN_BIT != 0)
			return block;
	}
	return n_blocks;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static size_t count_finite_avx2(const float *x, size_t n_blocks)
{
	return count_finite(x, n_blocks);
}
#endif

bool all_finite_f(const float *x, size_t n, size_t *first_bad_out)
{
	size_t n_blocks = n / FINITE_BLOCK, i;

#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2"))
		i = count_finite_avx2(x, n_blocks) * FINITE_BLOCK;
	else
#endif
		i = count_finite(x, n_blocks) * FINITE_BLOCK;
	for (; i < n; i++) {
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
