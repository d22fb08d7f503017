/* SPDX-License-Identifier: Apache-2.0 */
/* sparse_impl.h - the ways to multiply, which give the same, for sparse.c and its test. */
#ifndef MICRO_MATH_SPARSE_IMPL_H
#define MICRO_MATH_SPARSE_IMPL_H

#include "core/base/simd.h"
#include "core/math/sparse.h"

/** sparse_times_by(simd, ...): sparse_times() by instructions that run. */
void sparse_times_by(enum simd simd, const uint32_t *index, const float *value, size_t n,
		     const float *a, size_t dim, size_t n_out, float *out);

#endif
