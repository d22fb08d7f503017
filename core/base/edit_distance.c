/* SPDX-License-Identifier: Apache-2.0 */
/* Wagner and Fischer, "The string-to-string correction problem", JACM 1974; one row at a time. */
#include "core/base/edit_distance.h"

#include <string.h>

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

size_t edit_distance(const char *a, const char *b)
{
	size_t n_a = strnlen(a, EDIT_DISTANCE_MAX), n_b = strnlen(b, EDIT_DISTANCE_MAX);
	size_t row[EDIT_DISTANCE_MAX + 1]; /* distances from a[0..i) to each b[0..j) */

	for (size_t j = 0; j <= n_b; j++)
		row[j] = j;
	for (size_t i = 1; i <= n_a; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n_b; j++) {
			size_t replaced = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = least(row[j] + 1, row[j - 1] + 1, replaced);
		}
	}
	return row[n_b];
}
