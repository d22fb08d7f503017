/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raffaello Giulietti, "The Schubfach way to render doubles" (2020): of the decimals with the
 * exponent k for which exactly one or two of them fall into the interval that rounds to x, take
 * the closest, unless a multiple of ten is within. One multiplication by a power of ten with 128
 * bits says where the interval's ends and x are, as multiples of 10^k / 4.
 */
#include "core/json/numeral.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "generated/powers_of_ten.h"

static_assert(FLT_RADIX == 2 && DBL_MANT_DIG == 53, "IEEE 754");
/* cppcheck-suppress shiftNegativeLHS ; this says that the compiler does it as we want */
static_assert(-1 >> 1 == -1, "shifts to the right keep the sign");

#define FRACTION_BITS 52
#define FRACTION_MASK ((UINT64_C(1) << FRACTION_BITS) - 1)
#define EXPONENT_MASK 0x7ffu
#define EXPONENT_MIN  (-1074)		 /* of a significand that is an integer */
#define EXACT_INTEGER 9007199254740992.0 /* 2^53: all integers below have their own digits */
#define FIXED_MIN     (-5)		 /* exponents that are written without one */
#define FIXED_MAX     16

/* x = digits * 10^exponent */
struct shortest {
	uint64_t digits;
	int exponent;
};

/* floor(log10(2^e)), floor(log10(3/4 2^e)), floor(log2(10^e)), for the exponents of doubles. */
static int floor_log10_pow2(int e)
{
	return (e * 1262611) >> 22;
}

static int floor_log10_three_quarters_pow2(int e)
{
	return (e * 1262611 - 524031) >> 22;
}

static int floor_log2_pow10(int e)
{
	return (e * 1741647) >> 19;
}

/* floor(g c 2^-128), its last bit set if that is not exact. g is too large by less than one, so
 * that an exact product may show a 1 below the point, and no other can. */
static uint64_t round_to_odd(const uint64_t g[2], uint64_t c)
{
	unsigned __int128 low = (unsigned __int128)g[1] * c;
	unsigned __int128 high = (unsigned __int128)g[0] * c + (uint64_t)(low >> 64);

	return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* Of s and s + 1, both times 4, the one in [low, high], or the closer to x. */
static uint64_t choose(uint64_t s, uint64_t low, uint64_t x, uint64_t high)
{
	bool down = low <= 4 * s, up = 4 * (s + 1) <= high;

	if (down != up)
		return down ? s : s + 1;
	/* x in quarters: above the middle, or in it and s odd */
	return x > 4 * s + 2 || (x == 4 * s + 2 && s % 2 == 1) ? s + 1 : s;
}

/* c 2^q, the significand c > 0 an integer of 53 bits or, with the least q, fewer. */
static struct shortest shorten(uint64_t c, int q)
{
	/* below a power of two the next double is only half as far away */
	bool narrow = c == UINT64_C(1) << FRACTION_BITS && q > EXPONENT_MIN;
	int k = narrow ? floor_log10_three_quarters_pow2(q) : floor_log10_pow2(q);
	int h = q + floor_log2_pow10(-k) + 1;
	const uint64_t *g = powers[-k - POWER_MIN];
	bool open = c % 2 == 1; /* the ends of the interval round to the even neighbours */
	uint64_t x = round_to_odd(g, (4 * c) << h);
	uint64_t low = round_to_odd(g, (4 * c - (narrow ? 1 : 2)) << h) + open;
	uint64_t high = round_to_odd(g, (4 * c + 2) << h) - open;
	uint64_t s = x / 4;

	if (s >= 10) {
		uint64_t tens = s / 10 * 10;
		bool down = low <= 4 * tens, up = 4 * (tens + 10) <= high;

		if (down != up)
			return (struct shortest){down ? tens : tens + 10, k};
	}
	return (struct shortest){choose(s, low, x, high), k};
}

static struct shortest drop_zeros(struct shortest x)
{
	while (x.digits % 10 == 0) {
		x.digits /= 10;
		x.exponent++;
	}
	return x;
}

/* Of a positive number. */
static struct shortest find_shortest(double x)
{
	uint64_t bits, fraction;
	int exponent;

	memcpy(&bits, &x, sizeof(bits));
	fraction = bits & FRACTION_MASK;
	exponent = (int)(bits >> FRACTION_BITS & EXPONENT_MASK);
	if (exponent == 0)
		return drop_zeros(shorten(fraction, EXPONENT_MIN));
	return drop_zeros(
	    shorten(fraction | UINT64_C(1) << FRACTION_BITS, exponent - 1 + EXPONENT_MIN));
}

static size_t count_digits(uint64_t x)
{
	size_t n = 1;

	for (; x >= 10000; x /= 10000)
		n += 4;
	return n + (x >= 10) + (x >= 100) + (x >= 1000);
}

/* Two digits at a time. */
size_t numeral_uint(uint64_t x, char *out)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930"
				    "31323334353637383940414243444546474849505152535455565758596061"
				    "62636465666768697071727374757677787980818283848586878889909192"
				    "93949596979899";
	size_t n = count_digits(x), end = n;

	for (; end >= 2; x /= 100)
		memcpy(out + (end -= 2), pairs + x % 100 * 2, 2);
	if (end == 1)
		out[0] = (char)('0' + x);
	return n;
}

/* The exponent of ten after "e", two digits at least as printf() has it. */
static size_t write_exponent(int exponent, char *out)
{
	unsigned n = (unsigned)(exponent < 0 ? -exponent : exponent);
	char *p = out;

	*p++ = 'e';
	*p++ = exponent < 0 ? '-' : '+';
	if (n < 10)
		*p++ = '0';
	return (size_t)(p - out) + numeral_uint(n, p);
}

/* digits [n] with the point after the first, or where it belongs. */
static size_t write_digits(const char *digits, int n, int exponent, char *out)
{
	int first = exponent + n - 1; /* exponent of the first digit */
	char *p = out;

	if (first < FIXED_MIN || first > FIXED_MAX) {
		*p++ = digits[0];
		if (n > 1) {
			*p++ = '.';
			memcpy(p, digits + 1, (size_t)n - 1);
			p += n - 1;
		}
		return (size_t)(p - out) + write_exponent(first, p);
	}
	if (first < 0) {
		memcpy(p, "0.0000", 6);
		p += 1 - first;
		memcpy(p, digits, (size_t)n);
		return (size_t)(p - out) + (size_t)n;
	}
	if (exponent >= 0) {
		memcpy(p, digits, (size_t)n);
		memset(p + n, '0', (size_t)exponent);
		return (size_t)n + (size_t)exponent;
	}
	memcpy(p, digits, (size_t)first + 1);
	p[first + 1] = '.';
	memcpy(p + first + 2, digits + first + 1, (size_t)(n - first - 1));
	return (size_t)n + 1;
}

size_t numeral_double(double x, char *out)
{
	char digits[NUMERAL_MAX] = {0};
	size_t sign = signbit(x) != 0;
	struct shortest shortest;

	assert(isfinite(x));
	out[0] = '-';
	x = fabs(x);
	if (x < EXACT_INTEGER && x == (double)(uint64_t)x)
		return sign + numeral_uint((uint64_t)x, out + sign);
	shortest = find_shortest(x);
	return sign + write_digits(digits, (int)numeral_uint(shortest.digits, digits),
				   shortest.exponent, out + sign);
}
