/* SPDX-License-Identifier: Apache-2.0 */
/* hedge.c - the Hedge step on a user's log-weights (MiCRo, eq. 5, closed form) */
#include "core/model/hedge.h"

#include <math.h>

#include "core/math/logmath.h"

void hedge_losses(const float *reward_chosen, const float *reward_rejected, size_t n_heads,
		  double *loss_out)
{
	for (size_t k = 0; k < n_heads; k++)
		loss_out[k] = -log_sigmoid((double)reward_chosen[k] - reward_rejected[k]);
}

void hedge_start(double *log_weight_out, size_t n_heads)
{
	for (size_t k = 0; k < n_heads; k++)
		log_weight_out[k] = -log((double)n_heads);
}

enum status hedge_update(double *log_weight, const double *loss, size_t n_heads, double temperature,
			 double strength, struct err *err)
{
	double step = strength / temperature;
	double highest = -INFINITY, lowest = INFINITY;

	if (!(temperature > 0) || !(strength >= 0) || !isfinite(step))
		return err_set(err, STATUS_INVALID_VALUE,
			       "hedge: temperature %g and strength %g, want temperature > 0 and "
			       "strength >= 0",
			       temperature, strength);
	/* all checks before the first write: a refused step changes nothing */
	for (size_t k = 0; k < n_heads; k++) {
		double next = log_weight[k] - loss[k] * step;

		if (!isfinite(loss[k]) || !isfinite(next))
			return err_set(err, STATUS_NOT_FINITE,
				       "hedge: loss %g of head %zu at temperature %g is not finite",
				       loss[k], k, temperature);
		highest = fmax(highest, next);
		lowest = fmin(lowest, next);
	}
	if (!isfinite(highest - lowest))
		return err_set(err, STATUS_NOT_FINITE,
			       "hedge: log-weights from %g to %g are too far apart", lowest,
			       highest);
	for (size_t k = 0; k < n_heads; k++)
		log_weight[k] -= loss[k] * step;
	log_softmax(log_weight, n_heads);
	return STATUS_OK;
}

void hedge_share(double *log_weight, size_t n_heads, double drift)
{
	double log_share = log(drift / (double)n_heads); /* -inf without drift */

	for (size_t k = 0; k < n_heads; k++) {
		const double parts[] = {log1p(-drift) + log_weight[k], log_share};

		log_weight[k] = log_sum_exp(parts, 2);
	}
}
