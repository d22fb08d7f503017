/* SPDX-License-Identifier: Apache-2.0 */
#include "core/math/sparse.h"
#include "core/math/sparse_impl.h"

#include <string.h>

#define LANES 16

typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));
/* a row begins anywhere */
typedef float loose_lanes
    __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));

struct sparse {
	const uint32_t *index;
	const float *value;
	size_t n;
};

struct matrix {
	const float *value; /* [dim, n_out] */
	size_t dim, n_out;
};

#define KERNEL_NAME(name) name##_portable
#define KERNEL_TARGET
#define KERNEL_PARTS 2
#include "core/math/sparse_kernel.h"

#if defined(__x86_64__)
#define KERNEL_NAME(name) name##_avx2
#define KERNEL_TARGET	  __attribute__((target("avx2")))
#define KERNEL_PARTS	  4
#include "core/math/sparse_kernel.h"

#define KERNEL_NAME(name) name##_avx512
#define KERNEL_TARGET	  __attribute__((target("avx512f")))
#define KERNEL_PARTS	  8
#include "core/math/sparse_kernel.h"
#else
#define times_avx2   NULL
#define times_avx512 NULL
#endif

typedef void times_fn(const struct sparse *x, const struct matrix *a, float *out);

static times_fn *const kernels[] = {
    [SIMD_PORTABLE] = times_portable,
    [SIMD_AVX2] = times_avx2,
    [SIMD_AVX512] = times_avx512,
};

void sparse_times_by(enum simd simd, const uint32_t *index, const float *value, size_t n,
		     const float *a, size_t dim, size_t n_out, float *out)
{
	const struct sparse x = {index, value, n};
	const struct matrix matrix = {a, dim, n_out};

	kernels[simd](&x, &matrix, out);
}

void sparse_times(const uint32_t *index, const float *value, size_t n, const float *a, size_t dim,
		  size_t n_out, float *out)
{
	sparse_times_by(simd_best(), index, value, n, a, dim, n_out, out);
}
