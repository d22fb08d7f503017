/* SPDX-License-Identifier: Apache-2.0 */
#include "core/train/trainer.h"

#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/eval/tally.h"
#include "core/math/logmath.h"
#include "core/model/hedge.h"
#include "core/model/mixture.h"

/* how often a progress callback is called within an epoch */
#define BATCHES_PER_REPORT 16

/* The objective on some of a batch's pairs: a batch_losses_fn, context is the trainer. */
static void batch_losses(void *context, struct batch *batch, size_t begin, size_t n, size_t thread)
{
	struct trainer *t = context;
	struct pair_loss *loss = &t->losses[thread];
	size_t n_heads = t->n_heads;
	float scale = 1.0f / (float)batch->n;

	for (size_t i = begin; i < begin + n; i++) {
		size_t row = i * n_heads;

		loss->pair = t->batch_pairs[i];
		memcpy(loss->margin, batch->heads.out + row, n_heads * sizeof(*loss->margin));
		mixture_log_weights(batch->logits + row, NULL, NULL, n_heads, loss->log_weight);
		t->nll[i] = t->objective->pair_gradient(t, loss);
		for (size_t k = 0; k < n_heads; k++) {
			batch->heads.dout[row + k] = scale * loss->dmargin[k];
			batch->dlogits[row + k] = scale * loss->dlogits[k];
		}
	}
}

static enum status alloc_batch(struct trainer *t, struct err *err)
{
	size_t n_pairs = t->dataset->n_pairs;

	t->batch = mem_array(1, sizeof(*t->batch));
	if (t->batch == NULL)
		return err_no_memory(err, "a batch");
	*t->batch = (struct batch){
	    .dataset = t->dataset,
	    .model = t->model,
	    .heads_opt = &t->heads_opt,
	    .router_opt = &t->router_opt,
	    .pool = t->pool,
	    .capacity = t->options->batch < n_pairs ? t->options->batch : n_pairs,
	    .losses = batch_losses,
	    .losses_context = t,
	};
	t->nll = mem_array(t->batch->capacity, sizeof(*t->nll));
	if (t->nll == NULL)
		return err_no_memory(err, "a batch");
	return batch_init(t->batch, err);
}

static enum status alloc_optimizers(struct trainer *t, struct err *err)
{
	size_t n_weights = t->n_heads * t->model->heads.dim;
	size_t n_params = t->model->router.n_params;
	enum status status;

	if (t->objective->solve != NULL)
		return STATUS_OK;
	status = adamw_init(&t->heads_opt, n_weights, t->options->weight_decay, err);
	if (status == STATUS_OK)
		status = adamw_init(&t->router_opt, n_params, t->options->weight_decay, err);
	if (status != STATUS_OK)
		return status;
	if (features_is_dense(&t->dataset->phi) && features_is_dense(&t->dataset->psi))
		return alloc_batch(t, err);
	t->heads_grad = mem_array(n_weights, sizeof(float));
	t->router_grad = mem_array(n_params, sizeof(float));
	if (t->heads_grad == NULL || t->router_grad == NULL)
		return err_no_memory(err, "gradients");
	return STATUS_OK;
}

static enum status alloc_losses(struct trainer *t, struct err *err)
{
	size_t n_threads = pool_n_threads(t->pool);

	t->losses = mem_array(n_threads, sizeof(*t->losses));
	if (t->losses == NULL)
		return err_no_memory(err, "training scratch");
	for (size_t i = 0; i < n_threads; i++) {
		struct pair_loss *loss = &t->losses[i];

		loss->margin = mem_array(t->n_heads, sizeof(*loss->margin));
		loss->log_weight = mem_array(t->n_heads, sizeof(*loss->log_weight));
		loss->dmargin = mem_array(t->n_heads, sizeof(*loss->dmargin));
		loss->dlogits = mem_array(t->n_heads, sizeof(*loss->dlogits));
		loss->joint = mem_array(t->n_heads, sizeof(*loss->joint));
		if (loss->margin == NULL || loss->log_weight == NULL || loss->dmargin == NULL ||
		    loss->dlogits == NULL || loss->joint == NULL)
			return err_no_memory(err, "training scratch");
	}
	return STATUS_OK;
}

static void free_losses(struct trainer *t)
{
	for (size_t i = 0; t->losses != NULL && i < pool_n_threads(t->pool); i++) {
		mem_free(t->losses[i].margin);
		mem_free(t->losses[i].log_weight);
		mem_free(t->losses[i].dmargin);
		mem_free(t->losses[i].dlogits);
		mem_free(t->losses[i].joint);
	}
	mem_free(t->losses);
}

static enum status alloc_scratch(struct trainer *t, struct err *err)
{
	float **floats[] = {&t->reward, &t->logits};
	double **doubles[] = {&t->log_weight, &t->joint, &t->state};
	bool ok = true;

	for (size_t i = 0; i < sizeof(floats) / sizeof(*floats); i++)
		ok &= (*floats[i] = mem_array(t->n_heads, sizeof(float))) != NULL;
	for (size_t i = 0; i < sizeof(doubles) / sizeof(*doubles); i++)
		ok &= (*doubles[i] = mem_array(t->n_heads, sizeof(double))) != NULL;
	t->hidden = mem_array(t->model->router.n_hidden, sizeof(float));
	t->hidden_scratch = mem_array(t->model->router.n_hidden, sizeof(float));
	if (!ok || t->hidden == NULL || t->hidden_scratch == NULL)
		return err_no_memory(err, "training scratch");
	return alloc_losses(t, err);
}

/* Every pair is a group of its own. */
static enum status group_by_pair(struct trainer *t, struct err *err)
{
	size_t n = t->dataset->n_pairs;

	t->order = mem_array(n, sizeof(*t->order));
	t->start = mem_array(n + 1, sizeof(*t->start));
	if (t->order == NULL || t->start == NULL)
		return err_no_memory(err, "groups");
	for (size_t i = 0; i < n; i++) {
		t->order[i] = (uint32_t)i;
		t->start[i + 1] = i + 1;
	}
	t->n_groups = n;
	return STATUS_OK;
}

/*
 * Hold out whole groups, chosen at random, and list the pairs of the others from the
 * beginning of train_pairs on, those held out from its end.
 */
static enum status split(struct trainer *t, struct err *err)
{
	size_t n_held = 0;

	t->groups = mem_array(t->n_groups, sizeof(*t->groups));
	t->group_of = mem_array(t->dataset->n_pairs, sizeof(*t->group_of));
	t->train_pairs = mem_array(t->dataset->n_pairs, sizeof(*t->train_pairs));
	if (t->groups == NULL || t->group_of == NULL || t->train_pairs == NULL)
		return err_no_memory(err, "split");
	for (size_t g = 0; g < t->n_groups; g++)
		t->groups[g] = (uint32_t)g;
	rng_shuffle(&t->rng, t->groups, t->n_groups);
	t->n_heldout = (size_t)(t->options->holdout * (double)t->n_groups);
	for (size_t i = 0; i < t->n_groups; i++) {
		uint32_t group = t->groups[i];

		for (size_t j = t->start[group]; j < t->start[group + 1]; j++) {
			t->group_of[t->order[j]] = group;
			if (i >= t->n_heldout)
				t->train_pairs[t->n_train_pairs++] = t->order[j];
			else
				t->train_pairs[t->dataset->n_pairs - ++n_held] = t->order[j];
		}
	}
	if (t->n_train_pairs == 0)
		return err_set(err, STATUS_INVALID_VALUE,
			       "no pair is left to train on: %zu pairs in %zu groups, %g held out",
			       t->dataset->n_pairs, t->n_groups, t->options->holdout);
	return score_rows_init(&t->heldout_rows, t->dataset, t->train_pairs + t->n_train_pairs,
			       n_held, err);
}

enum status trainer_init(struct trainer *t, struct err *err)
{
	size_t batch = t->options->batch;
	enum status status;

	t->n_heads = t->options->n_heads;
	rng_init(&t->rng, t->options->seed);
	status = pool_start(t->options->n_threads, &t->pool, err);
	if (status == STATUS_OK)
		status = alloc_optimizers(t, err);
	if (status == STATUS_OK)
		status = alloc_scratch(t, err);
	if (status == STATUS_OK)
		status = score_table_init(&t->table, t->dataset, t->n_heads, err);
	if (status == STATUS_OK && t->objective->by_user)
		status = dataset_by_user(t->dataset, &t->order, &t->start, &t->n_groups, err);
	else if (status == STATUS_OK)
		status = group_by_pair(t, err);
	if (status == STATUS_OK)
		status = split(t, err);
	if (status == STATUS_OK)
		status = pair_order_init(&t->pair_order, t->dataset, dataset_block(t->dataset),
					 t->n_train_pairs, err);
	if (status == STATUS_OK && t->objective->start != NULL)
		status = t->objective->start(t, err);
	if (status != STATUS_OK)
		return status;
	t->n_steps = t->options->epochs * ((t->n_train_pairs + batch - 1) / batch);
	heads_randomize(&t->model->heads, t->options->init_scale, &t->rng);
	router_randomize(&t->model->router, &t->rng);
	return STATUS_OK;
}

void trainer_free(struct trainer *t)
{
	adamw_free(&t->heads_opt);
	adamw_free(&t->router_opt);
	score_table_free(&t->table);
	score_rows_free(&t->heldout_rows);
	pair_order_free(&t->pair_order);
	if (t->batch != NULL)
		batch_free(t->batch);
	mem_free(t->batch);
	mem_free(t->nll);
	free_losses(t);
	pool_stop(t->pool);
	mem_free(t->heads_grad);
	mem_free(t->router_grad);
	mem_free(t->order);
	mem_free(t->start);
	mem_free(t->groups);
	mem_free(t->group_of);
	mem_free(t->train_pairs);
	mem_free(t->responsibility);
	simplex_free(&t->simplex);
	mem_free(t->margins);
	mem_free(t->reward);
	mem_free(t->logits);
	mem_free(t->log_weight);
	mem_free(t->joint);
	mem_free(t->state);
	mem_free(t->hidden);
	mem_free(t->hidden_scratch);
}

enum status trainer_start_responsibility(struct trainer *t, struct err *err)
{
	t->responsibility = mem_array(t->n_groups, t->n_heads * sizeof(double));
	if (t->responsibility == NULL)
		return err_no_memory(err, "responsibilities");
	return STATUS_OK;
}

void trainer_user_log_likelihood(const struct trainer *t, size_t group, double *out)
{
	for (size_t k = 0; k < t->n_heads; k++)
		out[k] = 0;
	for (size_t i = t->start[group]; i < t->start[group + 1]; i++) {
		const float *chosen = score_table_chosen(&t->table, t->dataset, t->order[i]);
		const float *rejected = score_table_rejected(&t->table, t->dataset, t->order[i]);

		for (size_t k = 0; k < t->n_heads; k++)
			out[k] += log_sigmoid((double)chosen[k] - rejected[k]);
	}
}

/* Margins and log f(c,x) of a pair. */
static void forward(struct trainer *t, struct pair_loss *loss)
{
	const struct dataset *data = t->dataset;
	size_t pair = loss->pair;

	heads_rewards(&t->model->heads, features_row(&data->phi, data->chosen[pair]), loss->margin);
	heads_rewards(&t->model->heads, features_row(&data->phi, data->rejected[pair]), t->reward);
	for (size_t k = 0; k < t->n_heads; k++)
		loss->margin[k] -= t->reward[k];
	router_logits(&t->model->router, features_row(&data->psi, data->prompt[pair]), t->hidden,
		      t->logits);
	mixture_log_weights(t->logits, NULL, NULL, t->n_heads, loss->log_weight);
}

/* Add scale times the pair's gradient. */
static void backward(struct trainer *t, struct pair_loss *loss, float scale)
{
	const struct dataset *data = t->dataset;
	size_t pair = loss->pair;

	for (size_t k = 0; k < t->n_heads; k++) {
		loss->dmargin[k] *= scale;
		loss->dlogits[k] *= scale;
	}
	feature_row_add_outer(features_row(&data->phi, data->chosen[pair]), loss->dmargin,
			      t->n_heads, t->heads_grad);
	/* m = r(chosen) - r(rejected): the rejected response gets the opposite sign */
	for (size_t k = 0; k < t->n_heads; k++)
		loss->dmargin[k] = -loss->dmargin[k];
	feature_row_add_outer(features_row(&data->phi, data->rejected[pair]), loss->dmargin,
			      t->n_heads, t->heads_grad);
	router_backward(&t->model->router, features_row(&data->psi, data->prompt[pair]), t->hidden,
			loss->dlogits, t->hidden_scratch, t->router_grad);
}

/* Of the step at hand: it falls linearly to zero. */
static double learning_rate(const struct trainer *t)
{
	return t->options->learning_rate * (1 - (double)t->step / (double)t->n_steps);
}

/* Sparse pairs, one after the other; adds their NLL to nll_sum. */
static void step_pairs(struct trainer *t, const uint32_t *pairs, size_t n, double *nll_sum)
{
	struct pair_loss *loss = &t->losses[0];

	for (size_t i = 0; i < n; i++) {
		loss->pair = pairs[i];
		forward(t, loss);
		*nll_sum += t->objective->pair_gradient(t, loss);
		backward(t, loss, 1.0f / (float)n);
	}
	adamw_step(&t->heads_opt, learning_rate(t), t->heads_grad, t->model->heads.weight);
	adamw_step(&t->router_opt, learning_rate(t), t->router_grad, t->model->router.params);
}

/* Dense pairs, all at once; adds their NLL to nll_sum. */
static enum status step_batch(struct trainer *t, const uint32_t *pairs, size_t n, double *nll_sum,
			      struct err *err)
{
	enum status status;

	t->batch_pairs = pairs;
	status = batch_forward(t->batch, pairs, n, err);
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < n; i++)
		*nll_sum += t->nll[i];
	batch_step(t->batch, learning_rate(t));
	return STATUS_OK;
}

static enum status report(struct trainer *t, size_t epoch, size_t pairs_done, double nll_sum,
			  struct err *err)
{
	t->last = (struct train_progress){
	    .epoch = epoch,
	    .n_epochs = t->options->epochs,
	    .pairs_done = (epoch - 1) * t->n_train_pairs + pairs_done,
	    .pairs_total = t->options->epochs * t->n_train_pairs,
	    .nll = nll_sum / (double)pairs_done,
	    .heldout_nll = NAN,
	    .heldout_accuracy = NAN,
	};

	if (!isfinite(nll_sum))
		return err_set(err, STATUS_NOT_FINITE,
			       "training diverged in epoch %zu: the loss is not finite; lower the "
			       "learning rate (%g) or the scale of the vectors",
			       epoch, t->options->learning_rate);
	if (t->progress != NULL && !t->progress(t->progress_context, &t->last))
		return err_set(err, STATUS_INTERRUPTED, "interrupted in epoch %zu", epoch);
	return STATUS_OK;
}

enum status trainer_epoch(struct trainer *t, size_t epoch, struct err *err)
{
	size_t batch = t->options->batch;
	double nll_sum = 0;
	enum status status = STATUS_OK;

	if (t->objective->begin_epoch != NULL) {
		status = trainer_score(t, NULL, err);
		if (status != STATUS_OK)
			return status;
		t->objective->begin_epoch(t, epoch);
	}
	pair_order_shuffle(&t->pair_order, &t->rng, t->train_pairs, t->n_train_pairs);
	for (size_t begin = 0; begin < t->n_train_pairs; begin += batch) {
		const uint32_t *pairs = t->train_pairs + begin;
		size_t n = t->n_train_pairs - begin;

		if (n > batch)
			n = batch;
		pair_order_reach(&t->pair_order, begin);
		if (t->batch != NULL)
			status = step_batch(t, pairs, n, &nll_sum, err);
		else
			step_pairs(t, pairs, n, &nll_sum);
		if (status != STATUS_OK)
			return status;
		t->step++;
		if (t->step % BATCHES_PER_REPORT != 0 && begin + n < t->n_train_pairs)
			continue;
		status = report(t, epoch, begin + n, nll_sum, err);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

/* log P(chosen > rejected) of a held-out pair under the log-weights in t->state */
static double heldout_log_preference(struct trainer *t, size_t pair)
{
	mixture_log_weights(score_table_logits(&t->table, t->dataset, pair), t->state, NULL,
			    t->n_heads, t->log_weight);
	return mixture_log_preference(
	    t->log_weight, score_table_chosen(&t->table, t->dataset, pair),
	    score_table_rejected(&t->table, t->dataset, pair), t->n_heads);
}

enum status trainer_score(struct trainer *t, const struct score_rows *rows, struct err *err)
{
	return score_table_fill(&t->table, t->dataset, &t->model->heads, &t->model->router, rows,
				t->pool, err);
}

void trainer_heldout(struct trainer *t, struct train_progress *progress)
{
	struct tally tally = {0};
	struct eval_score score;

	for (size_t i = 0; i < t->n_heldout; i++) {
		size_t group = t->groups[i];

		hedge_start(t->state, t->n_heads);
		for (size_t j = t->start[group]; j < t->start[group + 1]; j++) {
			size_t pair = t->order[j];

			tally_add(&tally, heldout_log_preference(t, pair));
			hedge_losses(score_table_chosen(&t->table, t->dataset, pair),
				     score_table_rejected(&t->table, t->dataset, pair), t->n_heads,
				     t->joint);
			hedge_update(t->state, t->joint, t->n_heads, 1, 1, NULL);
		}
	}
	score = tally_score(&tally);
	progress->n_heldout = score.n_pairs;
	progress->heldout_nll = score.n_pairs > 0 ? score.nll : NAN;
	progress->heldout_accuracy = score.n_pairs > 0 ? score.accuracy : NAN;
}
