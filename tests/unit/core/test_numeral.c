/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_numeral.c - the reference is the C library: "%.*e" with n digits is the closest decimal of
 * n digits, so the fewest that read back are found by trying.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/json/numeral.h"
#include "tests/unit/unit.h"

#define N_RANDOM 30000

static const char *write_double(double x)
{
	static char text[NUMERAL_MAX + 1];
	size_t n = numeral_double(x, text);

	ck_assert_uint_le(n, NUMERAL_MAX);
	text[n] = '\0';
	return text;
}

/* The significant digits of text, without zeros at either end; returns how many. */
static int significant(const char *text, char digits_out[64])
{
	int n = 0;

	for (; *text != '\0' && *text != 'e'; text++) {
		if (*text >= '0' && *text <= '9' && (n > 0 || *text != '0'))
			digits_out[n++] = *text;
	}
	while (n > 0 && digits_out[n - 1] == '0')
		n--;
	digits_out[n] = '\0';
	return n;
}

/* Reads back to the same bits, has no digit too many, and is the closest of its length. */
static void assert_shortest(double x)
{
	char text[64], got[64], want[64];
	const char *numeral = write_double(x);
	double back = strtod(numeral, NULL);
	int n = significant(numeral, got);

	ck_assert_msg(memcmp(&back, &x, sizeof(x)) == 0, "%a became %s", x, numeral);
	if (x == 0)
		return;
	snprintf(text, sizeof(text), "%.*e", n - 1, x);
	significant(text, want);
	/* beside a power of two the closest may be one that does not read back */
	if (strtod(text, NULL) == x)
		ck_assert_msg(strcmp(got, want) == 0, "%a: %s, the closest is %s", x, numeral,
			      text);
	if (n == 1)
		return;
	snprintf(text, sizeof(text), "%.*e", n - 2, x);
	ck_assert_msg(strtod(text, NULL) != x, "%a: %s, shorter is %s", x, numeral, text);
}

START_TEST(number_has_the_form_of_json)
{
	static const struct {
		double x;
		const char *want;
	} cases[] = {
	    {0, "0"},
	    {-0.0, "-0"},
	    {7, "7"},
	    {-1200, "-1200"},
	    {0.1, "0.1"},
	    {0.25, "0.25"},
	    {12.5, "12.5"},
	    {0.1 + 0.2, "0.30000000000000004"},
	    {123456.789, "123456.789"},
	    {1e-5, "0.00001"},
	    {1.5e-5, "0.000015"},
	    {9.5e-6, "9.5e-06"},
	    {1e-100, "1e-100"},
	    {9007199254740991, "9007199254740991"},
	    {9007199254740992, "9007199254740992"},
	    {1e16, "10000000000000000"},
	    {12345678901234568, "12345678901234568"},
	    {1e17, "1e+17"},
	    {1.25e300, "1.25e+300"},
	    {DBL_MIN, "2.2250738585072014e-308"},
	    {5e-324, "5e-324"},
	    {-DBL_MAX, "-1.7976931348623157e+308"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++)
		ck_assert_str_eq(write_double(cases[i].x), cases[i].want);
}
END_TEST

START_TEST(integer_is_written)
{
	static const struct {
		uint64_t x;
		const char *want;
	} cases[] = {{0, "0"},
		     {9, "9"},
		     {10, "10"},
		     {1234567890, "1234567890"},
		     {UINT64_MAX, "18446744073709551615"}};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		char text[NUMERAL_MAX];
		size_t n = numeral_uint(cases[i].x, text);

		ck_assert_uint_eq(n, strlen(cases[i].want));
		ck_assert_mem_eq(text, cases[i].want, n);
	}
}
END_TEST

START_TEST(powers_of_two_and_their_neighbours_are_shortest)
{
	for (int e = -1074; e < 1024; e++) {
		double x = ldexp(1, e);

		assert_shortest(x);
		assert_shortest(nextafter(x, 0));
		assert_shortest(nextafter(x, DBL_MAX));
		assert_shortest(-(x / 4 * 3));
	}
}
END_TEST

START_TEST(short_decimals_and_their_neighbours_are_shortest)
{
	for (int e = -323; e <= 307; e++) {
		for (int m = 1; m < 100; m += 14) {
			char text[32];
			double x;

			snprintf(text, sizeof(text), "%de%d", m, e);
			x = fmin(strtod(text, NULL), DBL_MAX);
			assert_shortest(x);
			assert_shortest(nextafter(x, 0));
			assert_shortest(nextafter(x, DBL_MAX));
		}
	}
}
END_TEST

START_TEST(random_numbers_are_shortest)
{
	struct rng rng;

	rng_init(&rng, 1);
	for (int i = 0; i < N_RANDOM; i++) {
		uint64_t bits = rng_next(&rng);
		double x;

		memcpy(&x, &bits, sizeof(x));
		if (isfinite(x))
			assert_shortest(x);
		assert_shortest(rng_uniform(&rng) - 0.5);
		assert_shortest((double)(float)rng_uniform(&rng));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("numeral");
	TCase *tcase = tcase_create("numeral");

	tcase_add_test(tcase, number_has_the_form_of_json);
	tcase_add_test(tcase, integer_is_written);
	tcase_add_test(tcase, powers_of_two_and_their_neighbours_are_shortest);
	tcase_add_test(tcase, short_decimals_and_their_neighbours_are_shortest);
	tcase_add_test(tcase, random_numbers_are_shortest);
	tcase_set_timeout(tcase, 240);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
