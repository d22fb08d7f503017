/* SPDX-License-Identifier: Apache-2.0 */
/* results_table.h - the methods side by side, the best of each column marked. */
#ifndef MICRO_REPORT_RESULTS_TABLE_H
#define MICRO_REPORT_RESULTS_TABLE_H

#include <stdio.h>

#include "core/compare/comparison.h"

/** results_table_write(comparison, out): the table, and what each method is. */
void results_table_write(const struct comparison *comparison, FILE *out);

#endif
