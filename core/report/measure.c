/* SPDX-License-Identifier: Apache-2.0 */
#include "core/report/measure.h"

#include <math.h>

#include "core/report/svg.h"

static const struct {
	const char *title;
	const char *unit;
	double factor;
	int decimals;
} measures[] = {
    [MEASURE_ACCURACY] = {"Accuracy (%)", " %", 100, 1},
    [MEASURE_NLL] = {"NLL (nats a pair)", "", 1, 3},
    [MEASURE_WEIGHT] = {"Weight (%)", " %", 100, 0},
};

const char *measure_title(enum measure measure)
{
	return measures[measure].title;
}

const char *measure_unit(enum measure measure)
{
	return measures[measure].unit;
}

double measure_shown(enum measure measure, double value)
{
	return measures[measure].factor * value;
}

struct spread measure_of(enum measure measure, const struct compare_score *score)
{
	return measure == MEASURE_NLL ? score->nll : score->accuracy;
}

bool measure_is_better(enum measure measure, double a, double b)
{
	return measure == MEASURE_NLL ? a < b : a > b;
}

void measure_print_fixed(FILE *out, double value, int decimals)
{
	double half_unit = 0.5 * pow(10, -decimals);

	fprintf(out, "%.*f", decimals, fabs(value) < half_unit ? 0 : value);
}

void measure_print(FILE *out, enum measure measure, double value)
{
	measure_print_fixed(out, measure_shown(measure, value), measures[measure].decimals);
}

double measure_width(enum measure measure, double value)
{
	return svg_number_width(measure_shown(measure, value), measures[measure].decimals);
}

void measure_print_mean(FILE *out, enum measure measure, const struct spread *spread)
{
	measure_print_fixed(out, measure_shown(measure, spread->mean),
			    measures[measure].decimals + 1);
}

void measure_print_sd(FILE *out, enum measure measure, const struct spread *spread)
{
	fputs("\u00b1 ", out);
	measure_print_fixed(out, measure_shown(measure, spread->sd),
			    measures[measure].decimals + 1);
}

void measure_print_spread(FILE *out, enum measure measure, const struct spread *spread,
			  size_t n_seeds)
{
	measure_print_mean(out, measure, spread);
	if (n_seeds > 1) {
		fputc(' ', out);
		measure_print_sd(out, measure, spread);
	}
	fputs(measures[measure].unit, out);
}

/* NOLINTNEXTLINE(misc-no-recursion): once for every three digits */
void measure_print_count(FILE *out, size_t n)
{
	if (n < 1000) {
		fprintf(out, "%zu", n);
		return;
	}
	measure_print_count(out, n / 1000);
	fprintf(out, ",%03zu", n % 1000);
}
