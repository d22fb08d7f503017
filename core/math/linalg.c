/* SPDX-License-Identifier: Apache-2.0 */
#include "core/math/linalg.h"

#include <assert.h>
#include <limits.h>
#include <math.h>

#include <cblas.h>

/* CBLAS takes its dimensions as int */
static int blas_int(size_t n)
{
	assert(n <= INT_MAX);
	return (int)n;
}

void linalg_set_threads(int n)
{
	openblas_set_num_threads(n);
}

const char *linalg_version(void)
{
	return openblas_get_config();
}

void linalg_vecmat(const float *x, const float *a, size_t n, size_t m, float *y)
{
	cblas_sgemv(CblasRowMajor, CblasTrans, blas_int(n), blas_int(m), 1.0f, a, blas_int(m), x, 1,
		    0.0f, y, 1);
}

double linalg_dot(const float *x, const float *y, size_t n)
{
	return cblas_dsdot(blas_int(n), x, 1, y, 1);
}

double linalg_cosine(const float *x, const float *y, size_t n)
{
	double xx = linalg_dot(x, x, n);
	double yy = linalg_dot(y, y, n);

	if (!(xx > 0) || !(yy > 0))
		return 0;
	return linalg_dot(x, y, n) / (sqrt(xx) * sqrt(yy));
}
