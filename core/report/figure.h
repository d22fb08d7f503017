/* SPDX-License-Identifier: Apache-2.0 */
/*
 * figure.h - the frame of every chart: heading, drawing, and the same numbers as a
 * table to unfold, copy and have read aloud.
 */
#ifndef MICRO_REPORT_FIGURE_H
#define MICRO_REPORT_FIGURE_H

#include <stdio.h>

/** figure_begin(out, title, note): until figure_end(); HTML of our own, nothing of users. */
void figure_begin(FILE *out, const char *title, const char *note);
void figure_end(FILE *out);

/**
 * figure_drawing_begin(out, height, title): opens the svg and its description, to which the
 * caller may add text until figure_drawing_described(); then come shapes until
 * figure_drawing_end().
 */
void figure_drawing_begin(FILE *out, double height, const char *title);
void figure_drawing_described(FILE *out);
void figure_drawing_end(FILE *out);

/** figure_table_begin(out, title): folded rows of a table, until figure_table_end(). */
void figure_table_begin(FILE *out, const char *title);
void figure_table_end(FILE *out);

/** figure_scroll_begin(out, title): a table in a box that scrolls alone, until
 * figure_scroll_end(). */
void figure_scroll_begin(FILE *out, const char *title);
void figure_scroll_end(FILE *out);

/** figure_row_name(out, name): begins a row with a user's text. */
void figure_row_name(FILE *out, const char *name);

/** figure_column_name(out, name): a user's text over a column. */
void figure_column_name(FILE *out, const char *name);

#endif
