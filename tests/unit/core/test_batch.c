/* SPDX-License-Identifier: Apache-2.0 */
/* test_batch.c - training on whole batches of dense pairs (batch.c, layer.c). */
#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/math/logmath.h"
#include "core/train/trainer.h"
#include "tests/unit/core/dense_fixture.h"
#include "tests/unit/unit.h"

#define K     3
#define H     5
#define ALPHA 0.5

static struct train_options batch_options(enum router_kind kind)
{
	struct train_options options;

	train_defaults(OBJECTIVE_MICRO, &options);
	options.n_heads = K;
	options.router = kind;
	options.n_hidden = H;
	options.alpha = ALPHA;
	options.init_scale = 1;
	options.epochs = 4;
	options.batch = 40;
	options.learning_rate = 0.01;
	options.holdout = 0.2;
	return options;
}

static void train(bool sparse, const struct train_options *options, struct model *model)
{
	struct dataset data;
	struct err err;

	dense_pairs(sparse, &data);
	dense_model(K, options->router, H, model);
	ck_assert_msg(train_run(&data, options, NULL, NULL, model, &err) == STATUS_OK, "%s",
		      err.msg);
	dataset_free(&data);
}

/* ---- the gradient ---- */

/* weights in double, so that differences of the loss are exact enough */
struct weights {
	double *heads;	/* [DENSE_DIM, K] */
	double *router; /* as router.params */
};

static double dot_column(const float *x, const double *a, size_t m, size_t column)
{
	double sum = 0;

	for (size_t d = 0; d < DENSE_DIM; d++)
		sum += (double)x[d] * a[d * m + column];
	return sum;
}

/* g(c,x) of router.h, written once more */
static void logits_at(const struct router *router, const double *params, const float *psi,
		      double *logits)
{
	const double *bias = params + (router->bias - router->params);

	for (size_t k = 0; k < K; k++) {
		logits[k] = bias[k];
		if (router->kind == ROUTER_LINEAR)
			logits[k] += dot_column(psi, params, K, k);
	}
	if (router->kind != ROUTER_MLP)
		return;
	for (size_t h = 0; h < H; h++) {
		double z = params[(size_t)(router->bias0 - router->params) + h] +
			   dot_column(psi, params, H, h);
		const double *w2 = params + (router->weight2 - router->params) + h * K;

		for (size_t k = 0; k < K; k++)
			logits[k] += z > 0 ? z * w2[k] : 0;
	}
}

/* Mean over all pairs of the loss of eq. (2)-(4). */
static double mean_loss(const struct dataset *data, const struct router *router,
			const struct weights *w)
{
	double sum = 0;

	for (size_t i = 0; i < data->n_pairs; i++) {
		double g[K], joint[K], regularizer = 0;
		const float *chosen = features_row(&data->phi, data->chosen[i]).value;
		const float *rejected = features_row(&data->phi, data->rejected[i]).value;

		logits_at(router, w->router, features_row(&data->psi, data->prompt[i]).value, g);
		log_softmax(g, K);
		for (size_t k = 0; k < K; k++) {
			joint[k] = g[k] + log_sigmoid(dot_column(chosen, w->heads, K, k) -
						      dot_column(rejected, w->heads, K, k));
			regularizer += exp(g[k]) * g[k];
		}
		sum += ALPHA * regularizer - log_sum_exp(joint, K);
	}
	return sum / (double)data->n_pairs;
}

static double *doubles_of(const float *x, size_t n)
{
	double *copy = mem_array(n, sizeof(*copy));

	ck_assert_ptr_nonnull(copy);
	for (size_t i = 0; i < n; i++)
		copy[i] = x[i];
	return copy;
}

/* After its first step AdamW's mean is (1 - beta1) times the gradient. */
static void assert_slopes(const struct dataset *data, const struct router *router,
			  const struct weights *w, double *params, const struct adamw *opt,
			  size_t stride)
{
	const double step = 1e-5;

	for (size_t p = 0; p < opt->n_params; p += stride) {
		double before = params[p], got = opt->mean[p] / (1 - opt->beta1), up, slope;

		params[p] = before + step;
		up = mean_loss(data, router, w);
		params[p] = before - step;
		slope = (up - mean_loss(data, router, w)) / (2 * step);
		params[p] = before;
		ck_assert_msg(fabs(got - slope) <= 1e-6 + 1e-4 * fabs(slope),
			      "parameter %zu: gradient %.9g, finite difference %.9g", p, got,
			      slope);
	}
}

START_TEST(gradient_of_a_batch_is_the_slope_of_its_mean_loss)
{
	struct train_options options = batch_options((enum router_kind)_i);
	struct trainer t = {.options = &options, .objective = &stage1_objective};
	struct dataset data;
	struct weights w;
	struct model model;

	options.batch = DENSE_PAIRS;
	options.holdout = 0;
	options.n_threads = 2;
	dense_pairs(false, &data);
	dense_model(K, options.router, H, &model);
	t.dataset = &data;
	t.model = &model;
	ck_assert_int_eq(trainer_init(&t, NULL), STATUS_OK);
	w.heads = doubles_of(model.heads.weight, DENSE_DIM * K);
	w.router = doubles_of(model.router.params, model.router.n_params);
	ck_assert_int_eq(trainer_epoch(&t, 1, NULL), STATUS_OK);
	ck_assert_uint_eq(t.step, 1);
	assert_slopes(&data, &model.router, &w, w.heads, &t.heads_opt, 37);
	/* 37 and the widths have no common divisor; the last ones are few: all of them */
	assert_slopes(&data, &model.router, &w, w.router, &t.router_opt, 37);
	for (size_t i = 0; i < model.router.n_params && i < H + H * K + K; i++) {
		struct adamw last = t.router_opt;

		last.mean += last.n_params - 1 - i;
		last.n_params = 1;
		assert_slopes(&data, &model.router, &w, w.router + model.router.n_params - 1 - i,
			      &last, 1);
	}
	mem_free(w.heads);
	mem_free(w.router);
	trainer_free(&t);
	model_free(&model);
	dataset_free(&data);
}
END_TEST

/* ---- whole trainings ---- */

static void assert_near(const float *a, const float *b, size_t n, float tolerance)
{
	for (size_t i = 0; i < n; i++)
		ck_assert_msg(fabsf(a[i] - b[i]) <= tolerance, "number %zu: %.9g and %.9g", i,
			      (double)a[i], (double)b[i]);
}

START_TEST(batches_and_pairs_one_by_one_learn_the_same)
{
	struct train_options options = batch_options((enum router_kind)_i);
	struct model dense, sparse;

	train(false, &options, &dense);
	train(true, &options, &sparse);
	assert_near(dense.heads.weight, sparse.heads.weight, DENSE_DIM * K, 1e-5f);
	assert_near(dense.router.params, sparse.router.params, dense.router.n_params, 1e-5f);
	assert_near(dense.heads.center, sparse.heads.center, K, 1e-5f);
	model_free(&dense);
	model_free(&sparse);
}
END_TEST

START_TEST(threads_change_no_bit)
{
	for (int sparse = 0; sparse < 2; sparse++) {
		struct train_options options = batch_options((enum router_kind)_i);
		struct model models[4];

		for (size_t i = 0; i < LENGTH(models); i++) {
			options.n_threads = i / 2 + 1 + i / 3; /* 1 1 2 3 */
			train(sparse, &options, &models[i]);
			ck_assert_str_eq(models[i].id, models[0].id);
			ck_assert_mem_eq(models[i].heads.weight, models[0].heads.weight,
					 DENSE_DIM * K * sizeof(float));
			ck_assert_mem_eq(models[i].router.params, models[0].router.params,
					 models[0].router.n_params * sizeof(float));
		}
		for (size_t i = 0; i < LENGTH(models); i++)
			model_free(&models[i]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("batch");
	TCase *tcase = tcase_create("batch");

	tcase_add_loop_test(tcase, gradient_of_a_batch_is_the_slope_of_its_mean_loss, 0,
			    N_ROUTER_KINDS);
	tcase_add_loop_test(tcase, batches_and_pairs_one_by_one_learn_the_same, 0, N_ROUTER_KINDS);
	tcase_add_loop_test(tcase, threads_change_no_bit, 0, N_ROUTER_KINDS);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
