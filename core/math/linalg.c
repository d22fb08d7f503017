/* SPDX-License-Identifier: Apache-2.0 */
#include "core/math/linalg.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cblas.h>

/*
 * Products are taken in blocks of so many rows and columns of x: OpenBLAS multiplies
 * small matrices where they are, and spends a quarter more on large ones, which it
 * copies together first (measured with AVX-512, 128 and 10 columns of a).
 */
struct block {
	size_t rows, columns;
};

#define NARROW 32 /* columns of a */

static const struct block wide_block = {32, 128}, narrow_block = {64, 384};

/* CBLAS takes its dimensions as int */
static int blas_int(size_t n)
{
	assert(n <= INT_MAX);
	return (int)n;
}

/* What OpenBLAS falls back to, and what makes it take another. */
#define OLDEST_KERNEL	"Prescott"
#define KERNEL_VARIABLE "OPENBLAS_CORETYPE"

/* The kernel for the processor's instructions; NULL: nothing newer than the oldest one. */
static const char *kernel_for_processor(void)
{
#if defined(__x86_64__)
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
	    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
	    __builtin_cpu_supports("avx512cd"))
		return "SkylakeX";
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		return "Haswell";
#endif
	return NULL;
}

void linalg_choose_kernel(char **argv)
{
	const char *kernel = kernel_for_processor();
	char path[PATH_MAX];
	ssize_t len;

	if (kernel == NULL || strcmp(openblas_get_corename(), OLDEST_KERNEL) != 0 ||
	    getenv(KERNEL_VARIABLE) != NULL)
		return;
	/* by its path: a process of /proc/self/exe would be called exe */
	len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread looks at it */
	if (len < 0 || setenv(KERNEL_VARIABLE, kernel, 1) != 0)
		return;
	path[len] = '\0';
	execv(path, argv);
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

static struct block block_for(size_t m)
{
	return m <= NARROW ? narrow_block : wide_block;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

void linalg_matmul(const float *x, size_t ldx, size_t n, size_t k, const float *a, size_t m,
		   float *out)
{
	struct block block = block_for(m);

	for (size_t i = 0; i < n; i += block.rows) {
		for (size_t j = 0; j < k; j += block.columns)
			cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans,
				    blas_int(smaller(n - i, block.rows)), blas_int(m),
				    blas_int(smaller(k - j, block.columns)), 1.0f, x + i * ldx + j,
				    blas_int(ldx), a + j * m, blas_int(m), j == 0 ? 0.0f : 1.0f,
				    out + i * m, blas_int(m));
	}
}

void linalg_matmul_transposed(const float *x, size_t ldx, size_t n, size_t k, const float *d,
			      size_t m, float *out)
{
	struct block block = block_for(m);

	for (size_t j = 0; j < k; j += block.columns) {
		for (size_t i = 0; i < n; i += block.rows)
			cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans,
				    blas_int(smaller(k - j, block.columns)), blas_int(m),
				    blas_int(smaller(n - i, block.rows)), 1.0f, x + i * ldx + j,
				    blas_int(ldx), d + i * m, blas_int(m), i == 0 ? 0.0f : 1.0f,
				    out + j * m, blas_int(m));
	}
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
