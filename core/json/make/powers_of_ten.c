/* SPDX-License-Identifier: Apache-2.0 */
/*
 * powers_of_ten.c - writes the table that numeral.c needs, when the project is built:
 *
 *   powers_of_ten FILE
 *
 * For each power 10^n that a double can need, the integer g of 128 bits, the first of them 1,
 * with g - 1 < 10^n 2^-e <= g; e = floor(log2(10^n)) - 127. By exact integer arithmetic.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define POWER_MIN (-292)
#define POWER_MAX 324
#define N_WORDS	  36 /* 1152 bits: 10^324 has 1077 */
#define N_BITS	  128

/* A natural number, the lowest word first. */
struct natural {
	uint32_t word[N_WORDS];
};

static void multiply(struct natural *x, uint32_t factor)
{
	uint64_t carry = 0;

	for (int i = 0; i < N_WORDS; i++) {
		carry += (uint64_t)x->word[i] * factor;
		x->word[i] = (uint32_t)carry;
		carry >>= 32;
	}
}

static int compare(const struct natural *x, const struct natural *y)
{
	for (int i = N_WORDS - 1; i >= 0; i--) {
		if (x->word[i] != y->word[i])
			return x->word[i] < y->word[i] ? -1 : 1;
	}
	return 0;
}

/* x -= y, which is not more. */
static void subtract(struct natural *x, const struct natural *y)
{
	uint64_t borrow = 0;

	for (int i = 0; i < N_WORDS; i++) {
		uint64_t difference = (uint64_t)x->word[i] - y->word[i] - borrow;

		x->word[i] = (uint32_t)difference;
		borrow = difference >> 63;
	}
}

static int bit(const struct natural *x, int i)
{
	return i < 0 ? 0 : (int)(x->word[i / 32] >> i % 32 & 1);
}

static int bit_length(const struct natural *x)
{
	int n = 32 * N_WORDS;

	while (n > 0 && bit(x, n - 1) == 0)
		n--;
	return n;
}

static struct natural power_of_ten(int n)
{
	struct natural x = {{1}};

	for (int i = 0; i < n; i++)
		multiply(&x, 10);
	return x;
}

static void append_bit(uint64_t g[2], int b)
{
	g[0] = g[0] << 1 | g[1] >> 63;
	g[1] = g[1] << 1 | (uint64_t)b;
}

static void add_one(uint64_t g[2])
{
	if (++g[1] == 0)
		g[0]++;
}

/* g of 10^n, n >= 0: its first bits, rounded up. */
static void first_bits(int n, uint64_t g[2])
{
	struct natural x = power_of_ten(n);
	int length = bit_length(&x), more = 0;

	for (int i = 1; i <= N_BITS; i++)
		append_bit(g, bit(&x, length - i));
	for (int i = length - N_BITS - 1; i >= 0; i--)
		more |= bit(&x, i);
	if (more)
		add_one(g);
}

/* g of 10^-n, n > 0: the first bits of a long division, rounded up. */
static void quotient_bits(int n, uint64_t g[2])
{
	struct natural divisor = power_of_ten(n), rest = {{0}};
	int top = bit_length(&divisor) - 1;

	rest.word[top / 32] = UINT32_C(1) << top % 32;
	for (int i = 0; i < N_BITS; i++) {
		int b;

		multiply(&rest, 2);
		b = compare(&rest, &divisor) >= 0;
		if (b)
			subtract(&rest, &divisor);
		append_bit(g, b);
	}
	add_one(g);
}

int main(int argc, char **argv)
{
	FILE *out = argc == 2 ? fopen(argv[1], "w") : NULL;

	if (out == NULL) {
		fprintf(stderr, "usage: powers_of_ten FILE\n");
		return 2;
	}
	fprintf(out,
		"/* made by core/json/make/powers_of_ten.c */\n#define POWER_MIN (%d)\n\n"
		"static const uint64_t powers[][2] = {\n",
		POWER_MIN);
	for (int n = POWER_MIN; n <= POWER_MAX; n++) {
		uint64_t g[2] = {0, 0};

		if (n < 0)
			quotient_bits(-n, g);
		else
			first_bits(n, g);
		fprintf(out, "\t{0x%016llx, 0x%016llx}, /* %d */\n", (unsigned long long)g[0],
			(unsigned long long)g[1], n);
	}
	fprintf(out, "};\n");
	return fclose(out) == 0 ? 0 : 1;
}
