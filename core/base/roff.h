/* SPDX-License-Identifier: Apache-2.0 */
/* roff.h - texts in the language of manual pages, man(7): no character of them is a request or
 * an escape. */
#ifndef MICRO_BASE_ROFF_H
#define MICRO_BASE_ROFF_H

#include <stdio.h>

/** roff_text(text, len, out): a part of a line, which begins with something else. */
void roff_text(const char *text, size_t len, FILE *out);

/** roff_heading(request, text, out): "SH" or "SS" and its title. */
void roff_heading(const char *request, const char *text, FILE *out);

/** roff_term(name, value_name, out): what an entry of a list is about: an option and, if it is
 * not NULL, what its value is called. */
void roff_term(const char *name, const char *value_name, FILE *out);

/** roff_lines(text, len, out): lines as they are. */
void roff_lines(const char *text, size_t len, FILE *out);

/** roff_paragraph(text, len, out): running text; where its lines break means
 * nothing. */
void roff_paragraph(const char *text, size_t len, FILE *out);

/** roff_paragraphs(text, out): paragraphs, an empty line between them; one whose first line
 * begins with two spaces stays line by line. */
void roff_paragraphs(const char *text, FILE *out);

#endif
