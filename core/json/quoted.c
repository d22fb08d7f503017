/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json/quoted.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first character is the lowest byte");

#define BLOCK	 64			     /* characters looked at together */
#define WORD	 8			     /* the same, within 64 bits */
#define BYTES(x) (0x0101010101010101u * (x)) /* x in each byte */
#define HIGH	 BYTES(0x80)

#define SURROGATE_HIGH 0xd800u /* first of a pair, 10 bits */
#define SURROGATE_LOW  0xdc00u /* second of a pair, 10 bits */
#define SURROGATE_END  0xe000u
#define PAIR_FIRST     0x10000u /* what a pair stands for begins here */

/* Is there anything but plain ASCII? A loop without exits, so that compilers make vectors of it. */
static bool is_plain_block(const char *p)
{
	unsigned char others = 0;

	for (size_t i = 0; i < BLOCK; i++) {
		signed char c = (signed char)p[i]; /* what is not ASCII is negative */

		others |= (unsigned char)((c < 0x20) | (c == '"') | (c == '\\'));
	}
	return others == 0;
}

/* The first of the word's characters that is not plain ASCII, WORD if all are. */
static unsigned count_plain(uint64_t word)
{
	uint64_t quote = word ^ BYTES('"');
	uint64_t backslash = word ^ BYTES('\\');
	/* a byte below x borrows, which may only spoil the bytes above it */
	uint64_t others =
	    (word | (word - BYTES(0x20)) | (quote - BYTES(1)) | (backslash - BYTES(1))) & HIGH;

	return others == 0 ? WORD : (unsigned)__builtin_ctzll(others) / 8;
}

static const char *skip_plain(const char *p, const char *end)
{
	while (end - p >= BLOCK && is_plain_block(p))
		p += BLOCK;
	while (end - p >= WORD) {
		uint64_t word;
		unsigned n;

		memcpy(&word, p, sizeof(word));
		n = count_plain(word);
		p += n;
		if (n < WORD)
			return p;
	}
	while ((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
		p++;
	return p;
}

static bool continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/*
 * Length of the character of two to four bytes at p; 0 if it is none: the table of RFC 3629,
 * section 4. The NUL at the end of the text stops every look ahead.
 */
static size_t utf8_len(const char *p)
{
	unsigned char lead = (unsigned char)p[0], second = (unsigned char)p[1];

	if (lead < 0xc2 || lead > 0xf4 || !continues(p[1]))
		return 0;
	if (lead < 0xe0)
		return 2;
	if (!continues(p[2]))
		return 0;
	if (lead < 0xf0) {
		bool overlong = lead == 0xe0 && second < 0xa0;
		bool surrogate = lead == 0xed && second > 0x9f;

		return overlong || surrogate ? 0 : 3;
	}
	if (!continues(p[3]))
		return 0;
	return (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f) ? 0 : 4;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits at p; false if one is not hexadecimal. */
static bool take_hex(const char *p, uint32_t *code_out)
{
	uint32_t code = 0;

	for (int i = 0; i < 4; i++) {
		int value = hex_value(p[i]);

		if (value < 0)
			return false;
		code = code << 4 | (uint32_t)value;
	}
	*code_out = code;
	return true;
}

static bool is_low_surrogate(uint32_t code)
{
	return code >= SURROGATE_LOW && code < SURROGATE_END;
}

/* What "\u" at p and, of a pair, its second half stand for; *len_out: their characters. */
static enum quoted_fault take_unicode(const char *p, uint32_t *code_out, size_t *len_out)
{
	uint32_t high, low;

	*len_out = 6;
	if (!take_hex(p + 2, &high))
		return QUOTED_ESCAPE;
	*code_out = high;
	if (high < SURROGATE_HIGH || high >= SURROGATE_END)
		return QUOTED_OK;
	if (is_low_surrogate(high) || p[6] != '\\' || p[7] != 'u')
		return QUOTED_SURROGATE;
	if (!take_hex(p + 8, &low))
		return QUOTED_ESCAPE;
	*code_out = PAIR_FIRST + ((high - SURROGATE_HIGH) << 10) + (low - SURROGATE_LOW);
	*len_out = 12;
	return is_low_surrogate(low) ? QUOTED_OK : QUOTED_SURROGATE;
}

/* What the letter after a backslash stands for; 0: it is no such letter. */
static char short_escape(char letter)
{
	switch (letter) {
	case '"':
	case '\\':
	case '/':
		return letter;
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		return '\0';
	}
}

/* The escape at p; *len_out: its characters. */
static enum quoted_fault check_escape(const char *p, size_t *len_out, struct quoted *out)
{
	enum quoted_fault fault;
	uint32_t code;

	out->escaped = true;
	if (p[1] == 'u') {
		fault = take_unicode(p, &code, len_out);
		if (fault == QUOTED_OK && code == 0 && out->nul == NULL)
			out->nul = p;
		return fault;
	}
	*len_out = 2;
	return short_escape(p[1]) == '\0' ? QUOTED_ESCAPE : QUOTED_OK;
}

enum quoted_fault quoted_scan(const char *text, const char *end, struct quoted *out)
{
	enum quoted_fault fault = QUOTED_OK;
	const char *p = text;

	*out = (struct quoted){.begin = text};
	while (fault == QUOTED_OK) {
		size_t len = 0;

		p = skip_plain(p, end);
		if (*p == '"')
			break;
		if (p == end) {
			fault = QUOTED_NO_END;
		} else if (*p == '\\') {
			fault = check_escape(p, &len, out);
		} else if ((unsigned char)*p < 0x20) {
			fault = QUOTED_CONTROL;
		} else {
			len = utf8_len(p);
			fault = len == 0 ? QUOTED_UTF8 : QUOTED_OK;
		}
		if (fault == QUOTED_OK)
			p += len;
	}
	out->end = p;
	return fault;
}

static size_t put_utf8(uint32_t code, char *out)
{
	static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
	size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < PAIR_FIRST ? 3 : 4;

	for (size_t i = len - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (code & 0x3f));
		code >>= 6;
	}
	out[0] = (char)(len == 1 ? code : leads[len] | code);
	return len;
}

size_t quoted_decode(const struct quoted *quoted, char *out)
{
	const char *p = quoted->begin;
	char *to = out;

	while (p < quoted->end) {
		const char *escape = memchr(p, '\\', (size_t)(quoted->end - p));
		size_t n = (size_t)((escape == NULL ? quoted->end : escape) - p);
		uint32_t code = 0;

		memcpy(to, p, n);
		to += n;
		p += n;
		if (escape == NULL)
			break;
		n = 2;
		if (p[1] == 'u') {
			(void)take_unicode(p, &code, &n);
			to += put_utf8(code, to);
		} else {
			*to++ = short_escape(p[1]);
		}
		p += n;
	}
	return (size_t)(to - out);
}

static bool wants_escape(unsigned char c)
{
	return (c < 0x20) | (c == '"') | (c == '\\');
}

/* A loop without exits, as above. */
static bool is_block_without_escapes(const char *p)
{
	unsigned char others = 0;

	for (size_t i = 0; i < BLOCK; i++)
		others |= wants_escape((unsigned char)p[i]);
	return others == 0;
}

size_t quoted_plain(const char *bytes, size_t n)
{
	size_t i = 0;

	while (n - i >= BLOCK && is_block_without_escapes(bytes + i))
		i += BLOCK;
	while (i < n && !wants_escape((unsigned char)bytes[i]))
		i++;
	return i;
}

const char *quoted_fault_text(enum quoted_fault fault)
{
	switch (fault) {
	case QUOTED_OK:
		return "no fault";
	case QUOTED_NO_END:
		return "a string has no end, want '\"'";
	case QUOTED_CONTROL:
		return "a string has a control character, want an escape such as \\n or \\u001f";
	case QUOTED_ESCAPE:
		return "no such escape, want \\\" \\\\ \\/ \\b \\f \\n \\r \\t or \\u and four "
		       "hexadecimal digits";
	case QUOTED_SURROGATE:
		return "half of a surrogate pair, want \\ud800 to \\udbff and then \\udc00 to "
		       "\\udfff";
	case QUOTED_NUL:
		return "a string has the character U+0000, want none";
	default:
		return "a string has bytes that are not UTF-8, want UTF-8 throughout";
	}
}
