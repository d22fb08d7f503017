/* SPDX-License-Identifier: Apache-2.0 */
/* eval.c - accuracy and NLL of a model on pairs, and after m feedbacks of each user */
#include "core/eval/eval.h"

#include "core/base/mem.h"
#include "core/eval/score_table.h"

/* Everything one evaluation works with. */
struct evaluation {
	const struct model *model;
	const struct dataset *dataset;
	const struct eval_options *options;
	struct score_table table;
	struct adapt adapt; /* the user at hand */
	uint32_t *order;    /* pairs grouped by user */
	size_t *start;	    /* [n_users + 1] */
	size_t n_users;
};

static struct adapt_pair pair_at(const struct evaluation *e, size_t i)
{
	return (struct adapt_pair){
	    .logits = score_table_logits(&e->table, e->dataset, i),
	    .chosen = score_table_chosen(&e->table, e->dataset, i),
	    .rejected = score_table_rejected(&e->table, e->dataset, i),
	};
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
		double value = adapt_log_prior(&e->adapt, pair_at(e, i));

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

/* One user after `shots` feedbacks, scored on what comes after the first `n_feedback` pairs. */
static enum status evaluate_user(struct evaluation *e, const uint32_t *pairs, size_t n_pairs,
				 size_t n_feedback, struct eval_shot *shots, struct err *err)
{
	size_t given = 0;

	adapt_start(&e->adapt);
	for (size_t j = 0; j < e->options->n_shots; j++) {
		struct tally tally = {0};
		struct eval_score score;

		for (; given < e->options->shots[j]; given++) {
			enum status status = adapt_learn(&e->adapt, pair_at(e, pairs[given]), err);
			if (status != STATUS_OK)
				return status;
		}
		for (size_t i = n_feedback; i < n_pairs; i++)
			tally_add(&tally, adapt_log_preference(&e->adapt, pair_at(e, pairs[i])));
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

/* Feedbacks that a user gives at most. */
static size_t most_feedbacks(const struct evaluation *e)
{
	size_t n_shots = e->options->n_shots;
	size_t most = n_shots == 0 ? 0 : e->options->shots[n_shots - 1];

	return most < e->dataset->n_pairs ? most : e->dataset->n_pairs;
}

static enum status evaluation_init(struct evaluation *e, struct err *err)
{
	size_t n_heads = e->model->heads.n_heads;
	struct adapt_options adapt = {e->options->adapt, e->options->temperature,
				      e->options->drift};
	enum status status;

	if (e->dataset->phi.dim != e->model->heads.dim)
		return err_set(err, STATUS_WRONG_DIMENSION,
			       "data of dimension %zu, but the model has %zu", e->dataset->phi.dim,
			       e->model->heads.dim);
	status = score_table_init(&e->table, e->dataset, n_heads, err);
	if (status != STATUS_OK)
		return status;
	status = adapt_init(&e->adapt, &adapt, n_heads, e->model->mask, most_feedbacks(e), err);
	if (status == STATUS_OK)
		status = score_table_fill(&e->table, e->dataset, &e->model->heads,
					  &e->model->router, NULL, NULL, err);
	if (status == STATUS_OK)
		status = score_table_check(&e->table, e->dataset, err);
	if (status != STATUS_OK)
		return status;
	return dataset_by_user(e->dataset, &e->order, &e->start, &e->n_users, err);
}

static void evaluation_free(struct evaluation *e)
{
	score_table_free(&e->table);
	adapt_free(&e->adapt);
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
