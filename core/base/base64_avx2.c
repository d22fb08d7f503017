/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The alphabet is a few runs of ASCII, which the upper four bits of a character nearly tell
 * apart, so that two tables of 16 bytes, looked up 32 at once, say whether a character is of it
 * and what to add to get its value:
 *
 *   upper bits   2           3         4      5      6      7
 *   characters   + /         0 to 9    A-O    P-Z    a-o    p-z
 *   add          19, 16      4         -65    -65    -71    -71
 */
#include "core/base/base64_impl.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define BLOCK	    32 /* characters */
#define BLOCK_BYTES 24 /* that they make */

/* A table for both halves of a register, which are looked up each by itself. */
#define TABLE(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)

/* What the upper bits allow: one bit for each kind of row of ASCII. */
#define SIGNS	 1	/* 0x2_: + and / */
#define DIGITS	 2	/* 0x3_ */
#define FIRSTS	 4	/* 0x4_, 0x6_: all but the first */
#define LASTS	 8	/* 0x5_, 0x7_: up to z */
#define OTHERS	 16	/* none */
#define ALWAYS	 OTHERS /* the lower bits refuse these in every column */
#define COLUMN_0 (ALWAYS | SIGNS | FIRSTS)
#define COLUMN_1 (ALWAYS | SIGNS)
#define COLUMN_A (ALWAYS | SIGNS | DIGITS)
#define COLUMN_B (ALWAYS | DIGITS | LASTS)
#define COLUMN_C (ALWAYS | SIGNS | DIGITS | LASTS)

/* Not 0 where a character is not of the alphabet. upper, lower: its halves. */
__attribute__((target("avx2"))) static inline __m256i refuse(__m256i upper, __m256i lower)
{
	const __m256i rows = TABLE(OTHERS, OTHERS, SIGNS, DIGITS, FIRSTS, LASTS, FIRSTS, LASTS,
				   OTHERS, OTHERS, OTHERS, OTHERS, OTHERS, OTHERS, OTHERS, OTHERS);
	const __m256i columns =
	    TABLE(COLUMN_0, COLUMN_1, COLUMN_1, COLUMN_1, COLUMN_1, COLUMN_1, COLUMN_1, COLUMN_1,
		  COLUMN_1, COLUMN_1, COLUMN_A, COLUMN_B, COLUMN_C, COLUMN_C, COLUMN_C, COLUMN_B);

	return _mm256_and_si256(_mm256_shuffle_epi8(rows, upper),
				_mm256_shuffle_epi8(columns, lower));
}

/* The values, 0 to 63, of characters of the alphabet. */
__attribute__((target("avx2"))) static inline __m256i values(__m256i chars, __m256i upper)
{
	/* "/" goes one to the left, to a row that has no characters */
	const __m256i add = TABLE(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0);
	const __m256i slash = _mm256_cmpeq_epi8(chars, _mm256_set1_epi8('/'));

	return _mm256_add_epi8(chars, _mm256_shuffle_epi8(add, _mm256_add_epi8(upper, slash)));
}

/* Four values of six bits become three bytes, and these move together: 24 bytes, then 8 zeros. */
__attribute__((target("avx2"))) static inline __m256i join(__m256i v)
{
	const __m256i pairs = _mm256_maddubs_epi16(v, _mm256_set1_epi32(0x01400140));
	const __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00011000));
	const __m256i bytes = _mm256_shuffle_epi8(
	    fours, TABLE(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1));

	return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7));
}

__attribute__((target("avx2"))) static size_t decode(const char *text, size_t n_data,
						     unsigned char *out, bool *valid_out)
{
	const __m256i half = _mm256_set1_epi8(0x0f);
	__m256i refused = _mm256_setzero_si256();
	size_t i;

	/* a block is stored with 8 bytes too many, for which the next has room */
	for (i = 0; i + 2 * BLOCK <= n_data; i += BLOCK) {
		__m256i chars = _mm256_loadu_si256((const __m256i *)(const void *)(text + i));
		__m256i upper = _mm256_and_si256(_mm256_srli_epi32(chars, 4), half);
		__m256i lower = _mm256_and_si256(chars, half);

		refused = _mm256_or_si256(refused, refuse(upper, lower));
		_mm256_storeu_si256((__m256i *)(void *)out, join(values(chars, upper)));
		out += BLOCK_BYTES;
	}
	*valid_out = _mm256_testz_si256(refused, refused);
	return i;
}

size_t base64_decode_avx2(const char *text, size_t n_data, unsigned char *out, bool *valid_out)
{
	*valid_out = true;
	return __builtin_cpu_supports("avx2") ? decode(text, n_data, out, valid_out) : 0;
}

#else

size_t base64_decode_avx2(const char *text, size_t n_data, unsigned char *out, bool *valid_out)
{
	(void)text;
	(void)n_data;
	(void)out;
	*valid_out = true;
	return 0;
}

#endif
