/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sparse.h - a sparse vector times a matrix: a hundred of its rows, added up.
 *
 *   y = sum_j value_j A[index_j]        A [dim, n_out], row-major
 *
 * Each y is summed in the order of j, each product rounded before it is added: whatever the
 * processor, the same bits. The instructions are chosen at run time; nothing allocates.
 */
#ifndef MICRO_MATH_SPARSE_H
#define MICRO_MATH_SPARSE_H

#include <stddef.h>
#include <stdint.h>

/** sparse_times(index, value, n, a, dim, n_out, out): out [n_out] of the n numbers value, which
 * stand at index, each < dim, times a [dim, n_out]. */
void sparse_times(const uint32_t *index, const float *value, size_t n, const float *a, size_t dim,
		  size_t n_out, float *out);

#endif
