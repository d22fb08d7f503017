/* SPDX-License-Identifier: Apache-2.0 */
/* heads.c - r_k(x,a) = W_k . phi(x,a)  (MiCRo, section 3) */
#include "core/model/heads.h"

#include <math.h>

#include "core/base/mem.h"

enum status heads_init(struct heads *heads, size_t n_heads, size_t dim, struct err *err)
{
	size_t n_weights;

	*heads = (struct heads){.n_heads = n_heads, .dim = dim};
	if (!mem_mul(n_heads, dim, &n_weights))
		return err_no_memory(err, "heads");
	heads->weight = mem_array(n_weights, sizeof(*heads->weight));
	heads->center = mem_array(n_heads, sizeof(*heads->center));
	if (heads->weight == NULL || heads->center == NULL) {
		heads_free(heads);
		return err_no_memory(err, "heads");
	}
	return STATUS_OK;
}

void heads_free(struct heads *heads)
{
	mem_free(heads->weight);
	mem_free(heads->center);
	*heads = (struct heads){0};
}

void heads_randomize(struct heads *heads, double scale, struct rng *rng)
{
	for (size_t i = 0; i < heads->n_heads * heads->dim; i++)
		heads->weight[i] = (float)(scale * rng_normal(rng));
}

void heads_rewards(const struct heads *heads, struct feature_row phi, float *reward_out)
{
	feature_row_times(phi, heads->weight, heads->n_heads, reward_out);
}

void heads_similarity(const struct heads *heads, double *matrix_out)
{
	size_t n = heads->n_heads;

	/* Gram matrix first: one pass over the weights, K of them at a time */
	for (size_t i = 0; i < n * n; i++)
		matrix_out[i] = 0;
	for (size_t d = 0; d < heads->dim; d++) {
		const float *w = heads->weight + d * n;

		for (size_t i = 0; i < n; i++) {
			for (size_t j = 0; j <= i; j++)
				matrix_out[i * n + j] += (double)w[i] * w[j];
		}
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < i; j++) {
			double norm = sqrt(matrix_out[i * n + i]) * sqrt(matrix_out[j * n + j]);
			double cosine = norm > 0 ? matrix_out[i * n + j] / norm : 0;

			matrix_out[i * n + j] = cosine;
			matrix_out[j * n + i] = cosine;
		}
	}
	for (size_t i = 0; i < n; i++)
		matrix_out[i * n + i] = matrix_out[i * n + i] > 0 ? 1 : 0;
}
