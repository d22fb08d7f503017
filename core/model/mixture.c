/* SPDX-License-Identifier: Apache-2.0 */
/* mixture.c - the mixture of Bradley-Terry heads (MiCRo, eq. 1), in log space */
#include "core/model/mixture.h"

#include <math.h>

#include "core/math/logmath.h"

void mixture_log_weights(const float *logits, const double *bias, const bool *mask, size_t n_heads,
			 double *log_weight_out)
{
	for (size_t k = 0; k < n_heads; k++) {
		log_weight_out[k] = (double)logits[k] + (bias == NULL ? 0 : bias[k]);
		if (mask != NULL && mask[k])
			log_weight_out[k] = -INFINITY;
	}
	log_softmax(log_weight_out, n_heads);
}

void mixture_weights(const double *log_weight, size_t n_heads, double *weight_out)
{
	for (size_t k = 0; k < n_heads; k++)
		weight_out[k] = exp(log_weight[k]);
}

double mixture_reward(const double *weight, const float *reward, const float *center,
		      size_t n_heads)
{
	double sum = 0;

	for (size_t k = 0; k < n_heads; k++)
		sum += weight[k] * ((double)reward[k] - center[k]);
	return sum;
}

double mixture_log_preference(const double *log_weight, const float *reward_a,
			      const float *reward_b, size_t n_heads)
{
	/* logsumexp in one pass: the running sum is rescaled when the maximum grows */
	double max = -INFINITY;
	double sum = 0, value;

	for (size_t k = 0; k < n_heads; k++) {
		double x = log_weight[k] + log_sigmoid((double)reward_a[k] - reward_b[k]);

		if (x > max) {
			sum = sum * exp(max - x) + 1;
			max = x;
		} else if (!isinf(x)) {
			sum += exp(x - max);
		}
	}
	/* weights that sum to 1 up to rounding must not make a probability above 1 */
	value = max + log(sum);
	return value > 0 ? 0 : value;
}
