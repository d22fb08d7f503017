/* SPDX-License-Identifier: Apache-2.0 */
#include "core/math/sparse.h"
#include "core/math/sparse_impl.h"

#include <assert.h>
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

static times_fn *const kinds[] = {
    [SPARSE_PORTABLE] = times_portable,
    [SPARSE_AVX2] = times_avx2,
    [SPARSE_AVX512] = times_avx512,
};

bool sparse_kind_runs(enum sparse_kind kind)
{
	assert((unsigned)kind < N_SPARSE_KINDS);
#if defined(__x86_64__)
	if (kind == SPARSE_AVX2)
		return __builtin_cpu_supports("avx2");
	if (kind == SPARSE_AVX512)
		return __builtin_cpu_supports("avx512f");
#endif
	return kinds[kind] != NULL;
}

void sparse_times_by(enum sparse_kind kind, const uint32_t *index, const float *value, size_t n,
		     const float *a, size_t dim, size_t n_out, float *out)
{
	const struct sparse x = {index, value, n};
	const struct matrix matrix = {a, dim, n_out};

	kinds[kind](&x, &matrix, out);
}

void sparse_times(const uint32_t *index, const float *value, size_t n, const float *a, size_t dim,
		  size_t n_out, float *out)
{
	enum sparse_kind kind = N_SPARSE_KINDS - 1;

	while (kind > SPARSE_PORTABLE && !sparse_kind_runs(kind))
		kind--;
	sparse_times_by(kind, index, value, n, a, dim, n_out, out);
}
