/* SPDX-License-Identifier: Apache-2.0 */
#include "core/diagnose/foresight.h"

#include <math.h>

#include "core/base/mem.h"
#include "core/math/logmath.h"
#include "core/model/hedge.h"
#include "core/model/mixture.h"

static enum status fill_table(struct foresight *f, struct err *err)
{
	const struct model *model = f->model;
	enum status status =
	    score_table_fill(&f->table, f->dataset, &model->heads, &model->router, NULL, NULL, err);

	if (status != STATUS_OK)
		return status;
	return score_table_check(&f->table, f->dataset, err);
}

enum status foresight_init(struct foresight *f, const struct model *model,
			   const struct dataset *dataset, struct err *err)
{
	size_t n_heads = model->heads.n_heads;
	enum status status;

	*f = (struct foresight){.model = model, .dataset = dataset, .scale = 1};
	status = dataset_by_user(dataset, &f->order, &f->start, &f->n_groups, err);
	if (status == STATUS_OK)
		status = score_table_init(&f->table, dataset, n_heads, err);
	if (status != STATUS_OK)
		return status;
	f->log_weight = mem_array(n_heads, sizeof(double));
	f->loss = mem_array(n_heads, sizeof(double));
	f->state = mem_array(n_heads, sizeof(double));
	if (f->log_weight == NULL || f->loss == NULL || f->state == NULL)
		return err_no_memory(err, "predictions");
	return fill_table(f, err);
}

void foresight_free(struct foresight *f)
{
	mem_free(f->order);
	mem_free(f->start);
	mem_free(f->log_weight);
	mem_free(f->loss);
	mem_free(f->state);
	score_table_free(&f->table);
	*f = (struct foresight){0};
}

void foresight_scale(struct foresight *f, double scale)
{
	size_t n = f->dataset->phi.n_rows * f->table.n_heads;
	float change = (float)(scale / f->scale);

	for (size_t i = 0; i < n; i++)
		f->table.reward[i] *= change;
	f->scale = scale;
}

size_t foresight_size(const struct foresight *f, size_t g)
{
	return f->start[g + 1] - f->start[g];
}

/* The weights of pair i's prompt for what is known of its user; NULL: of nobody. */
static void weigh(struct foresight *f, size_t i, const double *state)
{
	mixture_log_weights(score_table_logits(&f->table, f->dataset, i), state, f->model->mask,
			    f->table.n_heads, f->log_weight);
}

static void predict(struct foresight *f, size_t i, struct tally *tally)
{
	weigh(f, i, f->state);
	tally_add(tally, mixture_log_preference(
			     f->log_weight, score_table_chosen(&f->table, f->dataset, i),
			     score_table_rejected(&f->table, f->dataset, i), f->table.n_heads));
}

static enum status learn(struct foresight *f, size_t i, struct err *err)
{
	hedge_losses(score_table_chosen(&f->table, f->dataset, i),
		     score_table_rejected(&f->table, f->dataset, i), f->table.n_heads, f->loss);
	return hedge_update(f->state, f->loss, f->table.n_heads, 1, 1, err);
}

enum status foresight_sequence(struct foresight *f, size_t g, struct tally *tally_out,
			       struct err *err)
{
	enum status status = STATUS_OK;

	*tally_out = (struct tally){0};
	hedge_start(f->state, f->table.n_heads);
	for (size_t j = f->start[g]; j < f->start[g + 1] && status == STATUS_OK; j++) {
		predict(f, f->order[j], tally_out);
		status = learn(f, f->order[j], err);
	}
	return status;
}

enum status foresight_after(struct foresight *f, size_t g, size_t shots, size_t first,
			    struct tally *tally_out, struct err *err)
{
	enum status status = STATUS_OK;
	size_t begin = f->start[g];

	*tally_out = (struct tally){0};
	hedge_start(f->state, f->table.n_heads);
	for (size_t j = 0; j < shots && status == STATUS_OK; j++)
		status = learn(f, f->order[begin + j], err);
	for (size_t j = begin + first; j < f->start[g + 1]; j++)
		predict(f, f->order[j], tally_out);
	return status;
}

double foresight_entropy(double log_p, double log_q)
{
	double sum = 0;

	/* p log p -> 0, which exp(-inf) * -inf does not know */
	if (isfinite(log_p))
		sum -= exp(log_p) * log_p;
	if (isfinite(log_q))
		sum -= exp(log_q) * log_q;
	return sum;
}

static void add_terms(struct foresight *f, size_t i, struct foresight_terms *terms)
{
	const float *chosen = score_table_chosen(&f->table, f->dataset, i);
	const float *rejected = score_table_rejected(&f->table, f->dataset, i);
	size_t n_heads = f->table.n_heads;
	double mean = 0;

	weigh(f, i, NULL);
	for (size_t k = 0; k < n_heads; k++) {
		double margin = (double)chosen[k] - rejected[k];
		double weight = exp(f->log_weight[k]);

		mean += weight * sigmoid(margin);
		terms->noise +=
		    weight * foresight_entropy(log_sigmoid(margin), log_sigmoid(-margin));
	}
	for (size_t k = 0; k < n_heads; k++) {
		double off = sigmoid((double)chosen[k] - rejected[k]) - mean;

		terms->variance += exp(f->log_weight[k]) * off * off;
	}
	terms->entropy +=
	    foresight_entropy(mixture_log_preference(f->log_weight, chosen, rejected, n_heads),
			      mixture_log_preference(f->log_weight, rejected, chosen, n_heads));
}

struct foresight_terms foresight_terms(struct foresight *f, size_t g)
{
	struct foresight_terms terms = {0};

	for (size_t j = f->start[g]; j < f->start[g + 1]; j++)
		add_terms(f, f->order[j], &terms);
	return terms;
}
