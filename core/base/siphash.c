/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/siphash.h"
#include "core/base/siphash_impl.h"

#include <string.h>

#define LANES	  8
#define WORD	  8 /* bytes of a block */
#define SPREAD(x) ((lanes){(x), (x), (x), (x), (x), (x), (x), (x)})

/* One number of each text. */
typedef uint64_t lanes __attribute__((vector_size(LANES * sizeof(uint64_t))));
typedef int64_t lanes_mask __attribute__((vector_size(LANES * sizeof(int64_t))));

static uint64_t load_word(const void *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

static inline uint64_t length_of(const struct siphash_text *text, size_t w)
{
	(void)w;
	return text->len;
}

/* Word w of the text, or what begins where the whole ones end. */
static inline uint64_t part_of(const struct siphash_text *text, size_t w)
{
	size_t n_whole = text->len / WORD;

	return load_word(text->bytes + (w < n_whole ? w : n_whole) * WORD);
}

/* Compilers make better code of this than of a loop. */
#define OF_EACH(of, t, w)                                                                          \
	((lanes){of(&(t)[0], w), of(&(t)[1], w), of(&(t)[2], w), of(&(t)[3], w), of(&(t)[4], w),   \
		 of(&(t)[5], w), of(&(t)[6], w), of(&(t)[7], w)})

#define KERNEL_NAME(name) name##_portable
#define KERNEL_TARGET
#include "core/base/siphash_kernel.h"

#if defined(__x86_64__)
#define KERNEL_NAME(name) name##_avx2
#define KERNEL_TARGET	  __attribute__((target("avx2")))
#include "core/base/siphash_kernel.h"

#define KERNEL_NAME(name) name##_avx512
#define KERNEL_TARGET	  __attribute__((target("avx512f")))
#include "core/base/siphash_kernel.h"
#else
#define hash_avx2   NULL
#define hash_avx512 NULL
#endif

typedef void hash_fn(const uint64_t *key, const struct siphash_text *texts, size_t n,
		     uint64_t *hash_out);

static hash_fn *const kernels[] = {
    [SIMD_PORTABLE] = hash_portable,
    [SIMD_AVX2] = hash_avx2,
    [SIMD_AVX512] = hash_avx512,
};

void siphash_many_by(enum simd simd, const void *key, const struct siphash_text *texts, size_t n,
		     uint64_t *hash_out)
{
	const uint64_t words[2] = {load_word(key), load_word((const char *)key + WORD)};

	kernels[simd](words, texts, n, hash_out);
}

void siphash_many(const void *key, const struct siphash_text *texts, size_t n, uint64_t *hash_out)
{
	siphash_many_by(simd_best(), key, texts, n, hash_out);
}
