/* SPDX-License-Identifier: Apache-2.0 */
#include "core/train/adamw.h"

#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/simd.h"

enum status adamw_init(struct adamw *opt, size_t n_params, double weight_decay, struct err *err)
{
	*opt = (struct adamw){
	    .n_params = n_params,
	    .beta1 = 0.9,
	    .beta2 = 0.999,
	    .epsilon = 1e-8,
	    .weight_decay = weight_decay,
	};
	opt->mean = mem_array(n_params, sizeof(*opt->mean));
	opt->variance = mem_array(n_params, sizeof(*opt->variance));
	if (opt->mean == NULL || opt->variance == NULL) {
		adamw_free(opt);
		return err_no_memory(err, "optimizer");
	}
	return STATUS_OK;
}

void adamw_reset(struct adamw *opt)
{
	memset(opt->mean, 0, opt->n_params * sizeof(*opt->mean));
	memset(opt->variance, 0, opt->n_params * sizeof(*opt->variance));
	opt->step = 0;
}

void adamw_free(struct adamw *opt)
{
	mem_free(opt->mean);
	mem_free(opt->variance);
	*opt = (struct adamw){0};
}

struct adamw_rates adamw_begin(struct adamw *opt, double learning_rate)
{
	double correct1, correct2;

	opt->step++;
	correct1 = 1 - pow(opt->beta1, (double)opt->step);
	correct2 = sqrt(1 - pow(opt->beta2, (double)opt->step));
	return (struct adamw_rates){
	    .step = (float)(learning_rate * correct2 / correct1),
	    .epsilon = (float)(opt->epsilon * correct2),
	    .keep = (float)(1 - learning_rate * opt->weight_decay),
	    .beta1 = (float)opt->beta1,
	    .beta2 = (float)opt->beta2,
	};
}

/*
 * The moments of a parameter that gets no gradient any more fade until they are denormal
 * numbers, and stay that: 0.9 of the smallest one is rounded to itself. The processor takes
 * some fifty times as long for each. What is dropped here is far below what epsilon, 1e-8 or
 * 1e-4, leaves of a step.
 */
#define TINY_GRADIENT 1e-17f
#define TINY_MEAN     1e-30f
#define TINY_VARIANCE 1e-36f

static inline float drop(float x, float tiny)
{
	return fabsf(x) < tiny ? 0 : x;
}

/*
 * m <- b1 m + (1 - b1) g,  v <- b2 v + (1 - b2) g^2
 * x <- x - lr (m_hat / (sqrt(v_hat) + eps) + decay x)
 */
static inline __attribute__((always_inline)) void
update(struct adamw_rates rates, size_t n, const float *restrict g, float *restrict mean,
       float *restrict variance, float *restrict x)
{
	float b1 = rates.beta1, b2 = rates.beta2;

	for (size_t i = 0; i < n; i++) {
		float gi = drop(g[i], TINY_GRADIENT);
		float m = drop(b1 * mean[i] + (1 - b1) * gi, TINY_MEAN);
		float v = drop(b2 * variance[i] + (1 - b2) * gi * gi, TINY_VARIANCE);

		mean[i] = m;
		variance[i] = v;
		x[i] = rates.keep * x[i] - rates.step * m / (sqrtf(v) + rates.epsilon);
	}
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void update_avx2(struct adamw_rates rates, size_t n,
							const float *g, float *mean,
							float *variance, float *x)
{
	update(rates, n, g, mean, variance, x);
}
#endif

void adamw_update(struct adamw *opt, struct adamw_rates rates, size_t begin, size_t n,
		  const float *grad, float *params)
{
	float *mean = opt->mean + begin, *variance = opt->variance + begin, *x = params + begin;

#if defined(__x86_64__)
	if (simd_runs(SIMD_AVX2)) {
		update_avx2(rates, n, grad, mean, variance, x);
		return;
	}
#endif
	update(rates, n, grad, mean, variance, x);
}

void adamw_step(struct adamw *opt, double learning_rate, float *grad, float *params)
{
	adamw_update(opt, adamw_begin(opt, learning_rate), 0, opt->n_params, grad, params);
	memset(grad, 0, opt->n_params * sizeof(*grad));
}
