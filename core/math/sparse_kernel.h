/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sparse_kernel.h - the product of sparse.c for one instruction set; included there once for
 * each, with
 *
 *   KERNEL_NAME(name)   name with the set's suffix
 *   KERNEL_TARGET       function attribute
 *   KERNEL_PARTS        how many times LANES outputs are added up together
 *
 * and undefines them.
 */

#define KERNEL_INLINE static inline __attribute__((always_inline)) KERNEL_TARGET

/* out [n] = the outputs from the first on, n <= n_parts * LANES, which the compiler knows. */
KERNEL_INLINE void KERNEL_NAME(parts)(const struct sparse *x, const struct matrix *a, size_t first,
				      size_t n, size_t n_parts, float *out)
{
	const size_t n_read = n_parts * LANES;
	float copy[KERNEL_PARTS * LANES] = {0};
	lanes sum[KERNEL_PARTS] = {0};

	for (size_t j = 0; j < x->n; j++) {
		size_t at = x->index[j] * a->n_out + first;
		const float *row = a->value + at;

		/* what stands behind the row is added, too, and forgotten; but something must */
		if (at + n_read > a->dim * a->n_out)
			row = memcpy(copy, row, n * sizeof(*row));
		for (size_t p = 0; p < n_parts; p++)
			sum[p] += x->value[j] * *(const loose_lanes *)(row + p * LANES);
	}
	memcpy(out + first, sum, n * sizeof(*out));
}

KERNEL_TARGET static void KERNEL_NAME(times)(const struct sparse *x, const struct matrix *a,
					     float *out)
{
	const size_t together = KERNEL_PARTS * LANES;
	size_t o = 0;

	for (; o + together <= a->n_out; o += together)
		KERNEL_NAME(parts)(x, a, o, together, KERNEL_PARTS, out);
	for (; o < a->n_out; o += LANES)
		KERNEL_NAME(parts)(x, a, o, a->n_out - o < LANES ? a->n_out - o : LANES, 1, out);
}

#undef KERNEL_INLINE
#undef KERNEL_NAME
#undef KERNEL_TARGET
#undef KERNEL_PARTS
