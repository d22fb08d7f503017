/* SPDX-License-Identifier: Apache-2.0 */
/* test_drm.c - the objective drm: principal components, their signs and their scale. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/train/train.h"
#include "tests/unit/core/golden_fixture.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/unit.h"

#define MAX_DIM	  400
#define MAX_HEADS 8

/* Pairs of the rows of two matrices, kept dense or sparse. */
static void make_dataset(const float *chosen, const float *rejected, size_t n_pairs, size_t dim,
			 bool sparse, struct dataset *out)
{
	const float prompt[MAX_DIM] = {0};

	pairs_two_tastes(n_pairs, 0, 1, out);
	features_free(&out->phi);
	features_free(&out->psi);
	features_init(&out->phi, dim, sparse);
	features_init(&out->psi, dim, sparse);
	ck_assert(features_append(&out->psi, feature_row_dense(prompt, dim), NULL) == STATUS_OK);
	for (size_t i = 0; i < n_pairs; i++) {
		struct feature_row rows[] = {feature_row_dense(chosen + i * dim, dim),
					     feature_row_dense(rejected + i * dim, dim)};

		for (size_t j = 0; j < 2; j++)
			ck_assert(features_append(&out->phi, rows[j], NULL) == STATUS_OK);
		out->chosen[i] = (uint32_t)(2 * i);
		out->rejected[i] = (uint32_t)(2 * i + 1);
	}
}

static void make_model(size_t n_heads, size_t dim, struct model *out)
{
	struct encoder *encoder;
	char spec[32];

	snprintf(spec, sizeof(spec), "none:%zu", dim);
	ck_assert(encoder_open(spec, &encoder, NULL) == STATUS_OK);
	ck_assert(model_init(out, n_heads, ROUTER_STATIC, 0, encoder, NULL) == STATUS_OK);
	encoder_close(encoder);
}

static enum status solve(const struct dataset *data, size_t n_heads, struct model *model_out,
			 struct err *err)
{
	struct train_options options;

	train_defaults(OBJECTIVE_DRM, &options);
	options.n_heads = n_heads;
	options.holdout = 0;
	make_model(n_heads, data->phi.dim, model_out);
	return train_run(data, &options, NULL, NULL, model_out, err);
}

/* ---- against values that were found in another way ---- */

struct golden {
	float *chosen, *rejected; /* [n_pairs, dim] */
	size_t n_pairs, dim, n_heads;
	double component[MAX_HEADS * MAX_DIM];
	double scale;
};

static void read_golden(struct golden *g)
{
	json_t *root = golden_open(TESTS_DIR "/golden/components.json");
	const json_t *components = golden_get(root, "components");

	g->n_pairs = golden_rows(root, "chosen");
	g->n_heads = golden_rows(root, "components");
	g->dim = json_array_size(json_array_get(components, 0));
	ck_assert(g->dim <= MAX_DIM && g->n_heads <= MAX_HEADS);
	g->chosen = calloc(g->n_pairs * g->dim, sizeof(float));
	g->rejected = calloc(g->n_pairs * g->dim, sizeof(float));
	ck_assert(g->chosen != NULL && g->rejected != NULL);
	golden_floats(golden_get(root, "chosen"), g->chosen, g->n_pairs * g->dim);
	golden_floats(golden_get(root, "rejected"), g->rejected, g->n_pairs * g->dim);
	golden_doubles(components, g->component, g->n_heads * g->dim);
	g->scale = golden_number(root, "scale");
	json_decref(root);
}

/* dense, then sparse */
START_TEST(heads_are_the_components_of_an_independent_reference)
{
	struct golden g;
	struct dataset data;
	struct model model;
	struct err err;

	read_golden(&g);
	make_dataset(g.chosen, g.rejected, g.n_pairs, g.dim, _i == 1, &data);
	ck_assert_msg(solve(&data, g.n_heads, &model, &err) == STATUS_OK, "%s", err.msg);
	for (size_t k = 0; k < g.n_heads; k++) {
		for (size_t d = 0; d < g.dim; d++)
			ck_assert_double_eq_tol(model.heads.weight[d * g.n_heads + k],
						g.scale * g.component[k * g.dim + d], 2e-4);
		ck_assert_float_eq(model.router.bias[k], 0);
	}
	model_free(&model);
	dataset_free(&data);
	free(g.chosen);
	free(g.rejected);
}
END_TEST

/* Many more dimensions than the basis has columns: only iterating finds the directions. */
START_TEST(few_directions_are_found_among_many)
{
	enum { DIM = 400, N = 300 };
	static float chosen[N * DIM], rejected[N * DIM];
	const double spread[] = {4, 3, 2};
	struct dataset data;
	struct model model;
	struct rng rng;
	struct err err;

	rng_init(&rng, 3);
	/* directions 0, 100 and 200 vary most, all others a little */
	for (size_t i = 0; i < (size_t)N * DIM; i++)
		chosen[i] = (float)(0.3 * rng_normal(&rng));
	for (size_t i = 0; i < N; i++) {
		for (size_t j = 0; j < LENGTH(spread); j++)
			chosen[i * DIM + 100 * j] = (float)(spread[j] * (rng_normal(&rng) + 0.5));
	}
	make_dataset(chosen, rejected, N, DIM, false, &data);
	ck_assert_msg(solve(&data, 3, &model, &err) == STATUS_OK, "%s", err.msg);
	for (size_t k = 0; k < 3; k++) {
		double square = 0;

		for (size_t d = 0; d < DIM; d++)
			square += pow(model.heads.weight[d * 3 + k], 2);
		ck_assert_double_gt(model.heads.weight[100 * k * 3 + k] / sqrt(square), 0.97);
	}
	model_free(&model);
	dataset_free(&data);
}
END_TEST

/* ---- what it refuses ---- */

START_TEST(too_few_directions_are_refused)
{
	/* along feature 0 alone */
	const float chosen[] = {1, 0, 2, 0, 3, 0, 5, 0}, rejected[8] = {0};
	struct dataset data;
	struct model model;
	struct err err;

	make_dataset(chosen, rejected, 4, 2, false, &data);
	ck_assert(solve(&data, 1, &model, &err) == STATUS_OK);
	model_free(&model);
	ck_assert_int_eq(solve(&data, 2, &model, &err), STATUS_INVALID_VALUE);
	ck_assert_str_eq(err.msg, "the differences of the training pairs vary in 1 directions "
				  "only, too few for 2 heads");
	model_free(&model);
	/* more heads than features */
	ck_assert_int_eq(solve(&data, 3, &model, &err), STATUS_INVALID_VALUE);
	model_free(&model);
	dataset_free(&data);
}
END_TEST

START_TEST(pairs_that_do_not_differ_are_refused)
{
	const float same[] = {1, 2, 3, 4};
	struct dataset data;
	struct model model;
	struct err err;

	make_dataset(same, same, 2, 2, false, &data);
	ck_assert_int_eq(solve(&data, 1, &model, &err), STATUS_INVALID_VALUE);
	ck_assert_msg(strstr(err.msg, "vary in 0 directions") != NULL, "%s", err.msg);
	model_free(&model);
	dataset_free(&data);
}
END_TEST

START_TEST(vectors_whose_squares_overflow_are_refused)
{
	const float chosen[] = {3e38f, 0, 0, 3e38f, -3e38f, 1}, rejected[6] = {0};
	struct dataset data;
	struct model model;
	struct err err;

	make_dataset(chosen, rejected, 3, 2, false, &data);
	ck_assert_int_eq(solve(&data, 1, &model, &err), STATUS_NOT_FINITE);
	ck_assert_msg(strstr(err.msg, "lower the scale of the vectors") != NULL, "%s", err.msg);
	model_free(&model);
	dataset_free(&data);
}
END_TEST

static bool stop_after_two(void *context, const struct train_progress *progress)
{
	size_t *calls = context;

	ck_assert_uint_eq(progress->epoch, ++*calls);
	ck_assert_uint_le(progress->pairs_done, progress->pairs_total);
	ck_assert(isnan(progress->nll) && !progress->epoch_end);
	return *calls < 2;
}

START_TEST(stops_when_progress_says_so)
{
	struct train_options options;
	struct dataset data;
	struct model model;
	size_t calls = 0;
	struct err err;

	train_defaults(OBJECTIVE_DRM, &options);
	options.n_heads = 2;
	pairs_two_tastes(20, 4, 1, &data);
	pairs_model(2, ROUTER_STATIC, 0, &model);
	ck_assert_int_eq(train_run(&data, &options, stop_after_two, &calls, &model, &err),
			 STATUS_INTERRUPTED);
	ck_assert_uint_eq(calls, 2);
	model_free(&model);
	dataset_free(&data);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("drm");
	TCase *values = tcase_create("values"), *refusals = tcase_create("refusals");

	tcase_add_loop_test(values, heads_are_the_components_of_an_independent_reference, 0, 2);
	tcase_add_test(values, few_directions_are_found_among_many);
	tcase_add_test(refusals, too_few_directions_are_refused);
	tcase_add_test(refusals, pairs_that_do_not_differ_are_refused);
	tcase_add_test(refusals, vectors_whose_squares_overflow_are_refused);
	tcase_add_test(refusals, stops_when_progress_says_so);
	suite_add_tcase(suite, values);
	suite_add_tcase(suite, refusals);
	return unit_run(suite);
}
