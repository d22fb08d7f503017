/* SPDX-License-Identifier: Apache-2.0 */
/*
 * siphash_kernel.h - SipHash of texts side by side, for one instruction set; included in siphash.c
 * once for each, with
 *
 *   KERNEL_NAME(name)   name with the set's suffix
 *   KERNEL_TARGET       function attribute
 *
 * and undefines them.
 */

#define KERNEL_INLINE static inline __attribute__((always_inline)) KERNEL_TARGET

/* v: the state [4]. */
KERNEL_INLINE void KERNEL_NAME(rounds)(lanes *v, int n)
{
#define ROTATE(x, b) ((x) << (b) | (x) >> (64 - (b)))
	for (int i = 0; i < n; i++) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = ROTATE(v[1], 13) ^ v[0];
		v[3] = ROTATE(v[3], 16) ^ v[2];
		v[0] = ROTATE(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = ROTATE(v[1], 17) ^ v[2];
		v[3] = ROTATE(v[3], 21) ^ v[0];
		v[2] = ROTATE(v[2], 32);
	}
#undef ROTATE
}

/* *x = y in the lanes of which */
KERNEL_INLINE void KERNEL_NAME(replace)(lanes *x, const lanes_mask *which, const lanes *y)
{
	*x = (*y & (lanes)*which) | (*x & ~(lanes)*which);
}

/* The texts' words number w; of the last one the bytes that there are, and the length on top.
 * Whose words have ended get anything. */
KERNEL_INLINE void KERNEL_NAME(words_of)(const struct siphash_text *texts, const lanes *len,
					 size_t w, lanes *words_out)
{
	const lanes end = SPREAD(w * WORD + WORD);
	const lanes beyond = ~(lanes){0} << (*len % WORD * 8);
	const lanes words = OF_EACH(part_of, texts, w);

	const lanes last = (words & ~beyond) | *len << 56;
	const lanes_mask is_last = (lanes_mask)(end > *len);

	*words_out = words;
	KERNEL_NAME(replace)(words_out, &is_last, &last);
}

/* Of LANES texts. */
KERNEL_INLINE void KERNEL_NAME(hash_lanes)(const uint64_t *key, const struct siphash_text *texts,
					   uint64_t *hash_out)
{
	const lanes len = OF_EACH(length_of, texts, 0);
	lanes v[4];
	size_t most = 0; /* bytes */

	v[0] = SPREAD(key[0] ^ 0x736f6d6570736575u);
	v[1] = SPREAD(key[1] ^ 0x646f72616e646f6du);
	v[2] = SPREAD(key[0] ^ 0x6c7967656e657261u);
	v[3] = SPREAD(key[1] ^ 0x7465646279746573u);
	for (size_t l = 0; l < LANES; l++)
		most = texts[l].len > most ? texts[l].len : most;
	for (size_t w = 0; w <= most / WORD; w++) {
		const lanes_mask goes_on = (lanes_mask)(len >= SPREAD(w * WORD));
		lanes next[4] = {v[0], v[1], v[2], v[3]}, word;

		KERNEL_NAME(words_of)(texts, &len, w, &word);
		next[3] ^= word;
		KERNEL_NAME(rounds)(next, 2);
		next[0] ^= word;
		for (size_t i = 0; i < 4; i++)
			KERNEL_NAME(replace)(&v[i], &goes_on, &next[i]);
	}
	v[2] ^= SPREAD(0xff);
	KERNEL_NAME(rounds)(v, 4);
	v[0] ^= v[1] ^ v[2] ^ v[3];
	memcpy(hash_out, &v[0], sizeof(v[0]));
}

/* The last few get company that is not asked for. */
KERNEL_TARGET static void KERNEL_NAME(hash)(const uint64_t *key, const struct siphash_text *texts,
					    size_t n, uint64_t *hash_out)
{
	struct siphash_text some[LANES];
	uint64_t hash[LANES];
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		KERNEL_NAME(hash_lanes)(key, texts + i, hash_out + i);
	if (i == n)
		return;
	for (size_t l = 0; l < LANES; l++)
		some[l] = texts[i + l < n ? i + l : i];
	KERNEL_NAME(hash_lanes)(key, some, hash);
	memcpy(hash_out + i, hash, (n - i) * sizeof(*hash));
}

#undef KERNEL_INLINE
#undef KERNEL_NAME
#undef KERNEL_TARGET
