/* SPDX-License-Identifier: Apache-2.0 */
/* scale.h - from values to places: round ticks, axes, labels that keep apart. */
#ifndef MICRO_REPORT_SCALE_H
#define MICRO_REPORT_SCALE_H

#include <stdbool.h>
#include <stddef.h>

/* first, first + step, ..., n of them; step is 1, 2 or 5 times a power of ten. */
struct ticks {
	double first, step;
	size_t n;     /* at least 2 */
	int decimals; /* that tell them apart */
};

/** ticks_around(low, high, n_wanted): the fewest ticks, near n_wanted >= 2, that enclose
 * both; finite, low <= high. */
struct ticks ticks_around(double low, double high, size_t n_wanted);

/** ticks_at(ticks, i): tick i; i = ticks->n - 1 is the last. */
double ticks_at(const struct ticks *ticks, size_t i);

/* An axis: values low..high lie at from..to. */
struct scale {
	double low, high;
	double from, to;
	bool is_log; /* by log2(1 + value): numbers of feedbacks begin at 0 */
};

/** scale_place(scale, value): where value lies; in the middle if low = high. */
double scale_place(const struct scale *scale, double value);

/**
 * scale_keep_apart(wanted, n, gap, low, high, places_out): wanted: [n], ascending. Places
 * in the same order, at least gap apart, from low to high, and of all such places
 * those with the least squared distance from the wanted ones. What has no room
 * between low and high goes beyond high.
 */
void scale_keep_apart(const double *wanted, size_t n, double gap, double low, double high,
		      double *places_out);

#endif
