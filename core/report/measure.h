/* SPDX-License-Identifier: Apache-2.0 */
/* measure.h - what is measured, in the units and digits that people read. */
#ifndef MICRO_REPORT_MEASURE_H
#define MICRO_REPORT_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "core/compare/comparison.h"

enum measure { MEASURE_ACCURACY, MEASURE_NLL, MEASURE_WEIGHT };

/** measure_title(measure): such as "Accuracy (%)"; static. */
const char *measure_title(enum measure measure);

/** measure_unit(measure): what follows a number, such as " %", or ""; static. */
const char *measure_unit(enum measure measure);

/** measure_shown(measure, value): in the unit shown: 0.845 as 84.5 percent. */
double measure_shown(enum measure measure, double value);

/** measure_of(measure, score): accuracy or NLL of a score, not yet in the unit shown. */
struct spread measure_of(enum measure measure, const struct compare_score *score);

/** measure_is_better(measure, a, b): whether a is better than b. */
bool measure_is_better(enum measure measure, double a, double b);

/** measure_print(out, measure, value): the number alone, short. */
void measure_print(FILE *out, enum measure measure, double value);

/** measure_width(measure, value): of that number in a chart, svg.h. */
double measure_width(enum measure measure, double value);

/** measure_print_spread(out, measure, spread, n_seeds): one digit more, "± sd" of several seeds. */
void measure_print_spread(FILE *out, enum measure measure, const struct spread *spread,
			  size_t n_seeds);

/** measure_print_fixed(out, value, decimals): never "-0". */
void measure_print_fixed(FILE *out, double value, int decimals);

/** measure_print_count(out, n): with commas between thousands. */
void measure_print_count(FILE *out, size_t n);

#endif
