/* SPDX-License-Identifier: Apache-2.0 */
/* chart_dots.h - every context a row, every method a mark on it; best contexts first. */
#ifndef MICRO_REPORT_CHART_DOTS_H
#define MICRO_REPORT_CHART_DOTS_H

#include <stdio.h>

#include "core/base/err.h"
#include "core/report/measure.h"

/** chart_dots_write(comparison, measure, out, err): of the results that have contexts, one at
 * least. Errors: STATUS_NO_MEMORY. */
enum status chart_dots_write(const struct comparison *comparison, enum measure measure, FILE *out,
			     struct err *err);

#endif
