/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packed_kernel.h - the product of packed.c for one instruction set; included there once for
 * each, with
 *
 *   KERNEL_NAME(name)   name with the set's suffix
 *   KERNEL_TARGET       function attribute
 *   KERNEL_LANES        floats of a vector register: 4, 8 or 16
 *   KERNEL_ROWS         vectors that are multiplied together: 1, 2 or 4
 *   KERNEL_TILES        tiles that a single vector is multiplied with together: 1 or 2
 *   KERNEL_WEIGHT       type of a weight
 *   KERNEL_LOAD(p)      the lanes of the weights at p, which is aligned
 *   KERNEL_FMA(x, y, z) x * y + z
 *
 * and undefines them. Output o of a vector is the sum of KERNEL_LANES partial sums, of which
 * lane i has x[i], x[i + LANES], ... in this order: how many rows and tiles go together
 * changes nothing.
 */

typedef float KERNEL_NAME(lanes) __attribute__((vector_size(4 * KERNEL_LANES)));
/* a caller's vector begins anywhere */
typedef float KERNEL_NAME(loose_lanes)
    __attribute__((vector_size(4 * KERNEL_LANES), aligned(4), may_alias));

#define LANES	      KERNEL_NAME(lanes)
#define LOOSE_LANES   KERNEL_NAME(loose_lanes)
#define KERNEL_INLINE static inline __attribute__((always_inline)) KERNEL_TARGET

/* The lanes, added up to four. */
KERNEL_INLINE four KERNEL_NAME(fold)(LANES v)
{
	four sum = {0};

	for (size_t i = 0; i < KERNEL_LANES; i += 4)
		sum += (four){v[i], v[i + 1], v[i + 2], v[i + 3]};
	return sum;
}

/* The sums of four vectors' lanes. */
KERNEL_INLINE four KERNEL_NAME(sums)(const LANES *v)
{
	four a = KERNEL_NAME(fold)(v[0]), b = KERNEL_NAME(fold)(v[1]);
	four c = KERNEL_NAME(fold)(v[2]), d = KERNEL_NAME(fold)(v[3]);
	four ab = SHUFFLE(a, b, 0, 4, 1, 5) + SHUFFLE(a, b, 2, 6, 3, 7);
	four cd = SHUFFLE(c, d, 0, 4, 1, 5) + SHUFFLE(c, d, 2, 6, 3, 7);

	return SHUFFLE(ab, cd, 0, 1, 4, 5) + SHUFFLE(ab, cd, 2, 3, 6, 7);
}

/* sum[r][t] += x[r] * the chunk's weights of output t, for n_rows and n_tiles that the compiler
 * knows; weight[tile] is the chunk in each of the tiles. */
KERNEL_INLINE void KERNEL_NAME(add_chunk)(const LANES *x, const KERNEL_WEIGHT *const *weight,
					  size_t n_rows, size_t n_tiles,
					  LANES sum[][2 * PACKED_TILE])
{
	for (size_t t = 0; t < n_tiles * PACKED_TILE; t++) {
		LANES w = KERNEL_LOAD(weight[t / PACKED_TILE] + t % PACKED_TILE * KERNEL_LANES);

		for (size_t r = 0; r < n_rows; r++)
			sum[r][t] = KERNEL_FMA(x[r], w, sum[r][t]);
	}
}

/* out[r] [n_tiles * PACKED_TILE] = x[r] [dim] * n_tiles neighbouring tiles at weight. */
KERNEL_INLINE void KERNEL_NAME(tiles)(const KERNEL_WEIGHT *weight, size_t dim,
				      const float *const *x, size_t n_rows, size_t n_tiles,
				      four out[][2])
{
	const size_t n_chunks = (dim + KERNEL_LANES - 1) / KERNEL_LANES;
	const size_t n_whole = dim / KERNEL_LANES;
	const KERNEL_WEIGHT *at[2] = {weight, weight + n_chunks * PACKED_TILE * KERNEL_LANES};
	LANES sum[4][2 * PACKED_TILE] = {0};
	LANES part[4] = {0};

	for (size_t chunk = 0; chunk < n_whole; chunk++) {
		for (size_t r = 0; r < n_rows; r++)
			part[r] = *(const LOOSE_LANES *)(x[r] + chunk * KERNEL_LANES);
		KERNEL_NAME(add_chunk)(part, at, n_rows, n_tiles, sum);
		at[0] += PACKED_TILE * KERNEL_LANES;
		at[1] += PACKED_TILE * KERNEL_LANES;
	}
	if (n_whole < n_chunks) {
		for (size_t r = 0; r < n_rows; r++) {
			part[r] = (LANES){0};
			for (size_t i = n_whole * KERNEL_LANES; i < dim; i++)
				part[r][i % KERNEL_LANES] = x[r][i];
		}
		KERNEL_NAME(add_chunk)(part, at, n_rows, n_tiles, sum);
	}
	for (size_t r = 0; r < n_rows; r++) {
		for (size_t t = 0; t < n_tiles; t++)
			out[r][t] = KERNEL_NAME(sums)(sum[r] + t * PACKED_TILE);
	}
}

/* n_rows vectors times the whole matrix, n_tiles tiles at a time. */
KERNEL_INLINE void KERNEL_NAME(rows)(const struct packed *p, const float *const *x, size_t n_rows,
				     size_t n_tiles, float *out)
{
	const size_t n_chunks = (p->dim + KERNEL_LANES - 1) / KERNEL_LANES;
	const size_t step = n_tiles * PACKED_TILE;
	const KERNEL_WEIGHT *weight = p->weight;
	size_t o = 0;
	four y[4][2];

	for (; o + step <= p->n_out; o += step) {
		KERNEL_NAME(tiles)(weight, p->dim, x, n_rows, n_tiles, y);
		for (size_t r = 0; r < n_rows; r++)
			memcpy(out + r * p->n_out + o, y[r], step * sizeof(float));
		weight += n_chunks * KERNEL_LANES * step;
	}
	for (; o < p->n_out; o += PACKED_TILE) {
		size_t n = p->n_out - o < PACKED_TILE ? p->n_out - o : PACKED_TILE;

		KERNEL_NAME(tiles)(weight, p->dim, x, n_rows, 1, y);
		for (size_t r = 0; r < n_rows; r++)
			memcpy(out + r * p->n_out + o, y[r], n * sizeof(float));
		weight += n_chunks * KERNEL_LANES * PACKED_TILE;
	}
}

KERNEL_TARGET static void KERNEL_NAME(times)(const struct packed *p, const float *const *x,
					     size_t n, float *out)
{
	size_t i = 0;

#if KERNEL_ROWS >= 4
	for (; i + 4 <= n; i += 4)
		KERNEL_NAME(rows)(p, x + i, 4, 1, out + i * p->n_out);
#endif
#if KERNEL_ROWS >= 2
	for (; i + 2 <= n; i += 2)
		KERNEL_NAME(rows)(p, x + i, 2, 1, out + i * p->n_out);
#endif
	for (; i < n; i++)
		KERNEL_NAME(rows)(p, x + i, 1, KERNEL_TILES, out + i * p->n_out);
}

#undef LANES
#undef LOOSE_LANES
#undef KERNEL_INLINE
#undef KERNEL_NAME
#undef KERNEL_TARGET
#undef KERNEL_LANES
#undef KERNEL_ROWS
#undef KERNEL_TILES
#undef KERNEL_WEIGHT
#undef KERNEL_LOAD
#undef KERNEL_FMA
