/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/diagnose/foresight.h"
#include "core/diagnose/sharpen.h"
#include "core/eval/eval.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/unit.h"

static struct dataset data;
static struct model model;
static struct foresight f;

static void setup(void)
{
	struct err err;

	pairs_two_tastes(10, 9, 3, &data);
	pairs_opposed_model(ROUTER_LINEAR, 0, &model);
	ck_assert_msg(foresight_init(&f, &model, &data, &err) == STATUS_OK, "%s", err.msg);
}

static void teardown(void)
{
	foresight_free(&f);
	model_free(&model);
	dataset_free(&data);
}

/* The protocol is eval's: same means over people. */
START_TEST(feedback_counts_as_in_eval)
{
	struct eval_options options = {.shots = {0, 1, 4}, .n_shots = 3, .temperature = 1};
	struct eval_result result;

	ck_assert(eval_run(&model, &data, &options, &result, NULL) == STATUS_OK);
	ck_assert_uint_eq(f.n_groups, 10);
	for (size_t j = 0; j < 3; j++) {
		double accuracy = 0, nll = 0;

		for (size_t g = 0; g < f.n_groups; g++) {
			struct tally tally;

			ck_assert(foresight_after(&f, g, options.shots[j], 4, &tally, NULL) ==
				  STATUS_OK);
			ck_assert_uint_eq(tally.n_pairs, 5);
			accuracy += tally_score(&tally).accuracy / 10;
			nll += tally_score(&tally).nll / 10;
		}
		ck_assert_double_eq_tol(accuracy, result.shots[j].accuracy, 1e-12);
		ck_assert_double_eq_tol(nll, result.shots[j].nll, 1e-12);
	}
	eval_result_free(&result);
}
END_TEST

/* Chain rule: predicting one pair after the other is the likelihood of all of them. */
START_TEST(sequence_is_the_joint_likelihood)
{
	for (size_t g = 0; g < f.n_groups; g++) {
		double joint = 0;
		struct tally tally;

		ck_assert(foresight_sequence(&f, g, &tally, NULL) == STATUS_OK);
		for (size_t k = 0; k < 3; k++) {
			double likelihood = 1.0 / 3; /* the router knows nothing */

			for (size_t j = f.start[g]; j < f.start[g + 1]; j++) {
				const float *a = score_table_chosen(&f.table, &data, f.order[j]);
				const float *b = score_table_rejected(&f.table, &data, f.order[j]);

				likelihood /= 1 + exp(-((double)a[k] - b[k]));
			}
			joint += likelihood;
		}
		ck_assert_double_eq_tol(-tally.nll, log(joint), 1e-6);
	}
}
END_TEST

START_TEST(terms_are_those_of_the_definition)
{
	for (size_t g = 0; g < f.n_groups; g++) {
		struct foresight_terms terms = foresight_terms(&f, g);
		double noise = 0, variance = 0, entropy = 0;

		for (size_t j = f.start[g]; j < f.start[g + 1]; j++) {
			const float *a = score_table_chosen(&f.table, &data, f.order[j]);
			const float *b = score_table_rejected(&f.table, &data, f.order[j]);
			double p[3], mean = 0;

			for (size_t k = 0; k < 3; k++) {
				p[k] = 1 / (1 + exp(-((double)a[k] - b[k])));
				mean += p[k] / 3;
				noise -= (p[k] * log(p[k]) + (1 - p[k]) * log(1 - p[k])) / 3;
			}
			for (size_t k = 0; k < 3; k++)
				variance += (p[k] - mean) * (p[k] - mean) / 3;
			entropy -= mean * log(mean) + (1 - mean) * log(1 - mean);
		}
		ck_assert_double_eq_tol(terms.noise, noise, 1e-5);
		ck_assert_double_eq_tol(terms.variance, variance, 1e-5);
		ck_assert_double_eq_tol(terms.entropy, entropy, 1e-5);
		/* Pinsker: what the subpopulation tells is at least twice the variance */
		ck_assert_double_ge(terms.entropy - terms.noise, 2 * terms.variance);
	}
}
END_TEST

START_TEST(certain_heads_have_no_entropy)
{
	ck_assert_double_eq(foresight_entropy(0, -INFINITY), 0);
	ck_assert_double_eq(foresight_entropy(-INFINITY, 0), 0);
	ck_assert_double_eq_tol(foresight_entropy(-M_LN2, -M_LN2), M_LN2, 1e-15);
}
END_TEST

/* Every n-th pair is judged the other way: tastes with noise have a best sharpness. */
static void add_noise(size_t n)
{
	for (size_t i = 0; i < data.n_pairs; i += n) {
		uint32_t chosen = data.chosen[i];

		data.chosen[i] = data.rejected[i];
		data.rejected[i] = chosen;
	}
}

START_TEST(sharpening_undoes_a_factor)
{
	double first, second;
	float weight;

	add_noise(4);
	ck_assert(sharpen_heads(&model, &data, &first, NULL) == STATUS_OK);
	weight = model.heads.weight[0];
	for (size_t i = 0; i < model.heads.n_heads * model.heads.dim; i++)
		model.heads.weight[i] /= 2;
	ck_assert(sharpen_heads(&model, &data, &second, NULL) == STATUS_OK);
	ck_assert_double_eq_tol(model.heads.weight[0] / weight, 1, 0.05);
	ck_assert_double_eq_tol(second, 2, 0.1);
}
END_TEST

START_TEST(sharpening_lowers_the_loss)
{
	double factor, before = 0, after = 0;
	struct tally tally;

	add_noise(2); /* heads are much too sure of it */
	for (size_t g = 0; g < f.n_groups; g++) {
		ck_assert(foresight_sequence(&f, g, &tally, NULL) == STATUS_OK);
		before += tally.nll;
	}
	ck_assert(sharpen_heads(&model, &data, &factor, NULL) == STATUS_OK);
	ck_assert_double_lt(factor, 1);
	foresight_scale(&f, factor);
	for (size_t g = 0; g < f.n_groups; g++) {
		ck_assert(foresight_sequence(&f, g, &tally, NULL) == STATUS_OK);
		after += tally.nll;
	}
	ck_assert_double_lt(after, before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("foresight");
	TCase *tcase = tcase_create("foresight");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, feedback_counts_as_in_eval);
	tcase_add_test(tcase, sequence_is_the_joint_likelihood);
	tcase_add_test(tcase, terms_are_those_of_the_definition);
	tcase_add_test(tcase, certain_heads_have_no_entropy);
	tcase_add_test(tcase, sharpening_undoes_a_factor);
	tcase_add_test(tcase, sharpening_lowers_the_loss);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
