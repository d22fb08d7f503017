/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packed.h - a matrix that is multiplied with many vectors over its life: packed once for
 * the vector registers of the processor, chosen at run time.
 *
 *   y = x A        x [dim], A [dim, n_out]
 *
 * Each y is summed in one order, whatever else is multiplied with it: the same x gives the same
 * y, bit for bit, alone and among others. Processors of different kinds may differ in the last
 * bits. Nothing but packed_init() allocates.
 *
 * Why not BLAS: one vector at a time is bound by memory, where a library has no advantage, and
 * the calls for one vector and for several sum in different orders. Why not weights of 16 bits:
 * dim 3072, n_out 128 takes 15 us with floats, 14 with float16, 10 with bfloat16, whose weights
 * are off by 1/500, against 11 to 7.5 us each for vectors that come together
 * (Xeon with AVX-512, tests/bench/judge.c has today's).
 */
#ifndef MICRO_MATH_PACKED_H
#define MICRO_MATH_PACKED_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"

/* Instruction sets, the later the better. */
enum packed_kind { PACKED_PORTABLE, PACKED_AVX2, PACKED_AVX512, N_PACKED_KINDS };

struct packed {
	enum packed_kind kind;
	size_t dim;
	size_t n_out;
	float *weight; /* as packed.c lays it out, zeros where it is padded */
};

/** packed_kind_name(kind): such as "avx2". */
const char *packed_kind_name(enum packed_kind kind);

/** packed_kind_runs(kind): whether this processor can. */
bool packed_kind_runs(enum packed_kind kind);

/** packed_kind_best(): the best that runs here. */
enum packed_kind packed_kind_best(void);

/**
 * packed_init(packed, kind, a, dim, n_out, err): pack a [dim, n_out], which is not needed
 * afterwards; packed_free() releases. The only error is STATUS_NO_MEMORY.
 */
enum status packed_init(struct packed *packed, enum packed_kind kind, const float *a, size_t dim,
			size_t n_out, struct err *err);

/** packed_free(packed): a zeroed one is allowed. */
void packed_free(struct packed *packed);

/** packed_times(packed, x, n, out): out [n, n_out] = the n vectors x[i] [dim] times the matrix. */
void packed_times(const struct packed *packed, const float *const *x, size_t n, float *out);

#endif
