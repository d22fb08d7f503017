/* SPDX-License-Identifier: Apache-2.0 */
#include "core/train/layer.h"

#include <assert.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/math/linalg.h"

enum status layer_init(struct layer *layer, const struct features *features, float *weight,
		       size_t n_out, size_t capacity, struct err *err)
{
	size_t n_partial;

	*layer = (struct layer){
	    .features = features, .n_out = n_out, .capacity = capacity, .weight = weight};
	if (n_out == 0)
		return STATUS_OK;
	if (!mem_mul(capacity, layer_n_shards(features->dim), &n_partial))
		return err_no_memory(err, "a batch");
	layer->x = mem_array(capacity, features->dim * sizeof(float));
	layer->partial = mem_array(n_partial, n_out * sizeof(float));
	layer->out = mem_array(capacity, n_out * sizeof(float));
	layer->dout = mem_array(capacity, n_out * sizeof(float));
	if (layer->x == NULL || layer->partial == NULL || layer->out == NULL || layer->dout == NULL)
		return err_no_memory(err, "a batch");
	return STATUS_OK;
}

void layer_free(struct layer *layer)
{
	mem_free(layer->x);
	mem_free(layer->partial);
	mem_free(layer->out);
	mem_free(layer->dout);
	*layer = (struct layer){0};
}

size_t layer_n_shards(size_t dim)
{
	return (dim + LAYER_SHARD - 1) / LAYER_SHARD;
}

size_t layer_n_slices(size_t dim)
{
	return (dim + LAYER_SLICE - 1) / LAYER_SLICE;
}

/* Of the features from first on, those of one piece. */
static size_t piece_width(const struct layer *layer, size_t first, size_t piece)
{
	size_t rest = layer->features->dim - first;

	return rest < piece ? rest : piece;
}

static float *partial_of(const struct layer *layer, size_t shard)
{
	return layer->partial + shard * layer->capacity * layer->n_out;
}

enum status layer_gather(struct layer *layer, size_t begin, const uint32_t *rows, size_t n,
			 struct err *err)
{
	assert(begin + n <= layer->capacity);
	return features_gather(layer->features, rows, n, layer->x + begin * layer->features->dim,
			       err);
}

enum status layer_gather_differences(struct layer *layer, size_t begin, const uint32_t *rows,
				     size_t n, struct err *err)
{
	assert(begin + n <= layer->capacity);
	return features_differences(layer->features, rows, n,
				    layer->x + begin * layer->features->dim, err);
}

void layer_forward(struct layer *layer, size_t begin, size_t n, size_t shard)
{
	size_t dim = layer->features->dim, first = shard * LAYER_SHARD;

	linalg_matmul(layer->x + begin * dim + first, dim, n,
		      piece_width(layer, first, LAYER_SHARD), layer->weight + first * layer->n_out,
		      layer->n_out, partial_of(layer, shard) + begin * layer->n_out);
}

void layer_sum(struct layer *layer, size_t begin, size_t n)
{
	size_t n_values = n * layer->n_out;
	float *restrict out = layer->out + begin * layer->n_out;

	memset(out, 0, n_values * sizeof(*out));
	for (size_t shard = 0; shard < layer_n_shards(layer->features->dim); shard++) {
		const float *restrict part = partial_of(layer, shard) + begin * layer->n_out;

		for (size_t i = 0; i < n_values; i++)
			out[i] += part[i];
	}
}

void layer_backward(struct layer *layer, size_t n, size_t slice, struct adamw_rates rates,
		    struct adamw *opt, float *grad)
{
	size_t first = slice * LAYER_SLICE;
	size_t width = piece_width(layer, first, LAYER_SLICE);

	linalg_matmul_transposed(layer->x + first, layer->features->dim, n, width, layer->dout,
				 layer->n_out, grad);
	adamw_update(opt, rates, first * layer->n_out, width * layer->n_out, grad, layer->weight);
}
