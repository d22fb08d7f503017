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
 * the calls for one vector and for several sum in different orders. Weights may be kept in half
 * precision, float16 with a factor for each output, which is off by 1/2048 of a weight at most:
 * dim 3072, n_out 128 between other work takes 15 us instead of 26 (Xeon with AVX-512; bfloat16
 * would take 11 and be off by 1/256). tests/bench/judge.c has today's figures.
 */
#ifndef MICRO_MATH_PACKED_H
#define MICRO_MATH_PACKED_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"

/* Instruction sets, the later the better. */
enum packed_kind { PACKED_PORTABLE, PACKED_AVX2, PACKED_AVX512, N_PACKED_KINDS };

enum packed_precision { PACKED_SINGLE, PACKED_HALF };

struct packed {
	enum packed_kind kind;
	enum packed_precision precision;
	size_t dim;
	size_t n_out;
	void *weight; /* as packed.c lays it out, zeros where it is padded */
	float *scale; /* half: [n_out], powers of two; else NULL */
};

/** packed_kind_name(kind): such as "avx2". */
const char *packed_kind_name(enum packed_kind kind);

/** packed_kind_runs(kind): whether this processor can. */
bool packed_kind_runs(enum packed_kind kind);

/** packed_kind_best(): the best that runs here. */
enum packed_kind packed_kind_best(void);

/** packed_kind_halves(kind): whether it can read weights in half precision. */
bool packed_kind_halves(enum packed_kind kind);

/**
 * packed_init(packed, kind, precision, a, dim, n_out, err): pack a [dim, n_out], which is finite
 * and not needed afterwards; packed_free() releases. Where half precision cannot be read it is
 * single. The only error is STATUS_NO_MEMORY.
 */
enum status packed_init(struct packed *packed, enum packed_kind kind,
			enum packed_precision precision, const float *a, size_t dim, size_t n_out,
			struct err *err);

/** packed_free(packed): a zeroed one is allowed. */
void packed_free(struct packed *packed);

/** packed_times(packed, x, n, out): out [n, n_out] = the n vectors x[i] [dim] times the matrix. */
void packed_times(const struct packed *packed, const float *const *x, size_t n, float *out);

#endif
