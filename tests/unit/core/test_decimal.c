/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/json/decimal.h"
#include "tests/unit/unit.h"

#define N_RANDOM 60000

static void must_scan(const char *text, struct decimal *d)
{
	const char *end = text + strlen(text);

	ck_assert_msg(decimal_scan(text, end, d) == DECIMAL_OK, "%s", text);
	ck_assert_msg(d->end == end, "%s: %td characters read", text, d->end - text);
}

/* Bit for bit what the C library says, overflow included. */
static void assert_as_library(const char *text)
{
	float f = 0, want_f = strtof(text, NULL);
	double x = 0, want_x = strtod(text, NULL);
	struct decimal d;
	bool fits;

	must_scan(text, &d);
	fits = decimal_float(&d, &f);
	ck_assert_msg(fits == (bool)isfinite(want_f), "%s as float", text);
	ck_assert_msg(!fits || memcmp(&f, &want_f, sizeof(f)) == 0, "%s: %a, want %a", text,
		      (double)f, (double)want_f);
	fits = decimal_double(&d, &x);
	ck_assert_msg(fits == (bool)isfinite(want_x), "%s as double", text);
	ck_assert_msg(!fits || memcmp(&x, &want_x, sizeof(x)) == 0, "%s: %a, want %a", text, x,
		      want_x);
}

START_TEST(hard_numbers_are_rounded_like_the_library)
{
	static const char *const texts[] = {
	    "0",
	    "-0",
	    "-0.0e99999999999999999999",
	    "0e-5",
	    "0.1",
	    "-2.5",
	    "16777217",		      /* middle of two floats: to even */
	    "16777219",		      /* the same, upwards */
	    "16777217.0000000000001", /* just above the middle, beyond the 19th digit */
	    "16777216.9999999999999",
	    "1.00000005960464477539062500000000000000000000000000000000000001",
	    "1.000000059604644775390625",
	    "1.00000005960464477539062499999999999999999999999999999999999999",
	    "9007199254740993",
	    "1e22",
	    "1e23",
	    "123456789012345678901234567890",
	    "0.000000000000000000000000000000000000000000012345678901234567890123",
	    "3.4028234663852886e38",
	    "3.40282356779733661637539395458142568447e38", /* rounds to the largest float */
	    "3.4028235677973366163753939545814256845e38",  /* overflows a float */
	    "1e39",
	    "-1.7976931348623157e308",
	    "1.7976931348623159e308",
	    "1e400",
	    "1e99999999999999999999999",
	    "1e-99999999999999999999999",
	    "1.17549435e-38",
	    "1.1754943508222874e-38", /* the smallest normal float, less a bit */
	    "1.401298464324817e-45",
	    "7.006492321624085354e-46", /* half the smallest float */
	    "7.006492321624086e-46",
	    "4.9406564584124654e-324",
	    "2.4703282292062327e-324",
	    "1E+2",
	    "1e-02",
	};

	for (size_t i = 0; i < LENGTH(texts); i++)
		assert_as_library(texts[i]);
}
END_TEST

START_TEST(number_of_a_million_digits_is_read)
{
	static char text[1000100];

	memset(text, '0', 1000000);
	text[1] = '.';
	strcpy(text + 1000000, "25e999999");
	assert_as_library(text);
	memset(text, '7', 1000000);
	strcpy(text + 1000000, "e-999990");
	assert_as_library(text);
}
END_TEST

/* Digits and exponents of all lengths; middles of two floats, and what is close to them. */
START_TEST(random_numbers_are_rounded_like_the_library)
{
	struct rng rng;
	char text[160];

	rng_init(&rng, 1);
	for (size_t i = 0; i < N_RANDOM; i++) {
		uint64_t bits = rng_next(&rng), more = rng_next(&rng);
		uint32_t half = (uint32_t)(bits % 0x7f7fffffu);
		float f, next;

		memcpy(&f, &half, sizeof(f));
		next = nextafterf(f, INFINITY);
		switch (i % 4) {
		case 0:
			snprintf(text, sizeof(text), "%.*g", 1 + (int)(more % 20), (double)f);
			break;
		case 1:
			snprintf(text, sizeof(text), "-%.*g", 8 + (int)(more % 60),
				 ((double)f + (double)next) / 2);
			break;
		case 2:
			snprintf(text, sizeof(text), "%llu.%llue%d",
				 (unsigned long long)(bits >> more % 64),
				 (unsigned long long)(more >> bits % 64), (int)(bits % 120) - 70);
			break;
		default:
			snprintf(text, sizeof(text), "-0.%0*llu", 1 + (int)(more % 30),
				 (unsigned long long)(bits >> more % 64));
			break;
		}
		assert_as_library(text);
	}
}
END_TEST

START_TEST(what_is_no_number_is_refused_at_its_place)
{
	static const struct {
		const char *text;
		enum decimal_fault fault;
		size_t at;
	} cases[] = {
	    {"", DECIMAL_NO_DIGIT, 0},	     {"-", DECIMAL_NO_DIGIT, 1},
	    {"-a", DECIMAL_NO_DIGIT, 1},     {"+1", DECIMAL_NO_DIGIT, 0},
	    {".5", DECIMAL_NO_DIGIT, 0},     {"1.", DECIMAL_NO_DIGIT, 2},
	    {"1.e5", DECIMAL_NO_DIGIT, 2},   {"1e", DECIMAL_NO_DIGIT, 2},
	    {"1e+", DECIMAL_NO_DIGIT, 3},    {"12345678.5E-x", DECIMAL_NO_DIGIT, 12},
	    {"01", DECIMAL_LEADING_ZERO, 0}, {"-00", DECIMAL_LEADING_ZERO, 1},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		const char *text = cases[i].text;
		struct decimal d;

		ck_assert_msg(decimal_scan(text, text + strlen(text), &d) == cases[i].fault, "%s",
			      text);
		ck_assert_msg(d.end == text + cases[i].at, "%s: at %td", text, d.end - text);
	}
}
END_TEST

START_TEST(number_ends_where_its_grammar_ends)
{
	static const char *const texts[] = {"0x10", "1.5f", "12]", "0,5", "1e5.", "3 "};
	static const size_t ends[] = {1, 3, 2, 1, 3, 1};

	for (size_t i = 0; i < LENGTH(texts); i++) {
		struct decimal d;

		ck_assert_int_eq(decimal_scan(texts[i], texts[i] + strlen(texts[i]), &d),
				 DECIMAL_OK);
		ck_assert_msg(d.end == texts[i] + ends[i], "%s", texts[i]);
	}
}
END_TEST

static size_t read_floats(const char *text, float *out, size_t capacity, const char **rest_out)
{
	*rest_out = text;
	return decimal_read_floats(rest_out, text + strlen(text), out, capacity);
}

START_TEST(floats_are_read_as_long_as_they_are_some)
{
	const char *rest;
	float x[4];

	ck_assert_uint_eq(read_floats("1 ,\n2.5,\t-3e1 ]", x, 4, &rest), 3);
	ck_assert_str_eq(rest, "]");
	ck_assert_float_eq(x[0], 1);
	ck_assert_float_eq(x[1], 2.5f);
	ck_assert_float_eq(x[2], -30);
	ck_assert_uint_eq(read_floats("1,2,3,4,5", x, 4, &rest), 4);
	ck_assert_str_eq(rest, ",5");
	ck_assert_uint_eq(read_floats("1, ]", x, 4, &rest), 1);
	ck_assert_str_eq(rest, ", ]");
	ck_assert_uint_eq(read_floats("1,1e39,2", x, 4, &rest), 1);
	ck_assert_str_eq(rest, ",1e39,2");
	ck_assert_uint_eq(read_floats("null", x, 4, &rest), 0);
	ck_assert_str_eq(rest, "null");
}
END_TEST

/* One number after the other, by decimal_scan() and decimal_float(). */
static size_t read_singly(const char *text, float *out, size_t capacity, const char **rest_out)
{
	const char *end = text + strlen(text), *p = text;
	struct decimal d;
	size_t n = 0;

	*rest_out = text;
	while (n < capacity && decimal_scan(p, end, &d) == DECIMAL_OK &&
	       decimal_float(&d, &out[n])) {
		n++;
		for (p = d.end; decimal_is_space(*p);)
			p++;
		*rest_out = p;
		if (*p != ',')
			break;
		for (p++; decimal_is_space(*p);)
			p++;
	}
	return n;
}

/* Mostly what embeddings are made of, in between all that is nearly so, and what is none. */
static void add_number(struct rng *rng, char *text)
{
	static const char *const others[] = {
	    "0",
	    "-0",
	    "-0.0",
	    "1e5",
	    "-1.5E-3",
	    "12.5",
	    "1.",
	    "01.5",
	    "-.5",
	    "1.5.5",
	    "9.9999999999999",
	    "9.99999999999999",
	    "1e39",
	    "- 1.5",
	    "1.5e",
	    "-1.5",
	    "0.000000001",
	    "0.5x",
	    "1.123456789012345",
	    "1.0000001",
	    "",
	};
	double x = rng_normal(rng);

	if (rng_below(rng, 20) == 0)
		strcat(text, others[rng_below(rng, LENGTH(others))]);
	else
		sprintf(text + strlen(text), "%.*f", (int)rng_below(rng, 17), x);
}

START_TEST(floats_of_arrays_are_those_of_single_numbers)
{
	static const char *const separators[] = {", ", ", ", ", ", ",", " , ", ",  ", "\n,", ",\t"};
	struct rng rng;

	rng_init(&rng, 23);
	for (size_t trial = 0; trial < N_RANDOM; trial++) {
		size_t n = rng_below(&rng, 12), capacity = rng_below(&rng, 14), n_got;
		char text[1000] = "";
		const char *rest, *want_rest;
		float got[14] = {0}, want[14] = {0};

		if (rng_below(&rng, 50) == 0)
			strcat(text, " ");
		for (size_t i = 0; i < n; i++) {
			add_number(&rng, text);
			strcat(text, i + 1 < n || trial % 7 == 0
					 ? separators[rng_below(&rng, LENGTH(separators))]
					 : "");
		}
		strcat(text, trial % 2 ? "]" : "");
		n_got = read_floats(text, got, capacity, &rest);
		ck_assert_msg(n_got == read_singly(text, want, capacity, &want_rest), "%s: %zu",
			      text, n_got);
		ck_assert_msg(rest == want_rest, "%s: rest %s, want %s", text, rest, want_rest);
		ck_assert_msg(memcmp(got, want, n_got * sizeof(*got)) == 0, "%s", text);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decimal");
	TCase *tcase = tcase_create("decimal");

	tcase_add_test(tcase, hard_numbers_are_rounded_like_the_library);
	tcase_add_test(tcase, number_of_a_million_digits_is_read);
	tcase_add_test(tcase, random_numbers_are_rounded_like_the_library);
	tcase_add_test(tcase, what_is_no_number_is_refused_at_its_place);
	tcase_add_test(tcase, number_ends_where_its_grammar_ends);
	tcase_add_test(tcase, floats_are_read_as_long_as_they_are_some);
	tcase_add_test(tcase, floats_of_arrays_are_those_of_single_numbers);
	tcase_set_timeout(tcase, 240);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
