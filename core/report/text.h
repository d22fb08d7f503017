/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.h - names from users' files on a page: whatever they are, they are only shown.
 *
 * A line break is shown as an arrow, another control character as its picture, and
 * what would reorder the text around it, is no UTF-8 or is no character as U+FFFD.
 */
#ifndef MICRO_REPORT_TEXT_H
#define MICRO_REPORT_TEXT_H

#include <stdbool.h>
#include <stdio.h>

/** text_print(out, text): for an element or a quoted attribute, of HTML and of XML. */
void text_print(FILE *out, const char *text);

/** text_print_cut(out, text, room): as much as is room em wide, then "…" if that is not all. */
void text_print_cut(FILE *out, const char *text, double room);

/** text_fits(text, room): whether text_print_cut() shows all of it. */
bool text_fits(const char *text, double room);

/**
 * text_width(text): in em, estimated for a wide sans-serif font: the reader's font is
 * unknown, and a label had better be a little shorter than its place.
 */
double text_width(const char *text);

#endif
