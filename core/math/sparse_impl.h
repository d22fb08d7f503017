/* SPDX-License-Identifier: Apache-2.0 */
/* sparse_impl.h - the ways to multiply, which give the same, for sparse.c and its test. */
#ifndef MICRO_MATH_SPARSE_IMPL_H
#define MICRO_MATH_SPARSE_IMPL_H

#include <stdbool.h>

#include "core/math/sparse.h"

/* Instruction sets, the later the better. */
enum sparse_kind { SPARSE_PORTABLE, SPARSE_AVX2, SPARSE_AVX512, N_SPARSE_KINDS };

/** sparse_kind_runs(kind): whether this processor can. */
bool sparse_kind_runs(enum sparse_kind kind);

/** sparse_times_by(kind, ...): sparse_times() by a kind that runs. */
void sparse_times_by(enum sparse_kind kind, const uint32_t *index, const float *value, size_t n,
		     const float *a, size_t dim, size_t n_out, float *out);

#endif
