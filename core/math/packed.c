/* SPDX-License-Identifier: Apache-2.0 */
#include "core/math/packed.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
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
#define KERNEL_WEIGHT	    float
#define KERNEL_LOAD(p)	    (*(const four *)(p))
#define KERNEL_FMA(x, y, z) ((x) * (y) + (z))
#include "core/math/packed_kernel.h"

#if defined(__x86_64__)
#define KERNEL_NAME(name)   name##_avx2
#define KERNEL_TARGET	    __attribute__((target("avx2,fma")))
#define KERNEL_LANES	    8
#define KERNEL_ROWS	    2
#define KERNEL_TILES	    2
#define KERNEL_WEIGHT	    float
#define KERNEL_LOAD(p)	    _mm256_load_ps(p)
#define KERNEL_FMA(x, y, z) _mm256_fmadd_ps(x, y, z)
#include "core/math/packed_kernel.h"

#define KERNEL_NAME(name)   name##_avx2_half
#define KERNEL_TARGET	    __attribute__((target("avx2,fma,f16c")))
#define KERNEL_LANES	    8
#define KERNEL_ROWS	    2
#define KERNEL_TILES	    2
#define KERNEL_WEIGHT	    uint16_t
#define KERNEL_LOAD(p)	    _mm256_cvtph_ps(_mm_load_si128((const __m128i *)(p)))
#define KERNEL_FMA(x, y, z) _mm256_fmadd_ps(x, y, z)
#include "core/math/packed_kernel.h"

#define KERNEL_NAME(name)   name##_avx512
#define KERNEL_TARGET	    __attribute__((target("avx512f")))
#define KERNEL_LANES	    16
#define KERNEL_ROWS	    4
#define KERNEL_TILES	    2
#define KERNEL_WEIGHT	    float
#define KERNEL_LOAD(p)	    _mm512_load_ps(p)
#define KERNEL_FMA(x, y, z) _mm512_fmadd_ps(x, y, z)
#include "core/math/packed_kernel.h"

#define KERNEL_NAME(name)   name##_avx512_half
#define KERNEL_TARGET	    __attribute__((target("avx512f")))
#define KERNEL_LANES	    16
#define KERNEL_ROWS	    4
#define KERNEL_TILES	    2
#define KERNEL_WEIGHT	    uint16_t
#define KERNEL_LOAD(p)	    _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)(p)))
#define KERNEL_FMA(x, y, z) _mm512_fmadd_ps(x, y, z)
#include "core/math/packed_kernel.h"
#endif

typedef void times_fn(const struct packed *packed, const float *const *x, size_t n, float *out);

static const struct {
	const char *name;
	size_t lanes;
	times_fn *times[2]; /* by precision; NULL: not for this architecture */
} kinds[] = {
    [PACKED_PORTABLE] = {"portable", 4, {times_portable, NULL}},
#if defined(__x86_64__)
    [PACKED_AVX2] = {"avx2", 8, {times_avx2, times_avx2_half}},
    [PACKED_AVX512] = {"avx512", 16, {times_avx512, times_avx512_half}},
#else
    [PACKED_AVX2] = {"avx2", 8, {NULL, NULL}},
    [PACKED_AVX512] = {"avx512", 16, {NULL, NULL}},
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
	return kinds[kind].times[PACKED_SINGLE] != NULL;
}

enum packed_kind packed_kind_best(void)
{
	enum packed_kind kind = N_PACKED_KINDS - 1;

	while (!packed_kind_runs(kind))
		kind--;
	return kind;
}

bool packed_kind_halves(enum packed_kind kind)
{
#if defined(__x86_64__)
	unsigned a, b, c, d;

	/* clang's __builtin_cpu_supports() does not know it */
	if (kind == PACKED_AVX2 && !(__get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C) != 0))
		return false;
#endif
	return packed_kind_runs(kind) && kinds[kind].times[PACKED_HALF] != NULL;
}

static size_t round_up(size_t n, size_t step)
{
	return (n + step - 1) / step * step;
}

/* Where the weight of input d for output o stands. */
static size_t place_of(const struct packed *packed, size_t d, size_t o)
{
	size_t lanes = kinds[packed->kind].lanes;
	size_t tile = o / PACKED_TILE, row = o % PACKED_TILE;

	return tile * PACKED_TILE * round_up(packed->dim, lanes) + d / lanes * lanes * PACKED_TILE +
	       row * lanes + d % lanes;
}

/* The power of two that brings the largest weight of output o to at least 1, and below 2. */
static float scale_of(const float *a, size_t dim, size_t n_out, size_t o)
{
	float most = 0;

	for (size_t d = 0; d < dim; d++)
		most = fmaxf(most, fabsf(a[d * n_out + o]));
	return most == 0 ? 1 : scalbnf(1, ilogbf(most));
}

/* The float16 nearest to x, which is no larger than 2; ties to even. */
static uint16_t half_of(float x)
{
	const float smallest_normal = 0x1p-14f;
	uint16_t sign = signbit(x) ? 0x8000 : 0;
	float size = fabsf(x);
	uint32_t bits;

	if (size < smallest_normal)
		return (uint16_t)(sign | lrintf(size * 0x1p24f));
	memcpy(&bits, &size, sizeof(bits));
	bits += 0x0fff + (bits >> 13 & 1); /* 13 bits of the fraction go */
	bits -= (127u - 15) << 23;	   /* exponents count from 15 */
	return (uint16_t)(sign | bits >> 13);
}

static void pack_single(struct packed *packed, const float *a)
{
	float *weight = packed->weight;

	for (size_t d = 0; d < packed->dim; d++) {
		for (size_t o = 0; o < packed->n_out; o++)
			weight[place_of(packed, d, o)] = a[d * packed->n_out + o];
	}
}

static void pack_half(struct packed *packed, const float *a)
{
	uint16_t *weight = packed->weight;

	for (size_t o = 0; o < packed->n_out; o++) {
		float scale = scale_of(a, packed->dim, packed->n_out, o);

		for (size_t d = 0; d < packed->dim; d++)
			weight[place_of(packed, d, o)] = half_of(a[d * packed->n_out + o] / scale);
		packed->scale[o] = scale;
	}
}

enum status packed_init(struct packed *packed, enum packed_kind kind,
			enum packed_precision precision, const float *a, size_t dim, size_t n_out,
			struct err *err)
{
	bool half = precision == PACKED_HALF && packed_kind_halves(kind);
	size_t n_weights;

	assert(packed_kind_runs(kind));
	*packed = (struct packed){
	    .kind = kind,
	    .precision = half ? PACKED_HALF : PACKED_SINGLE,
	    .dim = dim,
	    .n_out = n_out,
	};
	if (!mem_mul(round_up(dim, kinds[kind].lanes), round_up(n_out, PACKED_TILE), &n_weights))
		return err_no_memory(err, "a packed matrix");
	packed->weight = mem_array(n_weights, half ? sizeof(uint16_t) : sizeof(float));
	packed->scale = half ? mem_array(n_out, sizeof(*packed->scale)) : NULL;
	if (packed->weight == NULL || (half && packed->scale == NULL)) {
		packed_free(packed);
		return err_no_memory(err, "a packed matrix");
	}
	if (half)
		pack_half(packed, a);
	else
		pack_single(packed, a);
	return STATUS_OK;
}

void packed_free(struct packed *packed)
{
	mem_free(packed->weight);
	mem_free(packed->scale);
	*packed = (struct packed){0};
}

void packed_times(const struct packed *packed, const float *const *x, size_t n, float *out)
{
	kinds[packed->kind].times[packed->precision](packed, x, n, out);
	if (packed->scale == NULL)
		return;
	for (size_t i = 0; i < n; i++) {
		for (size_t o = 0; o < packed->n_out; o++)
			out[i * packed->n_out + o] *= packed->scale[o];
	}
}
