/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decimal.h - JSON's numbers, from text to float and double, each correctly rounded: what
 * strtof() and strtod() give, several times as fast.
 *
 * A text is [text, end) with a NUL at end; a program that calls setlocale() would break it.
 */
#ifndef MICRO_JSON_DECIMAL_H
#define MICRO_JSON_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum decimal_fault {
	DECIMAL_OK,
	DECIMAL_NO_DIGIT,     /* where one must be */
	DECIMAL_LEADING_ZERO, /* such as 01 */
};

/* value = (-1)^negative * digits * 10^exponent, but for digits that were dropped */
struct decimal {
	const char *text;
	const char *end;  /* what follows the number; of a fault, where it is */
	uint64_t digits;  /* the first 19 from the first that is not 0 */
	int64_t exponent; /* of ten; beyond any number's range it may be cut */
	bool negative;
	bool integer; /* no point, no exponent */
};

/** decimal_scan(text, end, out): read the number at text by JSON's grammar. */
enum decimal_fault decimal_scan(const char *text, const char *end, struct decimal *out);

/** decimal_double(d, out): false if it overflows a double. */
bool decimal_double(const struct decimal *d, double *out);

/** decimal_float(d, out): false if it overflows a float. */
bool decimal_float(const struct decimal *d, float *out);

/**
 * decimal_read_floats(text_io, end, out, capacity): "number , number , ...", with spaces
 * between, as long as they are numbers that fit a float and there is room; returns how many.
 * *text_io is then what follows the last of them, spaces skipped: a comma if the next is no
 * such number or had no room.
 */
size_t decimal_read_floats(const char **text_io, const char *end, float *out, size_t capacity);

/** decimal_is_space(c): one of JSON's four. */
static inline bool decimal_is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

#endif
