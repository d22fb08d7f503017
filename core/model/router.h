/* SPDX-License-Identifier: Apache-2.0 */
/*
 * router.h - logits g(c,x) over the heads from psi(c,x), and its gradients.
 *
 *   static   g = b
 *   linear   g = V psi + b
 *   mlp      g = W2 relu(W0 psi + b0) + b2     (the paper's router, H = 128)
 *
 * All parameters stand in one block, so an optimizer needs no list of tensors.
 * First-layer weights are stored by feature, [dim, n_out], as in heads.h.
 */
#ifndef MICRO_MODEL_ROUTER_H
#define MICRO_MODEL_ROUTER_H

#include <stddef.h>

#include "core/base/err.h"
#include "core/base/rng.h"
#include "core/encode/features.h"

#define ROUTER_MAX_HIDDEN 65536

enum router_kind { ROUTER_STATIC, ROUTER_LINEAR, ROUTER_MLP, N_ROUTER_KINDS };

struct router {
	enum router_kind kind;
	size_t dim;
	size_t n_heads;
	size_t n_hidden; /* 0 unless mlp */
	size_t n_params; /* length of params */
	float *params;	 /* the block; the pointers below point into it */
	float *first;	 /* linear: [dim, n_heads]; mlp: [dim, n_hidden]; static: NULL */
	float *bias0;	 /* mlp: [n_hidden], else NULL */
	float *weight2;	 /* mlp: [n_hidden, n_heads], else NULL */
	float *bias;	 /* [n_heads] */
};

/** router_kind_name(kind): "static", "linear" or "mlp". */
const char *router_kind_name(enum router_kind kind);

/** router_init(router, kind, dim, n_heads, n_hidden, err): all zero; router_free() releases. */
enum status router_init(struct router *router, enum router_kind kind, size_t dim, size_t n_heads,
			size_t n_hidden, struct err *err);

/** router_free(router): frees the block. */
void router_free(struct router *router);

/**
 * router_randomize(router, rng): mlp: first layer N(0, 2/dim) (He), last layer
 * N(0, 0.01^2 / n_hidden); linear and static stay zero, so that the start is uniform.
 */
void router_randomize(struct router *router, struct rng *rng);

/**
 * router_logits(router, psi, hidden, logits_out): logits_out [n_heads].
 * hidden: scratch [n_hidden], holds relu(W0 psi + b0) afterwards (mlp only).
 */
void router_logits(const struct router *router, struct feature_row psi, float *hidden,
		   float *logits_out);

/** router_first_n_out(router): outputs of the first layer: n_hidden, n_heads (linear), 0 (static).
 */
size_t router_first_n_out(const struct router *router);

/** router_activate(router, first): what an mlp's second layer reads, in place of first
 * [n_hidden], one row's product with the first layer's weights. */
void router_activate(const struct router *router, float *first);

/**
 * router_finish_row(router, first, logits_out): logits_out [n_heads] of one row whose product
 * with the first layer's weights is first [n_first_out], as in router_finish().
 */
void router_finish_row(const struct router *router, float *first, float *logits_out);

/**
 * router_finish(router, n, first, logits_out): logits_out [n, n_heads] of n rows whose
 * products with the first layer's weights are first [n, n_first_out], which holds
 * relu(W0 psi + b0) afterwards (mlp only).
 */
void router_finish(const struct router *router, size_t n, float *first, float *logits_out);

/**
 * router_backward(router, psi, hidden, dlogits, scratch, grad): add to
 * grad (same block layout as params, [n_params]) the gradient of one example
 * whose loss gradient at the logits is dlogits [n_heads]; hidden [n_hidden] as
 * router_logits() left it; scratch [n_hidden].
 */
void router_backward(const struct router *router, struct feature_row psi, const float *hidden,
		     const float *dlogits, float *scratch, float *grad);

#endif
