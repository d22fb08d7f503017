/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/math/logmath.h"
#include "core/model/router.h"
#include "tests/unit/core/golden_fixture.h"
#include "tests/unit/unit.h"

#define K 5 /* of the golden case */
#define D 7
#define H 6
#define N 4

#define MAX_PARAMS (D * H + H + H * K + K)

/* x without its zeros */
struct sparse {
	uint32_t index[D];
	float value[D];
};

static struct feature_row without_zeros(const float *x, struct sparse *out)
{
	size_t n = 0;

	for (size_t d = 0; d < D; d++) {
		if (x[d] != 0) {
			out->index[n] = (uint32_t)d;
			out->value[n++] = x[d];
		}
	}
	return (struct feature_row){
	    .dim = D, .n_values = n, .index = out->index, .value = out->value};
}

static void transpose(const float *in, size_t n_rows, size_t n_columns, float *out)
{
	for (size_t i = 0; i < n_rows; i++) {
		for (size_t j = 0; j < n_columns; j++)
			out[j * n_rows + i] = in[i * n_columns + j];
	}
}

static void bind(const json_t *tensors, const char *name, size_t n_rows, size_t n_columns,
		 float *out)
{
	float values[MAX_PARAMS];

	golden_floats(golden_get(tensors, name), values, n_rows * n_columns);
	transpose(values, n_rows, n_columns, out);
}

/* Router i of the golden file; the order there is that of enum router_kind. */
static void golden_router(const json_t *root, int i, struct router *router, const json_t **item_out)
{
	const json_t *item = json_array_get(golden_get(root, "routers"), (size_t)i);
	const json_t *tensors = golden_get(item, "tensors");

	ck_assert_str_eq(json_string_value(golden_get(item, "kind")), router_kind_name(i));
	ck_assert(router_init(router, i, D, K, H, NULL) == STATUS_OK);
	if (i == ROUTER_MLP) {
		bind(tensors, "router.0.weight", H, D, router->first);
		bind(tensors, "router.0.bias", 1, H, router->bias0);
		bind(tensors, "router.2.weight", K, H, router->weight2);
		bind(tensors, "router.2.bias", 1, K, router->bias);
	} else {
		bind(tensors, "router.bias", 1, K, router->bias);
	}
	if (i == ROUTER_LINEAR)
		bind(tensors, "router.weight", K, D, router->first);
	*item_out = item;
}

/* ---- router_init ---- */

START_TEST(init_lays_the_parameters_in_one_block)
{
	static const struct {
		enum router_kind kind;
		size_t n_params;
	} cases[] = {{ROUTER_STATIC, K}, {ROUTER_LINEAR, D * K + K}, {ROUTER_MLP, MAX_PARAMS}};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct router router;

		ck_assert(router_init(&router, cases[i].kind, D, K, H, NULL) == STATUS_OK);
		ck_assert_uint_eq(router.n_params, cases[i].n_params);
		ck_assert_ptr_eq(router.bias + K, router.params + router.n_params);
		ck_assert_uint_eq(router.n_hidden, cases[i].kind == ROUTER_MLP ? H : 0);
		for (size_t p = 0; p < router.n_params; p++)
			ck_assert_float_eq(router.params[p], 0);
		router_free(&router);
		ck_assert_ptr_null(router.params);
	}
}
END_TEST

START_TEST(init_refuses_a_size_that_overflows)
{
	struct router router;
	struct err err;

	ck_assert(router_init(&router, ROUTER_LINEAR, SIZE_MAX / 2, 3, 0, &err) ==
		  STATUS_NO_MEMORY);
	ck_assert(router_init(&router, ROUTER_MLP, 3, SIZE_MAX / 2, 3, &err) == STATUS_NO_MEMORY);
	ck_assert(router_init(&router, ROUTER_MLP, SIZE_MAX / 8, 2, 3, &err) == STATUS_NO_MEMORY);
	ck_assert_str_eq(err.msg, "out of memory for router");
}
END_TEST

/* ---- router_randomize ---- */

START_TEST(randomize_leaves_static_and_linear_uniform)
{
	for (int kind = ROUTER_STATIC; kind <= ROUTER_LINEAR; kind++) {
		struct router router;
		struct rng rng;

		ck_assert(router_init(&router, kind, D, K, 0, NULL) == STATUS_OK);
		rng_init(&rng, 1);
		router_randomize(&router, &rng);
		for (size_t p = 0; p < router.n_params; p++)
			ck_assert_float_eq(router.params[p], 0);
		router_free(&router);
	}
}
END_TEST

START_TEST(randomize_scales_the_layers_of_the_mlp)
{
	const size_t dim = 200, n_hidden = 128, n_heads = 16;
	double first = 0, last = 0;
	struct router router;
	struct rng rng;

	ck_assert(router_init(&router, ROUTER_MLP, dim, n_heads, n_hidden, NULL) == STATUS_OK);
	rng_init(&rng, 1);
	router_randomize(&router, &rng);
	for (size_t i = 0; i < dim * n_hidden; i++)
		first += pow(router.first[i], 2) / (double)(dim * n_hidden);
	for (size_t i = 0; i < n_hidden * n_heads; i++)
		last += pow(router.weight2[i], 2) / (double)(n_hidden * n_heads);
	ck_assert_double_eq_tol(first, 2.0 / (double)dim, 0.05 * 2.0 / (double)dim);
	ck_assert_double_eq_tol(last, 1e-4 / (double)n_hidden, 0.1 * 1e-4 / (double)n_hidden);
	for (size_t i = 0; i < n_hidden; i++)
		ck_assert_float_eq(router.bias0[i], 0);
	router_free(&router);
}
END_TEST

/* ---- router_logits ---- */

START_TEST(logits_have_the_golden_values_dense_and_sparse)
{
	json_t *root = golden_open(TESTS_DIR "/golden/model.json");
	float psi[N * D], hidden[H], logits[K];
	double want[N * K];
	struct sparse sparse;
	struct router router;
	const json_t *item;

	golden_router(root, _i, &router, &item);
	golden_floats(golden_get(item, "psi"), psi, N * D);
	golden_doubles(golden_get(item, "logits"), want, N * K);
	for (size_t i = 0; i < N; i++) {
		const float *x = psi + i * D;

		router_logits(&router, feature_row_dense(x, D), hidden, logits);
		for (size_t k = 0; k < K; k++)
			ck_assert_double_eq_tol(logits[k], want[i * K + k], 1e-4);
		router_logits(&router, without_zeros(x, &sparse), hidden, logits);
		for (size_t k = 0; k < K; k++)
			ck_assert_double_eq_tol(logits[k], want[i * K + k], 1e-4);
	}
	router_free(&router);
	json_decref(root);
}
END_TEST

START_TEST(logits_show_an_overflow_of_the_hidden_layer)
{
	const float psi[D] = {3e38f, 3e38f};
	float hidden[H], logits[K];
	struct sparse sparse;
	struct router router;

	ck_assert(router_init(&router, ROUTER_MLP, D, K, H, NULL) == STATUS_OK);
	router.first[0] = 3e38f; /* unit 0: infinity minus infinity */
	router.first[H] = -3e38f;
	router_logits(&router, without_zeros(psi, &sparse), hidden, logits);
	ck_assert(isnan(hidden[0]));
	for (size_t k = 0; k < K; k++)
		ck_assert_msg(!isfinite(logits[k]), "head %zu: %g", k, logits[k]);
	router_free(&router);
}
END_TEST

/* ---- router_backward ---- */

/* -log softmax(g)_target, the loss whose gradient at the logits is softmax(g) - e_target */
static double loss_at(const struct router *router, struct feature_row psi, size_t target)
{
	float hidden[H], logits[K];
	double g[K];

	router_logits(router, psi, hidden, logits);
	for (size_t k = 0; k < K; k++)
		g[k] = logits[k];
	return log_sum_exp(g, K) - g[target];
}

static void gradient_at(const struct router *router, struct feature_row psi, size_t target,
			float *grad)
{
	float hidden[H], logits[K], scratch[H], dlogits[K];
	double g[K];

	router_logits(router, psi, hidden, logits);
	for (size_t k = 0; k < K; k++)
		g[k] = logits[k];
	log_softmax(g, K);
	for (size_t k = 0; k < K; k++)
		dlogits[k] = (float)(exp(g[k]) - (k == target));
	router_backward(router, psi, hidden, dlogits, scratch, grad);
}

/* A hidden unit near its kink would make the difference quotient meaningless. */
static bool far_from_kinks(const struct router *router, const float *x)
{
	for (size_t h = 0; h < router->n_hidden; h++) {
		double z = router->bias0[h];

		for (size_t d = 0; d < D; d++)
			z += (double)x[d] * router->first[d * router->n_hidden + h];
		if (fabs(z) < 0.1)
			return false;
	}
	return true;
}

static size_t check_gradient(struct router *router, const float *x)
{
	const float step = 1.0f / 256;
	float dense[MAX_PARAMS] = {0}, sparse[MAX_PARAMS] = {0};
	struct feature_row row = feature_row_dense(x, D);
	struct sparse buffer;

	if (!far_from_kinks(router, x))
		return 0;
	gradient_at(router, row, 2, dense);
	gradient_at(router, without_zeros(x, &buffer), 2, sparse);
	for (size_t p = 0; p < router->n_params; p++) {
		float before = router->params[p];
		double up, down;

		router->params[p] = before + step;
		up = loss_at(router, row, 2);
		router->params[p] = before - step;
		down = loss_at(router, row, 2);
		router->params[p] = before;
		ck_assert_msg(fabs((up - down) / (2 * step) - dense[p]) <= 1e-3,
			      "parameter %zu: %g, want %g", p, dense[p], (up - down) / (2 * step));
		ck_assert_msg(fabsf(sparse[p] - dense[p]) <= 1e-6f,
			      "parameter %zu: sparse %g, "
			      "dense %g",
			      p, sparse[p], dense[p]);
	}
	return 1;
}

START_TEST(backward_is_the_difference_quotient)
{
	struct router router;
	size_t n_checked = 0;
	struct rng rng;

	ck_assert(router_init(&router, _i, D, K, H, NULL) == STATUS_OK);
	rng_init(&rng, 7);
	for (size_t trial = 0; trial < 20; trial++) {
		float x[D];

		for (size_t p = 0; p < router.n_params; p++)
			router.params[p] = (float)rng_normal(&rng);
		for (size_t d = 0; d < D; d++)
			x[d] = rng_below(&rng, 3) == 0 ? 0 : (float)rng_normal(&rng);
		n_checked += check_gradient(&router, x);
	}
	ck_assert_uint_ge(n_checked, 5);
	router_free(&router);
}
END_TEST

START_TEST(backward_adds_to_the_gradient)
{
	const float x[D] = {1, 0, -1, 2, 0, 0, 0.5f};
	float once[MAX_PARAMS] = {0}, twice[MAX_PARAMS] = {0};
	struct router router;
	struct rng rng;

	ck_assert(router_init(&router, _i, D, K, H, NULL) == STATUS_OK);
	rng_init(&rng, 8);
	router_randomize(&router, &rng);
	gradient_at(&router, feature_row_dense(x, D), 0, once);
	gradient_at(&router, feature_row_dense(x, D), 0, twice);
	gradient_at(&router, feature_row_dense(x, D), 0, twice);
	for (size_t p = 0; p < router.n_params; p++)
		ck_assert_float_eq_tol(twice[p], 2 * once[p], 1e-7f);
	router_free(&router);
}
END_TEST

START_TEST(backward_gives_nothing_to_a_unit_that_is_off)
{
	const float x[D] = {1, 1, 1, 1, 1, 1, 1};
	float grad[MAX_PARAMS] = {0};
	struct router router;
	struct rng rng;

	ck_assert(router_init(&router, ROUTER_MLP, D, K, H, NULL) == STATUS_OK);
	rng_init(&rng, 9);
	router_randomize(&router, &rng);
	router.bias0[3] = -100;
	gradient_at(&router, feature_row_dense(x, D), 1, grad);
	for (size_t d = 0; d < D; d++)
		ck_assert_float_eq(grad[d * H + 3], 0);
	ck_assert_float_eq(grad[D * H + 3], 0);
	for (size_t k = 0; k < K; k++)
		ck_assert_float_eq(grad[D * H + H + 3 * K + k], 0);
	router_free(&router);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("router");
	TCase *init = tcase_create("init"), *logits = tcase_create("logits");
	TCase *backward = tcase_create("backward");

	tcase_add_test(init, init_lays_the_parameters_in_one_block);
	tcase_add_test(init, init_refuses_a_size_that_overflows);
	tcase_add_test(init, randomize_leaves_static_and_linear_uniform);
	tcase_add_test(init, randomize_scales_the_layers_of_the_mlp);
	tcase_add_loop_test(logits, logits_have_the_golden_values_dense_and_sparse, 0,
			    N_ROUTER_KINDS);
	tcase_add_test(logits, logits_show_an_overflow_of_the_hidden_layer);
	tcase_add_loop_test(backward, backward_is_the_difference_quotient, 0, N_ROUTER_KINDS);
	tcase_add_loop_test(backward, backward_adds_to_the_gradient, 0, N_ROUTER_KINDS);
	tcase_add_test(backward, backward_gives_nothing_to_a_unit_that_is_off);
	suite_add_tcase(suite, init);
	suite_add_tcase(suite, logits);
	suite_add_tcase(suite, backward);
	return unit_run(suite);
}
