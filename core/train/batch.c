/* SPDX-License-Identifier: Apache-2.0 */
#include "core/train/batch.h"

#include <assert.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/math/linalg.h"

/* pairs of one task where tasks are parts of the batch, and where they are shards of a part too */
#define PART	   16
#define SHARD_PART 128

static size_t n_parts(size_t n, size_t size)
{
	return (n + size - 1) / size;
}

static size_t part_size(size_t n, size_t size, size_t part)
{
	return n - part * size < size ? n - part * size : size;
}

/* Length of the first layer's weights, where the small parameters begin. */
static size_t first_n_weights(const struct router *router)
{
	return router->dim * router_first_n_out(router);
}

enum status batch_init(struct batch *batch, struct err *err)
{
	const struct router *router = &batch->model->router;
	size_t n_heads = batch->model->heads.n_heads;
	size_t n_first = router_first_n_out(router);
	enum status status;

	batch->n_grad = LAYER_SLICE * (n_first > n_heads ? n_first : n_heads);
	batch->phi_rows = mem_array(batch->capacity, 2 * sizeof(*batch->phi_rows));
	batch->psi_rows = mem_array(batch->capacity, sizeof(*batch->psi_rows));
	batch->logits = mem_array(batch->capacity, n_heads * sizeof(float));
	batch->dlogits = mem_array(batch->capacity, n_heads * sizeof(float));
	batch->weight2_t = mem_array(n_heads, router->n_hidden * sizeof(float));
	batch->tail_grad = mem_array(router->n_params - first_n_weights(router), sizeof(float));
	batch->grad = mem_array(pool_n_threads(batch->pool), batch->n_grad * sizeof(float));
	if (batch->phi_rows == NULL || batch->psi_rows == NULL || batch->logits == NULL ||
	    batch->dlogits == NULL || batch->weight2_t == NULL || batch->tail_grad == NULL ||
	    batch->grad == NULL)
		return err_no_memory(err, "a batch");
	status = layer_init(&batch->heads, &batch->dataset->phi, batch->model->heads.weight,
			    n_heads, batch->capacity, err);
	if (status == STATUS_OK)
		status = layer_init(&batch->first, &batch->dataset->psi, router->first, n_first,
				    batch->capacity, err);
	return status;
}

void batch_free(struct batch *batch)
{
	layer_free(&batch->heads);
	layer_free(&batch->first);
	mem_free(batch->phi_rows);
	mem_free(batch->psi_rows);
	mem_free(batch->logits);
	mem_free(batch->dlogits);
	mem_free(batch->weight2_t);
	mem_free(batch->tail_grad);
	mem_free(batch->grad);
	*batch = (struct batch){0};
}

static enum status gather_part(void *context, size_t part, size_t thread, struct err *err)
{
	struct batch *batch = context;
	size_t begin = part * PART, n = part_size(batch->n, PART, part);
	enum status status =
	    layer_gather_differences(&batch->heads, begin, batch->phi_rows + 2 * begin, n, err);

	(void)thread;
	if (status == STATUS_OK && batch->first.n_out > 0)
		status = layer_gather(&batch->first, begin, batch->psi_rows + begin, n, err);
	return status;
}

/* Shard by shard: its weights are in the cache while the parts of the batch go by. */
static enum status forward_shard(void *context, size_t task, size_t thread, struct err *err)
{
	struct batch *batch = context;
	size_t n_tasks = n_parts(batch->n, SHARD_PART);
	size_t shard = task / n_tasks, part = task % n_tasks;
	size_t begin = part * SHARD_PART, n = part_size(batch->n, SHARD_PART, part);

	(void)thread;
	(void)err;
	layer_forward(&batch->heads, begin, n, shard);
	if (batch->first.n_out > 0)
		layer_forward(&batch->first, begin, n, shard);
	return STATUS_OK;
}

/* weight2_t: second layer's weights by heads. */
static void transpose_weight2(struct batch *batch)
{
	const struct router *router = &batch->model->router;

	for (size_t h = 0; h < router->n_hidden; h++) {
		for (size_t k = 0; k < router->n_heads; k++)
			batch->weight2_t[k * router->n_hidden + h] =
			    router->weight2[h * router->n_heads + k];
	}
}

/*
 * Back to the outputs of the router's first layer, into its dout: dL/dhidden = dlogits W2^T where
 * the unit is on. As router_backward() does it for a pair.
 */
static void back_to_first(struct batch *batch, size_t begin, size_t n)
{
	const struct router *router = &batch->model->router;
	size_t n_first = batch->first.n_out;
	const float *dlogits = batch->dlogits + begin * router->n_heads;
	const float *out = batch->first.out + begin * n_first;
	float *dout = batch->first.dout + begin * n_first;

	if (router->kind == ROUTER_LINEAR)
		memcpy(dout, dlogits, n * n_first * sizeof(*dout));
	if (router->kind != ROUTER_MLP)
		return;
	linalg_matmul(dlogits, router->n_heads, n, router->n_heads, batch->weight2_t, n_first,
		      dout);
	for (size_t i = 0; i < n * n_first; i++)
		dout[i] = out[i] > 0 ? dout[i] : 0;
}

/* Margins, logits, losses, and the gradients at the wide layers' outputs. */
static enum status finish_part(void *context, size_t part, size_t thread, struct err *err)
{
	struct batch *batch = context;
	size_t begin = part * PART, n = part_size(batch->n, PART, part);

	(void)err;
	layer_sum(&batch->heads, begin, n);
	if (batch->first.n_out > 0)
		layer_sum(&batch->first, begin, n);
	/* a static router has no first layer */
	router_finish(&batch->model->router, n,
		      batch->first.n_out > 0 ? batch->first.out + begin * batch->first.n_out : NULL,
		      batch->logits + begin * batch->model->heads.n_heads);
	batch->losses(batch->losses_context, batch, begin, n, thread);
	back_to_first(batch, begin, n);
	return STATUS_OK;
}

enum status batch_forward(struct batch *batch, const uint32_t *pairs, size_t n, struct err *err)
{
	const struct dataset *data = batch->dataset;
	enum status status;

	assert(n <= batch->capacity);
	batch->n = n;
	for (size_t i = 0; i < n; i++) {
		batch->phi_rows[2 * i] = data->chosen[pairs[i]];
		batch->phi_rows[2 * i + 1] = data->rejected[pairs[i]];
		batch->psi_rows[i] = data->prompt[pairs[i]];
	}
	status = pool_run(batch->pool, n_parts(n, PART), gather_part, batch, err);
	if (status == STATUS_OK)
		status =
		    pool_run(batch->pool, layer_n_shards(data->phi.dim) * n_parts(n, SHARD_PART),
			     forward_shard, batch, err);
	transpose_weight2(batch);
	if (status == STATUS_OK)
		status = pool_run(batch->pool, n_parts(n, PART), finish_part, batch, err);
	return status;
}

/* sum [m] = the column sums of x [n, m] */
static void sum_rows(const float *x, size_t n, size_t m, float *sum)
{
	memset(sum, 0, m * sizeof(*sum));
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < m; j++)
			sum[j] += x[i * m + j];
	}
}

/* The step of all parameters behind the first layer: dL/dW2 = hidden^T dlogits, biases' sums. */
static void step_tail(struct batch *batch)
{
	const struct router *router = &batch->model->router;
	size_t n_first = first_n_weights(router);
	float *grad = batch->tail_grad;

	if (router->kind == ROUTER_MLP) {
		linalg_matmul_transposed(batch->first.out, router->n_hidden, batch->n,
					 router->n_hidden, batch->dlogits, router->n_heads,
					 grad + (router->weight2 - router->bias0));
		sum_rows(batch->first.dout, batch->n, router->n_hidden, grad);
	}
	sum_rows(batch->dlogits, batch->n, router->n_heads,
		 grad + (router->bias - router->params) - n_first);
	adamw_update(batch->router_opt, batch->router_rates, n_first, router->n_params - n_first,
		     grad, router->params);
}

/* The tail, then slices of the wide layers; no two have a parameter in common. */
static enum status step_part(void *context, size_t task, size_t thread, struct err *err)
{
	struct batch *batch = context;
	float *grad = batch->grad + thread * batch->n_grad;
	size_t slice;

	(void)err;
	if (task == 0) {
		step_tail(batch);
		return STATUS_OK;
	}
	slice = task - 1;
	layer_backward(&batch->heads, batch->n, slice, batch->heads_rates, batch->heads_opt, grad);
	if (batch->first.n_out > 0)
		layer_backward(&batch->first, batch->n, slice, batch->router_rates,
			       batch->router_opt, grad);
	return STATUS_OK;
}

void batch_step(struct batch *batch, double learning_rate)
{
	batch->heads_rates = adamw_begin(batch->heads_opt, learning_rate);
	batch->router_rates = adamw_begin(batch->router_opt, learning_rate);
	pool_run(batch->pool, 1 + layer_n_slices(batch->dataset->phi.dim), step_part, batch, NULL);
}
