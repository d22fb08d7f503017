/* SPDX-License-Identifier: Apache-2.0 */
/* eval.c - accuracy and NLL of a model on pairs, and after m feedbacks of each user */
#include "core/eval/eval.h"

#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/eval/score_table.h"
#include "core/math/logmath.h"
#include "core/model/hedge.h"
#include "core/model/mixture.h"

/* Everything one evaluation works with. */
struct evaluation {
	const struct model *model;
	const struct dataset *dataset;
	const struct eval_options *options;
	struct score_table table;
	double *log_weight; /* [n_heads], scratch */
	double *loss;	    /* [n_heads], scratch */
	double *state;	    /* [n_heads]: a user's log-weights */
	uint32_t *order;    /* pairs grouped by user */
	size_t *start;	    /* [n_users + 1] */
	size_t n_users;
};

/* log P(chosen > rejected) of pair i for a user with log-weights state (NULL: none) */
static double log_preference(struct evaluation *e, size_t i, const double *state)
{
	size_t n_heads = e->table.n_heads;

	mixture_log_weights(score_table_logits(&e->table, e->dataset, i), state, e->model->mask,
			    n_heads, e->log_weight);
	return mixture_log_preference(e->log_weight, score_table_chosen(&e->table, e->dataset, i),
				      score_table_rejected(&e->table, e->dataset, i), n_heads);
}

/* Each context counts the same, however many pairs it has. */
static struct eval_score mean_of_contexts(const struct eval_score *contexts, size_t n_contexts)
{
	struct eval_score mean = {0};

	for (size_t c = 0; c < n_contexts; c++) {
		mean.n_pairs += contexts[c].n_pairs;
		mean.accuracy += contexts[c].accuracy / (double)n_contexts;
		mean.nll += contexts[c].nll / (double)n_contexts;
	}
	return mean;
}

static enum status evaluate_pairs(struct evaluation *e, struct eval_result *result, struct err *err)
{
	const struct dataset *dataset = e->dataset;
	struct tally overall = {0};
	struct tally *contexts = mem_array(dataset->n_contexts, sizeof(*contexts));

	if (contexts == NULL)
		return err_no_memory(err, "contexts");
	for (size_t i = 0; i < dataset->n_pairs; i++) {
		double value = log_preference(e, i, NULL);

		tally_add(&overall, value);
		if (dataset->context[i] != DATASET_NONE)
			tally_add(&contexts[dataset->context[i]], value);
	}
	result->overall = tally_score(&overall);
	for (size_t c = 0; c < dataset->n_contexts; c++)
		result->contexts[c] = tally_score(&contexts[c]);
	result->context_mean = mean_of_contexts(result->contexts, dataset->n_contexts);
	mem_free(contexts);
	return STATUS_OK;
}

static enum status learn(struct evaluation *e, size_t i, struct err *err)
{
	size_t n_heads = e->table.n_heads;
	enum status status;

	hedge_losses(score_table_chosen(&e->table, e->dataset, i),
		     score_table_rejected(&e->table, e->dataset, i), n_heads, e->loss);
	status = hedge_update(e->state, e->loss, n_heads, e->options->temperature, 1, err);
	if (status == STATUS_OK && e->options->drift > 0)
		hedge_share(e->state, n_heads, e->options->drift);
	return status;
}

/* One user after `shots` feedbacks, scored on what comes after the first `n_feedback` pairs. */
static enum status evaluate_user(struct evaluation *e, const uint32_t *pairs, size_t n_pairs,
				 size_t n_feedback, struct eval_shot *shots, struct err *err)
{
	size_t given = 0;

	hedge_start(e->state, e->table.n_heads);
	for (size_t j = 0; j < e->options->n_shots; j++) {
		struct tally tally = {0};
		struct eval_score score;

		for (; given < e->options->shots[j]; given++) {
			enum status status = learn(e, pairs[given], err);
			if (status != STATUS_OK)
				return status;
		}
		for (size_t i = n_feedback; i < n_pairs; i++)
			tally_add(&tally, log_preference(e, pairs[i], e->state));
		score = tally_score(&tally);
		shots[j].users++;
		shots[j].accuracy += score.accuracy;
		shots[j].nll += score.nll;
	}
	return STATUS_OK;
}

static enum status evaluate_shots(struct evaluation *e, struct eval_result *result, struct err *err)
{
	size_t n_shots = e->options->n_shots;
	size_t n_feedback = e->options->shots[n_shots - 1];

	for (size_t u = 0; u < e->n_users; u++) {
		const uint32_t *pairs = e->order + e->start[u];
		size_t n_pairs = e->start[u + 1] - e->start[u];
		enum status status;

		if (n_pairs <= n_feedback) {
			result->users_left_out++;
			continue;
		}
		status = evaluate_user(e, pairs, n_pairs, n_feedback, result->shots, err);
		if (status != STATUS_OK)
			return status;
	}
	result->n_shots = n_shots;
	for (size_t j = 0; j < n_shots; j++) {
		struct eval_shot *shot = &result->shots[j];

		shot->shots = e->options->shots[j];
		if (shot->users == 0)
			return err_set(err, STATUS_INVALID_VALUE,
				       "no user has more than %zu pairs, which %zu feedbacks and a "
				       "pair to score need",
				       n_feedback, n_feedback);
		shot->accuracy /= (double)shot->users;
		shot->nll /= (double)shot->users;
	}
	return STATUS_OK;
}

static enum status check_options(const struct eval_options *options, struct err *err)
{
	if (options->n_shots > EVAL_MAX_SHOTS)
		return err_set(err, STATUS_INVALID_VALUE, "%zu numbers of shots, want at most %d",
			       options->n_shots, EVAL_MAX_SHOTS);
	for (size_t j = 1; j < options->n_shots; j++) {
		if (options->shots[j] <= options->shots[j - 1])
			return err_set(err, STATUS_INVALID_VALUE,
				       "shots %zu after %zu, want ascending numbers",
				       options->shots[j], options->shots[j - 1]);
	}
	return STATUS_OK;
}

static enum status evaluation_init(struct evaluation *e, struct err *err)
{
	size_t n_heads = e->model->heads.n_heads;
	enum status status;

	if (e->dataset->phi.dim != e->model->heads.dim)
		return err_set(err, STATUS_WRONG_DIMENSION,
			       "data of dimension %zu, but the model has %zu", e->dataset->phi.dim,
			       e->model->heads.dim);
	status = score_table_init(&e->table, e->dataset, n_heads, err);
	if (status != STATUS_OK)
		return status;
	e->log_weight = mem_array(n_heads, sizeof(double));
	e->loss = mem_array(n_heads, sizeof(double));
	e->state = mem_array(n_heads, sizeof(double));
	if (e->log_weight == NULL || e->loss == NULL || e->state == NULL)
		return err_no_memory(err, "evaluation");
	status = score_table_fill(&e->table, e->dataset, &e->model->heads, &e->model->router, NULL,
				  NULL, err);
	if (status == STATUS_OK)
		status = score_table_check(&e->table, e->dataset, err);
	if (status != STATUS_OK)
		return status;
	return dataset_by_user(e->dataset, &e->order, &e->start, &e->n_users, err);
}

static void evaluation_free(struct evaluation *e)
{
	score_table_free(&e->table);
	mem_free(e->log_weight);
	mem_free(e->loss);
	mem_free(e->state);
	mem_free(e->order);
	mem_free(e->start);
}

enum status eval_run(const struct model *model, const struct dataset *dataset,
		     const struct eval_options *options, struct eval_result *result_out,
		     struct err *err)
{
	struct evaluation e = {.model = model, .dataset = dataset, .options = options};
	enum status status;

	*result_out = (struct eval_result){.n_contexts = dataset->n_contexts};
	status = check_options(options, err);
	if (status != STATUS_OK)
		return status;
	result_out->contexts = mem_array(dataset->n_contexts, sizeof(*result_out->contexts));
	if (result_out->contexts == NULL)
		return err_no_memory(err, "contexts");
	status = evaluation_init(&e, err);
	if (status == STATUS_OK)
		status = evaluate_pairs(&e, result_out, err);
	if (status == STATUS_OK && options->n_shots > 0)
		status = evaluate_shots(&e, result_out, err);
	evaluation_free(&e);
	if (status != STATUS_OK)
		eval_result_free(result_out);
	return status;
}

void eval_result_free(struct eval_result *result)
{
	mem_free(result->contexts);
	*result = (struct eval_result){0};
}
