/* SPDX-License-Identifier: Apache-2.0 */
#include "core/compare/spread.h"

#include <math.h>

void spread_add(struct spread *spread, double value, size_t n)
{
	double difference = value - spread->mean;

	spread->mean += difference / (double)n;
	spread->sd += difference * (value - spread->mean);
}

void spread_finish(struct spread *spread, size_t n)
{
	spread->sd = n > 1 ? sqrt(spread->sd / (double)(n - 1)) : 0;
}

void compare_score_add(struct compare_score *score, double accuracy, double nll, size_t n)
{
	spread_add(&score->accuracy, accuracy, n);
	spread_add(&score->nll, nll, n);
}

void compare_score_finish(struct compare_score *score, size_t n)
{
	spread_finish(&score->accuracy, n);
	spread_finish(&score->nll, n);
}
