/* SPDX-License-Identifier: Apache-2.0 */
/* chart_heads.h - for each context the head that knows it best (paper, Fig. 2). */
#ifndef MICRO_REPORT_CHART_HEADS_H
#define MICRO_REPORT_CHART_HEADS_H

#include <stdio.h>

#include "core/base/err.h"
#include "core/compare/comparison.h"

/** chart_heads_write(map, out, err): map: accuracies, of one row and one column at least;
 * bars from chance, the best first. Errors: STATUS_NO_MEMORY. */
enum status chart_heads_write(const struct compare_map *map, FILE *out, struct err *err);

#endif
