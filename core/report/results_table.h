/* SPDX-License-Identifier: Apache-2.0 */
/* results_table.h - the methods side by side, the best of each column marked. */
#ifndef MICRO_REPORT_RESULTS_TABLE_H
#define MICRO_REPORT_RESULTS_TABLE_H

#include <stdio.h>

#include "core/compare/comparison.h"

/** results_table_write(comparison, out): the table and how to read it. */
void results_table_write(const struct comparison *comparison, FILE *out);

/** results_table_methods(comparison, out): what each method is, with its sign in the charts. */
void results_table_methods(const struct comparison *comparison, FILE *out);

#endif
