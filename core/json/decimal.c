/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digits are read eight at a time, within one 64-bit word; in arrays, numbers such as -0.1234567 at
 * once, by vector registers where there are some. A float is then the product of two
 * doubles, unless that lies so close to the middle between two floats that its own error
 * matters; a double is an exact product or quotient (Clinger 1990), if there is one. All else,
 * which is rare in what people send, goes through strtof() and strtod().
 */
#include "core/json/decimal.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first digit is the lowest byte");
static_assert(FLT_MANT_DIG == 24 && DBL_MANT_DIG == 53, "IEEE 754");

#define WORD	     8	/* digits in one */
#define MAX_DIGITS   19 /* that fit 64 bits, whatever they are */
#define EXPONENT_MAX 1000000000000
#define BYTES(x)     (0x0101010101010101u * (x)) /* x in each byte */

/* A number of 1 to 19 digits and these powers of ten: smaller ones round to 0 or to the smallest
 * floats, larger ones overflow. */
#define POWER_MIN (-65)
#define POWER_MAX 38

/* Powers of ten that are exact in a double, and integers that are. */
#define EXACT_POWER_MAX	  22
#define EXACT_INTEGER_MAX (UINT64_C(1) << 53)

/* Bits of a double that a float has no room for, and the middle of what they can be. The double
 * in question is wrong by 3.1 units in the last place at most: half a unit each, in the worst
 * place of its binade twice that, for the digits, the power and their product, and less than a
 * tenth for digits beyond the 19th. */
#define REST_MASK   ((UINT64_C(1) << (DBL_MANT_DIG - FLT_MANT_DIG)) - 1)
#define REST_MIDDLE (UINT64_C(1) << (DBL_MANT_DIG - FLT_MANT_DIG - 1))
#define REST_MARGIN 8

static const double powers[POWER_MAX - POWER_MIN + 1] = {
    1e-65, 1e-64, 1e-63, 1e-62, 1e-61, 1e-60, 1e-59, 1e-58, 1e-57, 1e-56, 1e-55, 1e-54, 1e-53,
    1e-52, 1e-51, 1e-50, 1e-49, 1e-48, 1e-47, 1e-46, 1e-45, 1e-44, 1e-43, 1e-42, 1e-41, 1e-40,
    1e-39, 1e-38, 1e-37, 1e-36, 1e-35, 1e-34, 1e-33, 1e-32, 1e-31, 1e-30, 1e-29, 1e-28, 1e-27,
    1e-26, 1e-25, 1e-24, 1e-23, 1e-22, 1e-21, 1e-20, 1e-19, 1e-18, 1e-17, 1e-16, 1e-15, 1e-14,
    1e-13, 1e-12, 1e-11, 1e-10, 1e-9,  1e-8,  1e-7,  1e-6,  1e-5,  1e-4,  1e-3,	 1e-2,	1e-1,
    1e0,   1e1,	  1e2,	 1e3,	1e4,   1e5,   1e6,   1e7,   1e8,   1e9,	  1e10,	 1e11,	1e12,
    1e13,  1e14,  1e15,	 1e16,	1e17,  1e18,  1e19,  1e20,  1e21,  1e22,  1e23,	 1e24,	1e25,
    1e26,  1e27,  1e28,	 1e29,	1e30,  1e31,  1e32,  1e33,  1e34,  1e35,  1e36,	 1e37,	1e38,
};

/* Half of all numbers are negative: no branch can be told in advance. */
static const double signs[] = {1, -1};

static const uint64_t small_powers[WORD + 1] = {1,	10,	 100,	   1000,     10000,
						100000, 1000000, 10000000, 100000000};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Number of digits that the word begins with. */
static unsigned count_digits(uint64_t word)
{
	uint64_t value = word ^ BYTES('0');
	/* carries run upwards only, from a byte that is no digit itself */
	uint64_t others = (value | (value + BYTES(0x80 - 10))) & BYTES(0x80);

	return others == 0 ? WORD : (unsigned)__builtin_ctzll(others) / 8;
}

/* The number that eight digits make: pairs, fours, all. */
static uint64_t join_digits(uint64_t value)
{
	value = (value * 10 + (value >> 8)) & 0x00ff00ff00ff00ffu;
	value = (value * 100 + (value >> 16)) & 0x0000ffff0000ffffu;
	return (value * 10000 + (value >> 32)) & 0xffffffffu;
}

/* Append the digits at p to *digits, modulo 2^64; returns what follows them. A full word is told
 * from others by a branch, so that the processor need not wait for the number of its digits. */
static inline const char *take_digits(const char *p, const char *end, uint64_t *digits)
{
	while (end - p >= WORD) {
		uint64_t word;
		unsigned n;

		memcpy(&word, p, sizeof(word));
		n = count_digits(word);
		word ^= BYTES('0');
		if (n < WORD) {
			/* as if zeros came before them; by halves, because 64 bits are too many */
			word = word << 4 * (WORD - n) << 4 * (WORD - n);
			*digits = *digits * small_powers[n] + join_digits(word);
			return p + n;
		}
		*digits = *digits * small_powers[WORD] + join_digits(word);
		p += WORD;
	}
	for (; is_digit(*p); p++)
		*digits = *digits * 10 + (uint64_t)(*p - '0');
	return p;
}

/* The exponent after "e"; NULL if there is no digit, *at is the place then. */
static const char *take_exponent(const char *p, int64_t *exponent, const char **at)
{
	bool negative = *p == '-';
	int64_t value = 0;

	if (*p == '-' || *p == '+')
		p++;
	*at = p;
	if (!is_digit(*p))
		return NULL;
	for (; is_digit(*p); p++) {
		if (value < EXPONENT_MAX)
			value = value * 10 + (*p - '0');
	}
	*exponent += negative ? -value : value;
	return p;
}

/* More digits than 64 bits hold: the first 19 that count, and where the point stands. */
static void keep_first_digits(struct decimal *d, const char *digits_end, int64_t exponent)
{
	const char *p = d->text + d->negative;
	int n = 0;
	bool after_point = false;

	d->digits = 0;
	for (; p < digits_end; p++) {
		if (*p == '.') {
			after_point = true;
			continue;
		}
		if (n == MAX_DIGITS) {
			exponent += !after_point;
			continue;
		}
		d->digits = d->digits * 10 + (uint64_t)(*p - '0');
		n += d->digits != 0;
		exponent -= after_point;
	}
	d->exponent = exponent;
}

static enum decimal_fault fault_at(struct decimal *d, const char *at, enum decimal_fault fault)
{
	d->end = at;
	return fault;
}

static inline enum decimal_fault scan(const char *text, const char *end, struct decimal *d)
{
	const char *p = text + (*text == '-');
	const char *first = p + (*p == '0'), *digits_end;
	uint64_t digits = 0;
	int64_t fraction = 0, exponent = 0;

	d->text = text;
	d->negative = *text == '-';
	if (!is_digit(*p))
		return fault_at(d, p, DECIMAL_NO_DIGIT);
	if (*p == '0' && is_digit(p[1]))
		return fault_at(d, p, DECIMAL_LEADING_ZERO);
	p = *p == '0' ? p + 1 : take_digits(p, end, &digits);
	if (*p == '.') {
		const char *point = ++p;

		p = take_digits(p, end, &digits);
		fraction = p - point;
		if (fraction == 0)
			return fault_at(d, p, DECIMAL_NO_DIGIT);
	}
	digits_end = p;
	if ((*p | 0x20) == 'e') {
		const char *at;

		p = take_exponent(p + 1, &exponent, &at);
		if (p == NULL)
			return fault_at(d, at, DECIMAL_NO_DIGIT);
	}
	d->integer = p == digits_end && fraction == 0;
	d->end = p;
	d->digits = digits;
	d->exponent = exponent - fraction;
	if (digits_end - first - (fraction > 0) > MAX_DIGITS)
		keep_first_digits(d, digits_end, exponent);
	return DECIMAL_OK;
}

enum decimal_fault decimal_scan(const char *text, const char *end, struct decimal *out)
{
	return scan(text, end, out);
}

bool decimal_double(const struct decimal *d, double *out)
{
	double x = (double)d->digits;

	if (d->digits > EXACT_INTEGER_MAX ||
	    (d->digits != 0 && (d->exponent < -EXACT_POWER_MAX || d->exponent > EXACT_POWER_MAX))) {
		*out = strtod(d->text, NULL);
		return isfinite(*out);
	}
	if (d->digits != 0 && d->exponent < 0)
		x /= powers[-d->exponent - POWER_MIN];
	else if (d->digits != 0)
		x *= powers[d->exponent - POWER_MIN];
	*out = d->negative ? -x : x;
	return true;
}

/* Is x far enough from the middle of two floats, and within the normal ones? */
static bool rounds_safely(double x)
{
	uint64_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return (bits & REST_MASK) - (REST_MIDDLE - REST_MARGIN) > 2 * REST_MARGIN &&
	       x >= (double)FLT_MIN && x <= (double)FLT_MAX;
}

static inline bool to_float(const struct decimal *d, float *out)
{
	if (d->digits == 0) {
		*out = d->negative ? -0.0f : 0.0f;
		return true;
	}
	if (d->exponent >= POWER_MIN && d->exponent <= POWER_MAX) {
		double x = (double)d->digits * powers[d->exponent - POWER_MIN];

		if (rounds_safely(x)) {
			*out = (float)(signs[d->negative] * x);
			return true;
		}
	}
	*out = strtof(d->text, NULL);
	return isfinite(*out);
}

bool decimal_float(const struct decimal *d, float *out)
{
	return to_float(d, out);
}

static const char *skip_space(const char *p)
{
	while (decimal_is_space(*p))
		p++;
	return p;
}

#if defined(__x86_64__)

#define WIDE	      16 /* characters in a register */
#define NONE	      0x80
#define EIGHT_OF_NONE NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE

/* Where the digits of "d.ddd" and "-d.ddd" are, from byte n on for n digits: at the end, the point
 * left out and zeros before them. */
static const unsigned char wide_places[2][2 * WIDE] = {
    {EIGHT_OF_NONE, EIGHT_OF_NONE, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, NONE},
    {EIGHT_OF_NONE, EIGHT_OF_NONE, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, NONE, NONE},
};

/* The number that the digits at the places make: pairs, fours, eights, all. */
__attribute__((target("sse4.1"))) static inline uint64_t join_wide(__m128i value,
								   const unsigned char *places)
{
	const __m128i digits = _mm_shuffle_epi8(value, _mm_loadu_si128((const __m128i *)places));
	const __m128i pairs = _mm_maddubs_epi16(digits, _mm_set1_epi16(1 << 8 | 10));
	const __m128i fours = _mm_madd_epi16(pairs, _mm_set1_epi32(1 << 16 | 100));
	const __m128i eights =
	    _mm_madd_epi16(_mm_packus_epi32(fours, fours), _mm_set1_epi32(1 << 16 | 10000));
	const uint64_t halves = (uint64_t)_mm_cvtsi128_si64(eights);

	return (halves & 0xffffffffu) * small_powers[WORD] + (halves >> 32);
}

/* "d.ddd" or "-d.ddd" and a comma; false: it is anything else. Where it ends is known as soon as
 * can be, because the next number has to wait for that. */
__attribute__((target("sse4.1"))) static inline bool scan_wide(const char *text, struct decimal *d)
{
	const __m128i value =
	    _mm_sub_epi8(_mm_loadu_si128((const __m128i *)text), _mm_set1_epi8('0'));
	const __m128i is_digit_there = _mm_cmpeq_epi8(_mm_min_epu8(value, _mm_set1_epi8(9)), value);
	const unsigned others = ~(unsigned)_mm_movemask_epi8(is_digit_there);
	const unsigned negative = *text == '-';
	const unsigned begin = 2 + negative; /* of the digits after the point */
	const unsigned end = (unsigned)__builtin_ctz(others & ~0u << begin);

	if ((others >> negative & 3) != 2 || text[1 + negative] != '.' || text[end] != ',' ||
	    end == begin)
		return false;
	*d = (struct decimal){
	    .text = text,
	    .end = text + end,
	    .digits = join_wide(value, wide_places[negative] + 1 + (end - begin)),
	    .exponent = -(int64_t)(end - begin),
	    .negative = negative,
	};
	return true;
}

/* As to_float(), for digits that a signed integer holds, whose conversion is one instruction. */
static inline bool wide_to_float(const struct decimal *d, float *out)
{
	double x = (double)(int64_t)d->digits * powers[d->exponent - POWER_MIN];

	if (!rounds_safely(x))
		return to_float(d, out);
	*out = (float)(signs[d->negative] * x);
	return true;
}

__attribute__((target("sse4.1"))) static size_t
read_sse41(const char **p_io, const char **text_io, const char *end, float *out, size_t capacity)
{
	const char *p = *p_io;
	struct decimal d;
	size_t n = 0;

	while (n < capacity && end - p > WIDE && scan_wide(p, &d) && wide_to_float(&d, &out[n])) {
		n++;
		*text_io = d.end;
		p = d.end + 1;
		if (*p == ' ')
			p++;
	}
	*p_io = p;
	return n;
}

#endif

/* As many numbers as are like that, none if the processor cannot; *p_io is then the next one, and
 * *text_io the comma before it. */
static size_t read_wide(const char **p_io, const char **text_io, const char *end, float *out,
			size_t capacity)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.1"))
		return read_sse41(p_io, text_io, end, out, capacity);
#endif
	(void)p_io;
	(void)text_io;
	(void)end;
	(void)out;
	(void)capacity;
	return 0;
}

size_t decimal_read_floats(const char **text_io, const char *end, float *out, size_t capacity)
{
	const char *p = *text_io;
	struct decimal d;
	size_t n = 0;

	for (;;) {
		n += read_wide(&p, text_io, end, out + n, capacity - n);
		if (n > 0)
			p = skip_space(p);
		if (n == capacity || scan(p, end, &d) != DECIMAL_OK || !to_float(&d, &out[n]))
			break;
		n++;
		p = skip_space(d.end);
		*text_io = p;
		if (*p != ',')
			break;
		p = skip_space(p + 1);
	}
	return n;
}
