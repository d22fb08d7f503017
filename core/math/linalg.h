/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linalg.h - dense linear algebra on row-major float arrays. linalg.c is the
 * only file that calls CBLAS. Nothing here allocates or fails; all functions
 * are thread-safe as long as outputs are not shared.
 */
#ifndef MICRO_MATH_LINALG_H
#define MICRO_MATH_LINALG_H

#include <stddef.h>

/**
 * linalg_set_threads(n): number of threads that one call may use. Process-wide;
 * call before other threads start. The server and stage 1 have threads of their own and use 1,
 * stage 2 as many as --threads says.
 */
void linalg_set_threads(int n);

/**
 * linalg_choose_kernel(argv): first of all in main(), with its argv. OpenBLAS knows processors
 * by their numbers, and takes its oldest kernel, about ten times slower, for one that is newer
 * than the library. Where that happened and the processor has AVX2 or AVX-512, the program
 * begins anew, in the same process, with the kernel for these in OPENBLAS_CORETYPE, which
 * the library reads before main(). What the user has set there stays. If nothing is to be done, or
 * it cannot be done, this returns and the products are only slow.
 */
void linalg_choose_kernel(char **argv);

/** linalg_version(): name and version of the BLAS library; static. */
const char *linalg_version(void);

/** linalg_vecmat(x, a, n, m, y): y [m] = x [n] * a [n, m]. */
void linalg_vecmat(const float *x, const float *a, size_t n, size_t m, float *y);

/**
 * linalg_matmul(x, ldx, n, k, a, m, out): out [n, m] = x [n, k] * a [k, m]; the rows
 * of x are ldx >= k numbers apart.
 */
void linalg_matmul(const float *x, size_t ldx, size_t n, size_t k, const float *a, size_t m,
		   float *out);

/**
 * linalg_matmul_transposed(x, ldx, n, k, d, m, out): out [k, m] = x^T * d, of x [n, k]
 * with rows ldx >= k numbers apart and d [n, m].
 */
void linalg_matmul_transposed(const float *x, size_t ldx, size_t n, size_t k, const float *d,
			      size_t m, float *out);

/** linalg_dot(x, y, n): sum x_i y_i in double precision. */
double linalg_dot(const float *x, const float *y, size_t n);

/** linalg_cosine(x, y, n): cosine similarity; 0 if either is the zero vector. */
double linalg_cosine(const float *x, const float *y, size_t n);

#endif
