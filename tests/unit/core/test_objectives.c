/* SPDX-License-Identifier: Apache-2.0 */
/* test_objectives.c - what the objectives of stage 1 add to the trainer: gradients, E step. */
#include <math.h>
#include <string.h>

#include "core/math/logmath.h"
#include "core/train/trainer.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/unit.h"

#define K 3

/* A trainer with nothing but the scratch that pair_gradient() reads and writes. */
struct bench {
	struct trainer t;
	struct train_options options;
	struct pair_loss loss;
	float margin[K], dmargin[K], dlogits[K];
	double log_weight[K], joint[K], responsibility[K];
	uint32_t group_of[1], context[1];
	struct dataset dataset;
};

static void bench_set(struct bench *b, const double *margin, const double *logits)
{
	for (size_t k = 0; k < K; k++) {
		b->margin[k] = (float)margin[k];
		b->log_weight[k] = logits[k];
	}
	log_softmax(b->log_weight, K);
	b->dataset.context = b->context;
	b->t = (struct trainer){
	    .dataset = &b->dataset,
	    .options = &b->options,
	    .n_heads = K,
	    .responsibility = b->responsibility,
	    .group_of = b->group_of,
	};
	b->loss = (struct pair_loss){
	    .margin = b->margin,
	    .log_weight = b->log_weight,
	    .dmargin = b->dmargin,
	    .dlogits = b->dlogits,
	    .joint = b->joint,
	};
}

/* L of MiCRo, eq. (2)-(4), written from the paper, without log space */
static double micro_loss(const double *margin, const double *logits, double alpha)
{
	double norm = 0, likelihood = 0, regularizer = 0;

	for (size_t k = 0; k < K; k++)
		norm += exp(logits[k]);
	for (size_t k = 0; k < K; k++) {
		double f = exp(logits[k]) / norm;

		likelihood += f / (1 + exp(-margin[k]));
		regularizer += f * log(f);
	}
	return -log(likelihood) + alpha * regularizer;
}

/* the M step's loss for fixed responsibilities q */
static double panel_loss(const double *margin, const double *logits, const double *q)
{
	double norm = 0, loss = 0;

	for (size_t k = 0; k < K; k++)
		norm += exp(logits[k]);
	for (size_t k = 0; k < K; k++)
		loss -= q[k] * (log(1 / (1 + exp(-margin[k]))) + log(exp(logits[k]) / norm));
	return loss;
}

/* ensemble: every head by itself, and no router */
static double ensemble_loss(const double *margin)
{
	double loss = 0;

	for (size_t k = 0; k < K; k++)
		loss += log(1 + exp(-margin[k]));
	return loss;
}

/* attributes: the label's own head, and the gate's cross-entropy */
static double attributes_loss(const double *margin, const double *logits, size_t label)
{
	double norm = 0;

	for (size_t k = 0; k < K; k++)
		norm += exp(logits[k]);
	return log(1 + exp(-margin[label])) - log(exp(logits[label]) / norm);
}

/* lore: the average of the margins, then the sigmoid; no router */
static double lore_loss(const double *margin, const double *w)
{
	double sum = 0;

	for (size_t k = 0; k < K; k++)
		sum += w[k] * margin[k];
	return log(1 + exp(-sum));
}

static const struct {
	double margin[K], logits[K], alpha, q[K];
	uint32_t label;
} gradient_cases[] = {
    {.margin = {0, 0, 0}, .logits = {0, 0, 0}, .alpha = 0, .q = {1, 0, 0}},
    {.margin = {1.5, -2, 0.25},
     .logits = {0.3, -1, 2},
     .alpha = 0.5,
     .q = {0.2, 0.5, 0.3},
     .label = 1},
    {.margin = {-4, 3, 8}, .logits = {-3, 1, 0}, .alpha = 2, .q = {0.01, 0.98, 0.01}, .label = 2},
};

/* static_users, static_alone: a pair of a user, a pair without */
enum method { MICRO, PANEL, STATIC_USERS, STATIC_ALONE, ENSEMBLE, ATTRIBUTES, LORE, N_METHODS };

static const struct objective_ops *const ops_of[] = {
    [MICRO] = &stage1_objective,	[PANEL] = &panel_objective,
    [STATIC_USERS] = &static_objective, [STATIC_ALONE] = &static_objective,
    [ENSEMBLE] = &ensemble_objective,	[ATTRIBUTES] = &attributes_objective,
    [LORE] = &lore_objective,
};

static double loss_at(enum method method, size_t c, const double *margin, const double *logits)
{
	switch (method) {
	case MICRO:
		return micro_loss(margin, logits, gradient_cases[c].alpha);
	case STATIC_ALONE:
		return micro_loss(margin, logits, 0);
	case PANEL:
	case STATIC_USERS:
		return panel_loss(margin, logits, gradient_cases[c].q);
	case ENSEMBLE:
		return ensemble_loss(margin);
	case ATTRIBUTES:
		return attributes_loss(margin, logits, gradient_cases[c].label);
	default:
		return lore_loss(margin, gradient_cases[c].q);
	}
}

static void check_gradient(enum method method, size_t c)
{
	struct bench b = {.options.alpha = gradient_cases[c].alpha,
			  .context = {gradient_cases[c].label},
			  .dataset.n_users = method == STATIC_ALONE ? 0 : 1};
	const double h = 1e-5;

	bench_set(&b, gradient_cases[c].margin, gradient_cases[c].logits);
	memcpy(b.responsibility, gradient_cases[c].q, sizeof(b.responsibility));
	ops_of[method]->pair_gradient(&b.t, &b.loss);
	for (size_t i = 0; i < 2 * K; i++) {
		double margin[K], logits[K], up, down, slope;
		double *x = i < K ? &margin[i] : &logits[i - K];
		double got = i < K ? (double)b.dmargin[i] : (double)b.dlogits[i - K];

		memcpy(margin, gradient_cases[c].margin, sizeof(margin));
		memcpy(logits, gradient_cases[c].logits, sizeof(logits));
		*x += h;
		up = loss_at(method, c, margin, logits);
		*x -= 2 * h;
		down = loss_at(method, c, margin, logits);
		slope = (up - down) / (2 * h);
		ck_assert_msg(fabs(got - slope) <= 1e-5 * (1 + fabs(slope)),
			      "method %d, case %zu, variable %zu: gradient %.9g, finite "
			      "difference %.9g",
			      (int)method, c, i, got, slope);
	}
}

START_TEST(gradient_is_the_loss_slope)
{
	for (size_t c = 0; c < LENGTH(gradient_cases); c++)
		check_gradient((enum method)_i, c);
}
END_TEST

/* The NLL that a pair's gradient returns, for the progress report. */
static double reported_nll(enum method method, size_t c)
{
	struct bench b = {.context = {gradient_cases[c].label}, .dataset.n_users = 1};

	bench_set(&b, gradient_cases[c].margin, gradient_cases[c].logits);
	memcpy(b.responsibility, gradient_cases[c].q, sizeof(b.responsibility));
	return ops_of[method]->pair_gradient(&b.t, &b.loss);
}

START_TEST(others_nll_is_what_their_documentation_says)
{
	for (size_t c = 0; c < LENGTH(gradient_cases); c++) {
		const double *margin = gradient_cases[c].margin;

		ck_assert_double_eq_tol(reported_nll(ENSEMBLE, c), ensemble_loss(margin) / K, 1e-6);
		ck_assert_double_eq_tol(reported_nll(ATTRIBUTES, c),
					log(1 + exp(-margin[gradient_cases[c].label])), 1e-6);
		ck_assert_double_eq_tol(reported_nll(LORE, c),
					lore_loss(margin, gradient_cases[c].q), 1e-6);
	}
}
END_TEST

START_TEST(stage1_nll_is_the_mixture_nll)
{
	struct bench b = {0};
	const double margin[K] = {1, -1, 0.5}, logits[K] = {0.1, 0.2, 0.3};

	bench_set(&b, margin, logits);
	ck_assert_double_eq_tol(stage1_objective.pair_gradient(&b.t, &b.loss),
				micro_loss(margin, logits, 0), 1e-7);
}
END_TEST

START_TEST(panel_nll_is_finite_where_every_head_is_sure_and_wrong)
{
	struct bench b = {.responsibility = {0.25, 0.75, 0}};
	const double margin[K] = {-1000, -800, 5}, logits[K] = {0, 0, 0};

	bench_set(&b, margin, logits);
	ck_assert_double_eq_tol(panel_objective.pair_gradient(&b.t, &b.loss), 800 - log(0.75),
				1e-9);
}
END_TEST

/* ---- panel: the E step ---- */

#define N_USERS 3
#define N_EACH	4

/* q_k(u) of the definition, without logarithms: P of each pair is not small here */
static void expect_responsibility(const struct dataset *data, const struct model *model,
				  size_t user, double temperature, double *q)
{
	double sum = 0;

	for (size_t k = 0; k < K; k++)
		q[k] = 1;
	for (size_t i = user * N_EACH; i < (user + 1) * N_EACH; i++) {
		float chosen[K], rejected[K], logits[K];
		double norm = 0;

		heads_rewards(&model->heads, features_row(&data->phi, data->chosen[i]), chosen);
		heads_rewards(&model->heads, features_row(&data->phi, data->rejected[i]), rejected);
		router_logits(&model->router, features_row(&data->psi, data->prompt[i]), NULL,
			      logits);
		for (size_t k = 0; k < K; k++)
			norm += exp(logits[k]);
		for (size_t k = 0; k < K; k++)
			q[k] *= pow(exp(logits[k]) / norm, 1.0 / N_EACH) /
				(1 + exp((double)rejected[k] - chosen[k]));
	}
	for (size_t k = 0; k < K; k++) {
		q[k] = pow(q[k], 1 / temperature);
		sum += q[k];
	}
	for (size_t k = 0; k < K; k++)
		q[k] /= sum;
}

static void check_responsibilities(const struct trainer *t, double temperature)
{
	for (size_t u = 0; u < N_USERS; u++) {
		double want[K];

		expect_responsibility(t->dataset, t->model, u, temperature, want);
		for (size_t k = 0; k < K; k++)
			ck_assert_msg(fabs(t->responsibility[u * K + k] - want[k]) <= 1e-6,
				      "T %g, user %zu, head %zu: %g, want %g", temperature, u, k,
				      t->responsibility[u * K + k], want[k]);
	}
}

/* The temperature begins at anneal and has fallen to 1 after 0.6 of the epochs. */
START_TEST(panel_responsibilities_are_the_tempered_posterior_of_all_pairs_of_a_user)
{
	const float second_prompt[PAIRS_DIM] = {-1, 2, 0, 1};
	struct train_options options;
	struct trainer t = {.options = &options, .objective = &panel_objective};
	struct dataset data;
	struct model model;

	train_defaults(OBJECTIVE_PANEL, &options);
	options.n_heads = K;
	options.init_scale = 1;
	options.epochs = 10;
	options.holdout = 0;
	pairs_two_tastes(N_USERS, N_EACH, 1, &data);
	ck_assert(features_append(&data.psi, feature_row_dense(second_prompt, PAIRS_DIM), NULL) ==
		  STATUS_OK);
	for (size_t i = 0; i < data.n_pairs; i += 3)
		data.prompt[i] = 1;
	pairs_model(K, ROUTER_LINEAR, 0, &model);
	t.dataset = &data;
	t.model = &model;
	ck_assert(trainer_init(&t, NULL) == STATUS_OK);
	for (size_t i = 0; i < model.router.n_params; i++)
		model.router.params[i] = (float)rng_normal(&t.rng);
	ck_assert(trainer_score(&t, NULL, NULL) == STATUS_OK);
	panel_objective.begin_epoch(&t, 1);
	check_responsibilities(&t, 4);
	panel_objective.begin_epoch(&t, 4);
	check_responsibilities(&t, 2);
	panel_objective.begin_epoch(&t, 7);
	check_responsibilities(&t, 1);
	trainer_free(&t);
	model_free(&model);
	dataset_free(&data);
}
END_TEST

/* A trainer of an objective on two tastes, heads random. */
static void start_trainer(struct trainer *t, enum objective objective,
			  struct train_options *options, struct dataset *data, struct model *model)
{
	train_defaults(objective, options);
	options->n_heads = K;
	options->init_scale = 1;
	options->holdout = 0;
	pairs_two_tastes(N_USERS, N_EACH, 1, data);
	pairs_model(K, ROUTER_STATIC, 0, model);
	*t = (struct trainer){.dataset = data,
			      .options = options,
			      .objective = objective == OBJECTIVE_STATIC ? &static_objective
									 : &lore_objective,
			      .model = model};
	ck_assert(trainer_init(t, NULL) == STATUS_OK);
	ck_assert(trainer_score(t, NULL, NULL) == STATUS_OK);
	t->objective->begin_epoch(t, 1);
}

/* prod_i p_k,i of a user, without logarithms */
static double likelihood_of(const struct trainer *t, size_t user, size_t k)
{
	double product = 1;

	for (size_t i = user * N_EACH; i < (user + 1) * N_EACH; i++) {
		float chosen[K], rejected[K];

		heads_rewards(&t->model->heads,
			      features_row(&t->dataset->phi, t->dataset->chosen[i]), chosen);
		heads_rewards(&t->model->heads,
			      features_row(&t->dataset->phi, t->dataset->rejected[i]), rejected);
		product /= 1 + exp((double)rejected[k] - chosen[k]);
	}
	return product;
}

START_TEST(static_gives_each_user_the_likeliest_head)
{
	struct train_options options;
	struct dataset data;
	struct model model;
	struct trainer t;

	start_trainer(&t, OBJECTIVE_STATIC, &options, &data, &model);
	for (size_t u = 0; u < N_USERS; u++) {
		const double *q = t.responsibility + u * K;

		ck_assert_double_eq(q[0] + q[1] + q[2], 1);
		for (size_t k = 0; k < K; k++) {
			for (size_t other = 0; q[k] == 1 && other < K; other++)
				ck_assert_double_ge(likelihood_of(&t, u, k),
						    likelihood_of(&t, u, other));
		}
	}
	trainer_free(&t);
	model_free(&model);
	dataset_free(&data);
}
END_TEST

START_TEST(lore_weights_are_on_the_simplex_and_their_mean_is_the_router)
{
	struct train_options options;
	double mean[K] = {0};
	struct dataset data;
	struct model model;
	struct trainer t;

	start_trainer(&t, OBJECTIVE_LORE, &options, &data, &model);
	for (size_t u = 0; u < N_USERS; u++) {
		const double *w = t.responsibility + u * K;

		ck_assert_double_eq_tol(w[0] + w[1] + w[2], 1, 1e-12);
		ck_assert_double_gt(fabs(w[0] - 1.0 / K), 1e-3);
		for (size_t k = 0; k < K; k++)
			mean[k] += w[k] / N_USERS;
	}
	for (size_t k = 0; k < K; k++)
		ck_assert_double_eq_tol(exp((double)model.router.bias[k]), mean[k], 1e-6);
	trainer_free(&t);
	model_free(&model);
	dataset_free(&data);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("objectives");
	TCase *gradients = tcase_create("gradients"), *e_step = tcase_create("e_step");

	tcase_add_loop_test(gradients, gradient_is_the_loss_slope, 0, N_METHODS);
	tcase_add_test(gradients, others_nll_is_what_their_documentation_says);
	tcase_add_test(gradients, stage1_nll_is_the_mixture_nll);
	tcase_add_test(gradients, panel_nll_is_finite_where_every_head_is_sure_and_wrong);
	tcase_add_test(e_step,
		       panel_responsibilities_are_the_tempered_posterior_of_all_pairs_of_a_user);
	tcase_add_test(e_step, static_gives_each_user_the_likeliest_head);
	tcase_add_test(e_step, lore_weights_are_on_the_simplex_and_their_mean_is_the_router);
	suite_add_tcase(suite, gradients);
	suite_add_tcase(suite, e_step);
	return unit_run(suite);
}
