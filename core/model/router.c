/* SPDX-License-Identifier: Apache-2.0 */
/* router.c - logits g(c,x) from psi(c,x): static, linear or mlp  (MiCRo, section 3) */
#include "core/model/router.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/math/linalg.h"

const char *router_kind_name(enum router_kind kind)
{
	static const char *const names[] = {"static", "linear", "mlp"};

	assert((unsigned)kind < N_ROUTER_KINDS);
	return names[kind];
}

size_t router_first_n_out(const struct router *router)
{
	if (router->kind == ROUTER_MLP)
		return router->n_hidden;
	return router->kind == ROUTER_LINEAR ? router->n_heads : 0;
}

enum status router_init(struct router *router, enum router_kind kind, size_t dim, size_t n_heads,
			size_t n_hidden, struct err *err)
{
	size_t n_first, n_last;

	*router = (struct router){
	    .kind = kind,
	    .dim = dim,
	    .n_heads = n_heads,
	    .n_hidden = kind == ROUTER_MLP ? n_hidden : 0,
	};
	if (!mem_mul(dim, router_first_n_out(router), &n_first) ||
	    !mem_mul(router->n_hidden, n_heads, &n_last) || n_first > SIZE_MAX / 2 ||
	    n_last > SIZE_MAX / 4)
		return err_no_memory(err, "router");
	router->n_params = n_first + router->n_hidden + n_last + n_heads;
	router->params = mem_array(router->n_params, sizeof(*router->params));
	if (router->params == NULL)
		return err_no_memory(err, "router");
	if (n_first > 0)
		router->first = router->params;
	if (kind == ROUTER_MLP) {
		router->bias0 = router->params + n_first;
		router->weight2 = router->bias0 + router->n_hidden;
	}
	router->bias = router->params + router->n_params - n_heads;
	return STATUS_OK;
}

void router_free(struct router *router)
{
	mem_free(router->params);
	*router = (struct router){0};
}

void router_randomize(struct router *router, struct rng *rng)
{
	if (router->kind != ROUTER_MLP)
		return;

	double scale0 = sqrt(2.0 / (double)router->dim);
	double scale2 = 0.01 / sqrt((double)router->n_hidden);

	for (size_t i = 0; i < router->dim * router->n_hidden; i++)
		router->first[i] = (float)(scale0 * rng_normal(rng));
	for (size_t i = 0; i < router->n_hidden * router->n_heads; i++)
		router->weight2[i] = (float)(scale2 * rng_normal(rng));
}

/* out [m] += x [n] * a [n, m], for the small layers after the first */
static void add_vecmat(const float *x, const float *a, size_t n, size_t m, float *out)
{
	for (size_t i = 0; i < n; i++) {
		const float *restrict a_row = a + i * m;

		for (size_t j = 0; j < m; j++)
			out[j] += x[i] * a_row[j];
	}
}

/* Not fmaxf(): that makes 0 of a NaN, and an overflow would pass for a result. */
static float relu(float x)
{
	return x < 0 ? 0 : x;
}

void router_activate(const struct router *router, float *first)
{
	for (size_t h = 0; h < router->n_hidden; h++)
		first[h] = relu(first[h] + router->bias0[h]);
}

void router_finish_row(const struct router *router, float *first, float *logits_out)
{
	size_t n_heads = router->n_heads;

	memcpy(logits_out, router->bias, n_heads * sizeof(*logits_out));
	if (router->kind == ROUTER_LINEAR) {
		for (size_t k = 0; k < n_heads; k++)
			logits_out[k] += first[k];
	} else if (router->kind == ROUTER_MLP) {
		router_activate(router, first);
		add_vecmat(first, router->weight2, router->n_hidden, n_heads, logits_out);
	}
}

void router_logits(const struct router *router, struct feature_row psi, float *hidden,
		   float *logits_out)
{
	if (router->kind == ROUTER_LINEAR) {
		feature_row_times(psi, router->first, router->n_heads, logits_out);
		for (size_t k = 0; k < router->n_heads; k++)
			logits_out[k] += router->bias[k];
		return;
	}
	if (router->kind == ROUTER_MLP)
		feature_row_times(psi, router->first, router->n_hidden, hidden);
	router_finish_row(router, hidden, logits_out);
}

static void add_to_rows(const float *bias, size_t n, size_t m, float *x)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < m; j++)
			x[i * m + j] += bias[j];
	}
}

void router_finish(const struct router *router, size_t n, float *first, float *logits_out)
{
	size_t n_heads = router->n_heads;
	size_t n_hidden = router->n_hidden;

	switch (router->kind) {
	case ROUTER_LINEAR:
		memcpy(logits_out, first, n * n_heads * sizeof(*logits_out));
		break;
	case ROUTER_MLP:
		add_to_rows(router->bias0, n, n_hidden, first);
		for (size_t i = 0; i < n * n_hidden; i++)
			first[i] = relu(first[i]);
		linalg_matmul(first, n_hidden, n, n_hidden, router->weight2, n_heads, logits_out);
		break;
	default:
		memset(logits_out, 0, n * n_heads * sizeof(*logits_out));
		break;
	}
	add_to_rows(router->bias, n, n_heads, logits_out);
}

void router_backward(const struct router *router, struct feature_row psi, const float *hidden,
		     const float *dlogits, float *scratch, float *grad)
{
	size_t n_heads = router->n_heads;
	size_t n_hidden = router->n_hidden;
	float *grad_bias = grad + (router->bias - router->params);

	for (size_t k = 0; k < n_heads; k++)
		grad_bias[k] += dlogits[k];
	if (router->kind == ROUTER_LINEAR)
		feature_row_add_outer(psi, dlogits, n_heads, grad);
	if (router->kind != ROUTER_MLP)
		return;

	float *grad_bias0 = grad + (router->bias0 - router->params);
	float *grad_weight2 = grad + (router->weight2 - router->params);

	/* dL/dhidden = W2^T dlogits where the unit is on; dL/dW2 = hidden x dlogits */
	for (size_t h = 0; h < n_hidden; h++) {
		const float *w = router->weight2 + h * n_heads;
		float d = 0;

		for (size_t k = 0; k < n_heads; k++) {
			d += w[k] * dlogits[k];
			grad_weight2[h * n_heads + k] += hidden[h] * dlogits[k];
		}
		scratch[h] = hidden[h] > 0 ? d : 0;
		grad_bias0[h] += scratch[h];
	}
	feature_row_add_outer(psi, scratch, n_hidden, grad);
}
