/* SPDX-License-Identifier: Apache-2.0 */
/* chart_lines.h - a score against a number, a line a method, named at its end. */
#ifndef MICRO_REPORT_CHART_LINES_H
#define MICRO_REPORT_CHART_LINES_H

#include <stddef.h>
#include <stdio.h>

#include "core/base/err.h"
#include "core/report/measure.h"

struct chart_line {
	const char *name;
	size_t series;		       /* how it looks, svg.h */
	const struct compare_score *y; /* [n_points] */
};

struct line_chart {
	const char *title, *note, *x_title; /* HTML of our own */
	enum measure measure;
	size_t n_seeds;	 /* of 2 or more the standard deviation is a band */
	size_t n_points; /* at least 1 */
	const size_t *x; /* [n_points], ascending */
	size_t n_lines;	 /* at least 1 */
	const struct chart_line *lines;
};

/** chart_lines_write(chart, out, err): Errors: STATUS_NO_MEMORY. */
enum status chart_lines_write(const struct line_chart *chart, FILE *out, struct err *err);

#endif
