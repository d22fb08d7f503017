/* SPDX-License-Identifier: Apache-2.0 */
#include "core/report/scale.h"

#include <assert.h>
#include <math.h>

static double nice_step(double at_least, int *decimals_out)
{
	static const double digits[] = {1, 2, 5, 10};
	double exponent = floor(log10(at_least)), unit = pow(10, exponent);
	size_t i = 0;

	while (i < 3 && digits[i] * unit < at_least * (1 - 1e-9))
		i++;
	if (i == 3)
		exponent++;
	*decimals_out = exponent < 0 ? (int)-exponent : 0;
	return digits[i] * unit;
}

struct ticks ticks_around(double low, double high, size_t n_wanted)
{
	double least = 1e-6 * fmax(1, fmax(fabs(low), fabs(high)));
	struct ticks ticks;
	double first, last;

	assert(low <= high && n_wanted >= 2);
	ticks.step = nice_step(fmax(high - low, least) / (double)(n_wanted - 1), &ticks.decimals);
	first = floor(low / ticks.step + 1e-9);
	last = ceil(high / ticks.step - 1e-9);
	ticks.first = first * ticks.step;
	ticks.n = (size_t)fmax(last - first, 1) + 1;
	return ticks;
}

double ticks_at(const struct ticks *ticks, size_t i)
{
	return ticks->first + (double)i * ticks->step;
}

static double warped(const struct scale *scale, double value)
{
	return scale->is_log ? log2(1 + value) : value;
}

double scale_place(const struct scale *scale, double value)
{
	double low = warped(scale, scale->low), high = warped(scale, scale->high);
	double part = high > low ? (warped(scale, value) - low) / (high - low) : 0.5;

	return scale->from + part * (scale->to - scale->from);
}

/* Mean of the wanted places i..k when each label is moved back by those before it. */
static double mean_of_run(const double *wanted, size_t i, size_t k, double gap)
{
	double sum = 0;

	for (size_t j = i; j <= k; j++)
		sum += wanted[j] - (double)j * gap;
	return sum / (double)(k - i + 1);
}

/*
 * With t_i = wanted_i - i gap the places less i gap only must not descend: isotonic
 * regression, here by its max-min formula; clamping to a range keeps it the best.
 */
void scale_keep_apart(const double *wanted, size_t n, double gap, double low, double high,
		      double *places_out)
{
	double highest = fmax(low, high - (double)(n > 0 ? n - 1 : 0) * gap);

	for (size_t i = 0; i < n; i++) {
		double best = -INFINITY;

		for (size_t j = 0; j <= i; j++) {
			double least = INFINITY;

			for (size_t k = i; k < n; k++)
				least = fmin(least, mean_of_run(wanted, j, k, gap));
			best = fmax(best, least);
		}
		places_out[i] = fmin(fmax(best, low), highest) + (double)i * gap;
	}
}
