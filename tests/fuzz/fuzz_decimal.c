/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_decimal.c - any bytes as numbers between commas: what is read is bit for bit what the C
 * library makes of each token, by either way of reading, and it ends where JSON's grammar does.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/json/decimal.h"
#include "tests/fuzz/fuzz.h"

#define CAPACITY 7

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

/* Bit for bit, or both overflow; *out is infinite if a float does. */
static void check_number(const struct decimal *d, float *out)
{
	size_t len = (size_t)(d->end - d->text);
	char *token = mem_string(d->text, len);
	float f = 0, want_f;
	double x = 0, want_x;
	bool fits;

	require(token != NULL, "no memory");
	want_f = strtof(token, NULL);
	want_x = strtod(token, NULL);
	fits = decimal_float(d, &f);
	require(fits == (bool)isfinite(want_f), "float: overflow");
	require(!fits || memcmp(&f, &want_f, sizeof(f)) == 0, "float");
	*out = fits ? f : INFINITY;
	fits = decimal_double(d, &x);
	require(fits == (bool)isfinite(want_x), "double: overflow");
	require(!fits || memcmp(&x, &want_x, sizeof(x)) == 0, "double");
	require(d->integer == (strspn(token, "-0123456789") == len), "integer");
	mem_free(token);
}

static const char *skip_space(const char *p)
{
	while (decimal_is_space(*p))
		p++;
	return p;
}

/* The same as decimal_read_floats(), number by number. */
static size_t read_one_by_one(const char **p, const char *end, float *out)
{
	const char *next = *p;
	size_t n = 0;

	while (n < CAPACITY) {
		struct decimal d;

		if (decimal_scan(next, end, &d) != DECIMAL_OK) {
			require(d.end >= next && d.end <= end, "a fault outside");
			break;
		}
		require(d.end > next && d.end <= end, "an end outside");
		check_number(&d, &out[n]);
		if (isinf(out[n]))
			break;
		n++;
		*p = skip_space(d.end);
		if (**p != ',')
			break;
		next = skip_space(*p + 1);
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_string((const char *)data, size);
	float x[CAPACITY], want[CAPACITY];
	const char *fast, *slow;
	size_t n;

	require(text != NULL, "no memory");
	fast = slow = text;
	n = decimal_read_floats(&fast, text + size, x, CAPACITY);
	require(n == read_one_by_one(&slow, text + size, want), "counts differ");
	require(fast == slow, "ends differ");
	require(memcmp(x, want, n * sizeof(*x)) == 0, "numbers differ");
	mem_free(text);
	return 0;
}
