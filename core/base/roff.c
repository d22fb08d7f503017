/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/roff.h"

#include <stdbool.h>
#include <string.h>

#define LINE_WIDTH 78 /* of the source, in bytes */

void roff_text(const char *text, size_t len, FILE *out)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\\')
			fputs("\\e", out);
		else if (text[i] ==
			 '-') /* a bare one may be shown as a hyphen, which no shell knows */
			fputs("\\-", out);
		else
			fputc(text[i], out);
	}
}

void roff_heading(const char *request, const char *text, FILE *out)
{
	fprintf(out, ".%s \"", request);
	roff_text(text, strlen(text), out);
	fputs("\"\n", out);
}

void roff_term(const char *name, const char *value_name, FILE *out)
{
	fputs(".TP\n\\fB", out);
	roff_text(name, strlen(name), out);
	fputs("\\fR", out);
	if (value_name != NULL) {
		fputs(" \\fI", out);
		roff_text(value_name, strlen(value_name), out);
		fputs("\\fR", out);
	}
	fputc('\n', out);
}

/* What at the beginning of a line would not be text. */
static bool is_request(char c)
{
	return c == '.' || c == '\'';
}

static void put_line(const char *text, size_t len, FILE *out)
{
	if (len > 0 && is_request(text[0]))
		fputs("\\&", out);
	roff_text(text, len, out);
	fputc('\n', out);
}

void roff_lines(const char *text, size_t len, FILE *out)
{
	fputs(".nf\n", out);
	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t n = end == NULL ? len : (size_t)(end - text);

		put_line(text, n, out);
		n += end != NULL;
		text += n;
		len -= n;
	}
	fputs(".fi\n", out);
}

/* Bytes of a text in the source. */
static size_t width_of(const char *text, size_t len)
{
	size_t width = len;

	for (size_t i = 0; i < len; i++)
		width += text[i] == '-' || text[i] == '\\';
	return width;
}

/* The length of the word at text, which may be empty. */
static size_t word_len(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && text[n] != ' ' && text[n] != '\n')
		n++;
	return n;
}

void roff_paragraph(const char *text, size_t len, FILE *out)
{
	size_t column = 0;

	for (size_t i = 0; i < len; i++) {
		size_t n = word_len(text + i, len - i);
		size_t width = width_of(text + i, n);

		if (n == 0)
			continue;
		if (column > 0 && column + 1 + width > LINE_WIDTH) {
			fputc('\n', out);
			column = 0;
		}
		if (column > 0)
			fputc(' ', out);
		else if (is_request(text[i]))
			fputs("\\&", out);
		roff_text(text + i, n, out);
		column += width + 1;
		i += n;
	}
	fputc('\n', out);
}

void roff_paragraphs(const char *text, FILE *out)
{
	for (const char *begin = text; *text != '\0';) {
		const char *end = strstr(text, "\n\n");
		size_t len = end == NULL ? strlen(text) : (size_t)(end - text);

		if (text > begin)
			fputs(".PP\n", out);
		if (strncmp(text, "  ", 2) == 0)
			roff_lines(text, len, out);
		else
			roff_paragraph(text, len, out);
		text += len;
		text += strspn(text, "\n");
	}
}
