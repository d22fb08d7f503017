/* SPDX-License-Identifier: Apache-2.0 */
/* numeral.h - numbers into JSON's text: the shortest that reads back as the same number. */
#ifndef MICRO_JSON_NUMERAL_H
#define MICRO_JSON_NUMERAL_H

#include <stddef.h>
#include <stdint.h>

#define NUMERAL_MAX 32 /* bytes of any */

/** numeral_uint(x, out): decimal digits into out [NUMERAL_MAX]; returns how many. No NUL. */
size_t numeral_uint(uint64_t x, char *out);

/**
 * numeral_double(x, out): of all decimals that strtod() makes x of, one of the fewest digits,
 * and of those the closest to x, into out [NUMERAL_MAX]; returns how many bytes. No NUL. With
 * an exponent below 1e-5 and from 1e17 on. x is finite.
 */
size_t numeral_double(double x, char *out);

#endif
