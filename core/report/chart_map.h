/* SPDX-License-Identifier: Apache-2.0 */
/* chart_map.h - a matrix as shades of one colour, its rows and columns named. */
#ifndef MICRO_REPORT_CHART_MAP_H
#define MICRO_REPORT_CHART_MAP_H

#include <stdio.h>

#include "core/report/measure.h"

struct map_chart {
	const char *title, *note; /* HTML of our own */
	const char *row_title;	  /* what a row is, such as "context" */
	enum measure measure;
	const struct compare_map *map; /* one row and one column at least */
};

/** chart_map_write(chart, out): names of rows that are long stand above their cells. */
void chart_map_write(const struct map_chart *chart, FILE *out);

#endif
