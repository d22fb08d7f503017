/* SPDX-License-Identifier: Apache-2.0 */
#include "server/percent.h"

#include <stdint.h>
#include <unistr.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One byte of an escaped text, advancing *at; -1 if it is a bad escape. */
static int next_byte(const char **at, bool plus_is_space)
{
	const char *s = *at;

	if (*s != '%') {
		*at = s + 1;
		return *s == '+' && plus_is_space ? ' ' : (unsigned char)*s;
	}
	int high = hex_digit(s[1]);
	int low = high < 0 ? -1 : hex_digit(s[2]);
	*at = s + 3;
	return low < 0 ? -1 : high * 16 + low;
}

enum status percent_decode(const char *escaped, bool plus_is_space, size_t max, char *out,
			   size_t *len_out, struct err *err)
{
	size_t len = 0;

	while (*escaped != '\0') {
		int byte = next_byte(&escaped, plus_is_space);

		if (byte < 0)
			return err_set(err, STATUS_MALFORMED,
				       "a %% without two hexadecimal digits after it");
		if (len == max)
			return err_set(err, STATUS_INVALID_VALUE, "more than %zu bytes", max);
		out[len++] = (char)byte;
	}
	out[len] = '\0';
	*len_out = len;
	if (u8_check((const uint8_t *)out, len) != NULL)
		return err_set(err, STATUS_MALFORMED, "not valid UTF-8");
	return STATUS_OK;
}
