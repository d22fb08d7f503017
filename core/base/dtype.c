/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/dtype.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "numbers are copied as they lie in the file, little-endian");

#define F32_INFINITY  0x7f800000u
#define F16_INFINITY  0x7c00u
#define BF16_INFINITY 0x7f80u

#define PIECE 256 /* numbers that are subtracted together */

static const struct {
	const char *name;
	size_t size;
} dtypes[] = {
    [DTYPE_F32] = {"F32", 4}, [DTYPE_F16] = {"F16", 2}, [DTYPE_BF16] = {"BF16", 2},
    [DTYPE_I32] = {"I32", 4}, [DTYPE_OTHER] = {"?", 0},
};

const char *dtype_name(enum dtype dtype)
{
	return dtypes[dtype].name;
}

bool dtype_is_float(enum dtype dtype)
{
	return dtype == DTYPE_F32 || dtype == DTYPE_F16 || dtype == DTYPE_BF16;
}

size_t dtype_size(enum dtype dtype)
{
	return dtypes[dtype].size;
}

static uint32_t bits_of(float x)
{
	uint32_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

static float float_of(uint32_t bits)
{
	float x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

/*
 * IEEE binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. Its bits, moved to float's
 * place, are the number times 2^(15 - 127), also of a subnormal one.
 */
static inline float float_of_f16(uint16_t half)
{
	uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
	uint32_t rest = (uint32_t)(half & 0x7fffu) << 13;
	uint32_t finite = bits_of(float_of(rest) * 0x1p112f);

	return float_of(sign |
			((half & F16_INFINITY) == F16_INFINITY ? rest | F32_INFINITY : finite));
}

/* bfloat16: the upper half of a float */
static inline float float_of_bf16(uint16_t half)
{
	return float_of((uint32_t)half << 16);
}

/* bits without their lowest n_cut, to nearest, ties to even */
static uint32_t round_bits(uint32_t bits, unsigned n_cut)
{
	uint32_t below_half = (1u << (n_cut - 1)) - 1;

	return (bits + below_half + (bits >> n_cut & 1)) >> n_cut;
}

static uint16_t bf16_of(float x)
{
	return (uint16_t)round_bits(bits_of(x), 16);
}

static uint16_t f16_of(float x)
{
	uint32_t sign = bits_of(x) >> 16 & 0x8000u;
	uint32_t magnitude = bits_of(x) & 0x7fffffffu;
	uint32_t half;

	if (magnitude >= bits_of(0x1p16f))
		half = F16_INFINITY;
	else if (magnitude >= bits_of(0x1p-14f))
		half = round_bits(magnitude - (112u << 23), 13);
	else /* subnormal: multiples of 2^-24, rounded by the addition, which leaves those bits */
		half = bits_of(float_of(magnitude) + 0.5f) - bits_of(0.5f);
	return (uint16_t)(sign | half);
}

void dtype_to_floats(enum dtype dtype, const void *bytes, size_t n, float *out)
{
	const unsigned char *at = bytes;
	uint16_t half;

	if (dtype == DTYPE_F32) {
		memcpy(out, bytes, n * sizeof(*out));
		return;
	}
	for (size_t i = 0; i < n && dtype == DTYPE_F16; i++) {
		memcpy(&half, at + i * sizeof(half), sizeof(half));
		out[i] = float_of_f16(half);
	}
	for (size_t i = 0; i < n && dtype == DTYPE_BF16; i++) {
		memcpy(&half, at + i * sizeof(half), sizeof(half));
		out[i] = float_of_bf16(half);
	}
}

void dtype_subtract(enum dtype dtype, const void *bytes, size_t n, float *x)
{
	const unsigned char *at = bytes;
	float piece[PIECE];

	assert(dtype_is_float(dtype));
	for (size_t done = 0, m; done < n; done += m) {
		m = n - done < PIECE ? n - done : PIECE;
		dtype_to_floats(dtype, at + done * dtypes[dtype].size, m, piece);
		for (size_t i = 0; i < m; i++)
			x[done + i] -= piece[i];
	}
}

bool dtype_from_floats(enum dtype dtype, const float *x, size_t n, void *bytes_out, size_t *bad_out)
{
	uint16_t infinity = dtype == DTYPE_F16 ? F16_INFINITY : BF16_INFINITY;
	unsigned char *at = bytes_out;

	if (dtype == DTYPE_F32) {
		memcpy(bytes_out, x, n * sizeof(*x));
		return true;
	}
	for (size_t i = 0; i < n; i++) {
		uint16_t half = dtype == DTYPE_F16 ? f16_of(x[i]) : bf16_of(x[i]);

		if ((half & 0x7fffu) >= infinity) {
			*bad_out = i;
			return false;
		}
		memcpy(at + i * sizeof(half), &half, sizeof(half));
	}
	return true;
}
