/* SPDX-License-Identifier: Apache-2.0 */
#include "core/math/packed.h"

#include <assert.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "core/base/mem.h"

/*
 * A tile has the weights of PACKED_TILE outputs, in chunks of as many inputs as a register has
 * lanes: weight [n_tiles][n_chunks][PACKED_TILE][lanes].
 */
#define PACKED_TILE 4

typedef float four __attribute__((vector_size(16)));

#define SHUFFLE(x, y, a, b, c, d) __builtin_shufflevector(x, y, a, b, c, d)

#define KERNEL_NAME(name) name##_portable
#define KERNEL_TARGET
#define KERNEL_LANES	    4
#define KERNEL_ROWS	    2
#define KERNEL_TILES	    1
#define KERNEL_FMA(x, y, z) ((x) * (y) + (z))
#include "core/math/packed_kernel.h"

#if defined(__x86_64__)
#define KERNEL_NAME(name)   name##_avx2
#define KERNEL_TARGET	    __attribute__((target("avx2,fma")))
#define KERNEL_LANES	    8
#define KERNEL_ROWS	    2
#define KERNEL_TILES	    2
#define KERNEL_FMA(x, y, z) _mm256_fmadd_ps(x, y, z)
#include "core/math/packed_kernel.h"

#define KERNEL_NAME(name)   name##_avx512
#define KERNEL_TARGET	    __attribute__((target("avx512f")))
#define KERNEL_LANES	    16
#define KERNEL_ROWS	    4
#define KERNEL_TILES	    2
#define KERNEL_FMA(x, y, z) _mm512_fmadd_ps(x, y, z)
#include "core/math/packed_kernel.h"
#endif

typedef void times_fn(const struct packed *packed, const float *const *x, size_t n, float *out);

static const struct {
	const char *name;
	size_t lanes;
	times_fn *times; /* NULL: not for this architecture */
} kinds[] = {
    [PACKED_PORTABLE] = {"portable", 4, times_portable},
#if defined(__x86_64__)
    [PACKED_AVX2] = {"avx2", 8, times_avx2},
    [PACKED_AVX512] = {"avx512", 16, times_avx512},
#else
    [PACKED_AVX2] = {"avx2", 8, NULL},
    [PACKED_AVX512] = {"avx512", 16, NULL},
#endif
};

const char *packed_kind_name(enum packed_kind kind)
{
	assert((unsigned)kind < N_PACKED_KINDS);
	return kinds[kind].name;
}

bool packed_kind_runs(enum packed_kind kind)
{
	assert((unsigned)kind < N_PACKED_KINDS);
#if defined(__x86_64__)
	if (kind == PACKED_AVX2)
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
	if (kind == PACKED_AVX512)
		return __builtin_cpu_supports("avx512f");
#endif
	return kinds[kind].times != NULL;
}

enum packed_kind packed_kind_best(void)
{
	enum packed_kind kind = N_PACKED_KINDS - 1;

	while (!packed_kind_runs(kind))
		kind--;
	return kind;
}

static size_t round_up(size_t n, size_t step)
{
	return (n + step - 1) / step * step;
}

enum status packed_init(struct packed *packed, enum packed_kind kind, const float *a, size_t dim,
			size_t n_out, struct err *err)
{
	size_t lanes = kinds[kind].lanes;
	size_t padded = round_up(dim, lanes);
	size_t n_weights;

	assert(packed_kind_runs(kind));
	*packed = (struct packed){.kind = kind, .dim = dim, .n_out = n_out};
	if (!mem_mul(padded, round_up(n_out, PACKED_TILE), &n_weights))
		return err_no_memory(err, "a packed matrix");
	packed->weight = mem_array(n_weights, sizeof(*packed->weight));
	if (packed->weight == NULL)
		return err_no_memory(err, "a packed matrix");
	for (size_t d = 0; d < dim; d++) {
		for (size_t o = 0; o < n_out; o++) {
			size_t tile = o / PACKED_TILE, row = o % PACKED_TILE;
			float *chunk = packed->weight + tile * PACKED_TILE * padded +
				       d / lanes * lanes * PACKED_TILE;

			chunk[row * lanes + d % lanes] = a[d * n_out + o];
		}
	}
	return STATUS_OK;
}

void packed_free(struct packed *packed)
{
	mem_free(packed->weight);
	*packed = (struct packed){0};
}

void packed_times(const struct packed *packed, const float *const *x, size_t n, float *out)
{
	kinds[packed->kind].times(packed, x, n, out);
}
