/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/math/logmath.h"
#include "core/train/stage2_fit.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/unit.h"

#define K   3
#define TAU 0.5

/* A fit of the two contexts, its router with these logits in "even" and (0, 0, 0) in "odd". */
static const double even_logits[K] = {0.3, -0.8, 1.1};

static struct dataset data;
static struct model model;
static struct stage2_pairs pairs;
static struct stage2_options options;
static struct stage2_fit fit;

static void setup(void)
{
	struct rng rng;

	rng_init(&rng, 1);
	stage2_defaults(&options);
	options.batch = 4;
	options.learning_rate = 1e-9;
	pairs_two_tastes(6, 2, 1, &data);
	pairs_set_contexts(&data);
	pairs_opposed_model(ROUTER_LINEAR, 0, &model);
	for (size_t k = 0; k < K; k++)
		model.router.first[k] = (float)even_logits[k];
	ck_assert_int_eq(stage2_pairs_init(&pairs, &data, &model, 12, 3, &rng, NULL), STATUS_OK);
}

static void teardown(void)
{
	stage2_fit_free(&fit);
	stage2_pairs_free(&pairs);
	model_free(&model);
	dataset_free(&data);
}

static void start(enum stage2_method method, uint32_t left_out)
{
	fit = (struct stage2_fit){
	    .pairs = &pairs,
	    .options = &options,
	    .mask = model.mask,
	    .method = method,
	    .tau = TAU,
	};
	ck_assert_int_eq(stage2_fit_init(&fit, &model.router, left_out, NULL), STATUS_OK);
}

/* f_k of pair i, without log space; masked heads have none */
static void router_weights(size_t i, double f[K])
{
	bool even = pairs.row[i] == 0;
	double norm = 0;

	for (size_t k = 0; k < K; k++) {
		f[k] = model.mask[k] ? 0 : exp(even ? (double)(float)even_logits[k] : 0);
		norm += f[k];
	}
	for (size_t k = 0; k < K; k++)
		f[k] /= norm;
}

static void normalize(double x[K])
{
	double norm = x[0] + x[1] + x[2];

	for (size_t k = 0; k < K; k++)
		x[k] /= norm;
}

static void assert_target(size_t i, const double want[K])
{
	for (size_t k = 0; k < K; k++)
		ck_assert_msg(fabs(fit.target[i * K + k] - want[k]) <= 1e-6,
			      "pair %zu, head %zu: %.9g, want %.9g", i, k, fit.target[i * K + k],
			      want[k]);
}

/* eq. (5) for pair i */
static void hedge_weights(size_t i, double omega[K])
{
	router_weights(i, omega);
	for (size_t k = 0; k < K; k++)
		omega[k] *= pow(exp(-pairs.loss[i * K + k]), 1 / TAU);
	normalize(omega);
}

START_TEST(losses_are_those_of_the_heads)
{
	for (size_t i = 0; i < pairs.n_pairs; i++) {
		const double *loss = pairs.loss + i * K;

		/* p_0 + p_1 = 1: the heads are opposed; the third knows nothing */
		ck_assert_double_eq_tol(exp(-loss[0]) + exp(-loss[1]), 1, 1e-6);
		ck_assert_double_eq_tol(loss[2], log(2), 1e-12);
		ck_assert((loss[0] < loss[1]) == (pairs.row[i] == 0));
	}
}
END_TEST

START_TEST(iterate_aims_at_each_pairs_own_weights)
{
	double omega[K];

	start(STAGE2_ITERATE, STAGE2_NO_FOLD);
	ck_assert_int_eq(stage2_fit_epoch(&fit, NULL), STATUS_OK);
	for (size_t i = 0; i < pairs.n_pairs; i++) {
		hedge_weights(i, omega);
		assert_target(i, omega);
	}
}
END_TEST

START_TEST(iterate_recomputes_them_once_an_epoch)
{
	double first, second;

	options.learning_rate = 0.1;
	start(STAGE2_ITERATE, STAGE2_NO_FOLD);
	ck_assert_int_eq(stage2_fit_epoch(&fit, NULL), STATUS_OK);
	first = fit.target[0];
	ck_assert_int_eq(stage2_fit_epoch(&fit, NULL), STATUS_OK);
	second = fit.target[0];
	ck_assert(fabs(first - second) > 1e-4);
}
END_TEST

/* All pairs of a context have the same f here, so its geometric mean is f itself. */
START_TEST(closed_form_aims_at_one_posterior_a_context)
{
	uint32_t left_out = _i == 0 ? STAGE2_NO_FOLD : 1;
	double omega[2][K];

	start(STAGE2_CLOSED_FORM, left_out);
	for (size_t i = 0; i < pairs.n_pairs; i++)
		router_weights(i, omega[pairs.row[i]]);
	for (size_t i = 0; i < pairs.n_pairs; i++) {
		for (size_t k = 0; k < K && pairs.fold[i] != left_out; k++)
			omega[pairs.row[i]][k] *= pow(exp(-pairs.loss[i * K + k]), 1 / TAU);
	}
	normalize(omega[0]);
	normalize(omega[1]);
	for (size_t i = 0; i < pairs.n_pairs; i++) {
		if (pairs.fold[i] != left_out)
			assert_target(i, omega[pairs.row[i]]);
	}
	ck_assert_uint_eq(fit.n_pairs, _i == 0 ? 12 : 8);
}
END_TEST

/* The pair's NLL; its gradient is in fit. */
static double gradient(size_t i)
{
	double nll;

	ck_assert_int_eq(stage2_fit_gradient(&fit, i, &nll, NULL), STATUS_OK);
	return nll;
}

static double log_preference(size_t i)
{
	double value;

	ck_assert_int_eq(stage2_fit_log_preference(&fit, i, &value, NULL), STATUS_OK);
	return value;
}

/* -sum_k omega_k log f_k of pair i */
static double cross_entropy(size_t i)
{
	double loss = 0;

	gradient(i);
	for (size_t k = 0; k < K; k++)
		loss -= fit.target[i * K + k] * fit.log_weight[k];
	return loss;
}

START_TEST(gradient_is_the_slope_of_the_cross_entropy)
{
	const float h = 1.0f / 256;

	start(_i == 0 ? STAGE2_ITERATE : STAGE2_CLOSED_FORM, STAGE2_NO_FOLD);
	ck_assert_int_eq(stage2_fit_epoch(&fit, NULL), STATUS_OK);
	for (size_t i = 0; i < pairs.n_pairs; i++) {
		for (size_t k = 0; k < K; k++) {
			float *x = &fit.router.bias[k];
			float before = *x;
			double up, down, slope;

			*x = before + h;
			up = cross_entropy(i);
			*x = before - h;
			down = cross_entropy(i);
			*x = before;
			slope = (up - down) / (2 * (double)h);
			gradient(i);
			ck_assert_msg(fabs((double)fit.dlogits[k] - slope) <= 1e-4,
				      "pair %zu, head %zu: gradient %.9g, finite difference %.9g",
				      i, k, (double)fit.dlogits[k], slope);
		}
	}
}
END_TEST

START_TEST(nll_is_the_mixtures)
{
	double f[K];

	start(STAGE2_ITERATE, STAGE2_NO_FOLD);
	for (size_t i = 0; i < pairs.n_pairs; i++) {
		double p = 0;

		router_weights(i, f);
		for (size_t k = 0; k < K; k++)
			p += f[k] * exp(-pairs.loss[i * K + k]);
		ck_assert_double_eq_tol(log_preference(i), log(p), 1e-6);
		ck_assert_double_eq_tol(gradient(i), -log(p), 1e-6);
	}
}
END_TEST

START_TEST(masked_head_gets_no_weight_and_no_gradient)
{
	model.mask[0] = true;
	start(_i == 0 ? STAGE2_ITERATE : STAGE2_CLOSED_FORM, STAGE2_NO_FOLD);
	ck_assert_int_eq(stage2_fit_epoch(&fit, NULL), STATUS_OK);
	for (size_t i = 0; i < pairs.n_pairs; i++) {
		double omega[K];

		ck_assert(fit.target[i * K] == 0);
		ck_assert_double_eq_tol(fit.target[i * K + 1] + fit.target[i * K + 2], 1, 1e-12);
		if (_i == 0) {
			hedge_weights(i, omega);
			assert_target(i, omega);
		}
		gradient(i);
		ck_assert(fit.dlogits[0] == 0);
		ck_assert(isfinite(log_preference(i)));
	}
	ck_assert(fit.router.bias[0] == model.router.bias[0]);
	ck_assert(fit.router.first[0] == model.router.first[0]);
}
END_TEST

static bool stop(void *context, size_t n_done, double nll)
{
	size_t *n_calls = context;

	ck_assert_uint_eq(n_done, 12);
	ck_assert(isfinite(nll));
	++*n_calls;
	return false;
}

START_TEST(report_stops_the_epoch)
{
	size_t n_calls = 0;

	start(STAGE2_ITERATE, STAGE2_NO_FOLD);
	fit.report = stop;
	fit.report_context = &n_calls;
	ck_assert_int_eq(stage2_fit_epoch(&fit, NULL), STATUS_INTERRUPTED);
	ck_assert_uint_eq(n_calls, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stage2_fit");
	TCase *tcase = tcase_create("stage2_fit");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, losses_are_those_of_the_heads);
	tcase_add_test(tcase, iterate_aims_at_each_pairs_own_weights);
	tcase_add_test(tcase, iterate_recomputes_them_once_an_epoch);
	tcase_add_loop_test(tcase, closed_form_aims_at_one_posterior_a_context, 0, 2);
	tcase_add_loop_test(tcase, gradient_is_the_slope_of_the_cross_entropy, 0, 2);
	tcase_add_test(tcase, nll_is_the_mixtures);
	tcase_add_loop_test(tcase, masked_head_gets_no_weight_and_no_gradient, 0, 2);
	tcase_add_test(tcase, report_stops_the_epoch);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
