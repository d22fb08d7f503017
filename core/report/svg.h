/* SPDX-License-Identifier: Apache-2.0 */
/*
 * svg.h - the few shapes that the charts are made of. Lengths are in units of the
 * viewBox, y downwards. Colours and fonts come from classes in report.css: the page
 * has a light and a dark form.
 *
 * Methods are told apart by colour, marker and dashes together: series s has
 * class "s<s mod 8>".
 */
#ifndef MICRO_REPORT_SVG_H
#define MICRO_REPORT_SVG_H

#include <stddef.h>
#include <stdio.h>

#define SVG_WIDTH    420.0 /* of every chart: a phone shows it at 4/5 */
#define SVG_FONT     12.0  /* as in report.css */
#define SVG_N_SERIES 8

enum svg_anchor { ANCHOR_START, ANCHOR_MIDDLE, ANCHOR_END };

/** svg_line(out, class, x1, y1, x2, y2): with a class of report.css. */
void svg_line(FILE *out, const char *class, double x1, double y1, double x2, double y2);

/** svg_text_begin(out, class, x, y, anchor): y of the base line; until svg_text_end(). */
void svg_text_begin(FILE *out, const char *class, double x, double y, enum svg_anchor anchor);
void svg_text_end(FILE *out);

/** svg_label(out, x, y, anchor, text, room): a user's text; cut to room, then with all of it
 * as a tooltip. */
void svg_label(FILE *out, double x, double y, enum svg_anchor anchor, const char *text,
	       double room);

/** svg_label_width(text): how wide svg_label() makes it. */
double svg_label_width(const char *text);

/** svg_number_width(value, decimals): how wide a number is, also when it is bold. */
double svg_number_width(double value, int decimals);

/** svg_marker(out, series, x, y): the sign of a series. */
void svg_marker(FILE *out, size_t series, double x, double y);

/** svg_dashes(series): value of stroke-dasharray; static. */
const char *svg_dashes(size_t series);

/** svg_title_begin(out): a tooltip of the element just opened, until svg_title_end(). */
void svg_title_begin(FILE *out);
void svg_title_end(FILE *out);

#endif
