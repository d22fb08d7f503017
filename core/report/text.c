/* SPDX-License-Identifier: Apache-2.0 */
#include "core/report/text.h"

#include <string.h>

#include <unigbrk.h>
#include <unistr.h>
#include <uniwidth.h>

#define REPLACEMENT 0xfffd
#define ELLIPSIS    "\u2026"

/* Unseen, and able to show the text that follows in another order. */
static bool reorders(ucs4_t c)
{
	return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* What stands for c on the page; XML has no place for the others. */
static ucs4_t shown(ucs4_t c)
{
	if (c == '\n')
		return 0x21b5;
	if (c < 0x20)
		return 0x2400 + c;
	if (c == 0x7f)
		return 0x2421;
	if ((c >= 0x80 && c < 0xa0) || (c & 0xfffe) == 0xfffe || reorders(c))
		return REPLACEMENT;
	return c;
}

static void print_one(FILE *out, ucs4_t c)
{
	uint8_t bytes[6];
	int len;

	switch (c) {
	case '&':
		fputs("&amp;", out);
		return;
	case '<':
		fputs("&lt;", out);
		return;
	case '>':
		fputs("&gt;", out);
		return;
	case '"':
		fputs("&quot;", out);
		return;
	case '\'':
		fputs("&#39;", out);
		return;
	default:
		len = u8_uctomb(bytes, c, sizeof(bytes));
		fwrite(bytes, 1, (size_t)len, out);
	}
}

static void print_bytes(FILE *out, const char *text, size_t len)
{
	const uint8_t *at = (const uint8_t *)text, *end = at + len;

	while (at < end) {
		ucs4_t c;

		at += u8_mbtouc(&c, at, (size_t)(end - at));
		print_one(out, shown(c));
	}
}

static bool is_one_of(ucs4_t c, const char *characters)
{
	return c < 0x80 && strchr(characters, (int)c) != NULL;
}

static double character_width(ucs4_t c)
{
	if (c >= 0x80) {
		int columns = uc_width(c, "UTF-8");

		return columns > 1 ? 1.1 : columns == 1 ? 0.66 : 0;
	}
	if (is_one_of(c, " ijl.,:;'|!"))
		return 0.33;
	if (is_one_of(c, "frt()[]-/I\""))
		return 0.42;
	if (is_one_of(c, "mwMW@%"))
		return 0.92;
	return c >= 'A' && c <= 'Z' ? 0.7 : 0.6;
}

/* A character as people see it, with all its marks; *width in em. */
static const uint8_t *next_cluster(const uint8_t *at, const uint8_t *end, double *width)
{
	ucs4_t c;

	u8_mbtouc(&c, at, (size_t)(end - at));
	*width = character_width(shown(c));
	return u8_grapheme_next(at, end);
}

/* How many bytes of text are at most room wide; *width_out: those bytes. */
static size_t fitting(const char *text, double room, double *width_out)
{
	const uint8_t *begin = (const uint8_t *)text, *at = begin, *end = at + strlen(text);
	double sum = 0;

	while (at < end) {
		double width;
		const uint8_t *next = next_cluster(at, end, &width);

		if (sum + width > room)
			break;
		sum += width;
		at = next;
	}
	*width_out = sum;
	return (size_t)(at - begin);
}

void text_print(FILE *out, const char *text)
{
	print_bytes(out, text, strlen(text));
}

bool text_fits(const char *text, double room)
{
	double width;

	return fitting(text, room, &width) == strlen(text);
}

void text_print_cut(FILE *out, const char *text, double room)
{
	double width;

	if (text_fits(text, room)) {
		text_print(out, text);
		return;
	}
	print_bytes(out, text, fitting(text, room - text_width(ELLIPSIS), &width));
	fputs(ELLIPSIS, out);
}

double text_width(const char *text)
{
	double width;

	fitting(text, 1e300, &width);
	return width;
}
