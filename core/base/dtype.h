/* SPDX-License-Identifier: Apache-2.0 */
/* dtype.h - the numbers of tensors in files: little-endian F32, F16, BF16 and I32. */
#ifndef MICRO_BASE_DTYPE_H
#define MICRO_BASE_DTYPE_H

#include <stdbool.h>
#include <stddef.h>

enum dtype { DTYPE_F32, DTYPE_F16, DTYPE_BF16, DTYPE_I32, DTYPE_OTHER };

/** dtype_name(dtype): as safetensors writes it, "F32"; of DTYPE_OTHER "?". */
const char *dtype_name(enum dtype dtype);

/** dtype_is_float(dtype): whether dtype_to_floats() reads it. */
bool dtype_is_float(enum dtype dtype);

/** dtype_size(dtype): bytes of one number; 0 for DTYPE_OTHER. */
size_t dtype_size(enum dtype dtype);

/**
 * dtype_to_floats(dtype, bytes, n, out): out [n] = n numbers of a float dtype, exactly;
 * bytes may be unaligned. Infinities and NaN stay what they are.
 */
void dtype_to_floats(enum dtype dtype, const void *bytes, size_t n, float *out);

/** dtype_subtract(dtype, bytes, n, x): x [n] -= n numbers of a float dtype; otherwise the same. */
void dtype_subtract(enum dtype dtype, const void *bytes, size_t n, float *x);

/**
 * dtype_from_floats(dtype, x, n, bytes_out, bad_out): n finite numbers as a float dtype,
 * rounded to nearest, ties to even. False, with the first in bad_out, if one is too large
 * for the dtype and would become infinite.
 */
bool dtype_from_floats(enum dtype dtype, const float *x, size_t n, void *bytes_out,
		       size_t *bad_out);

#endif
