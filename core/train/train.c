/* SPDX-License-Identifier: Apache-2.0 */
#include "core/train/train.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/math/linalg.h"
#include "core/math/logmath.h"
#include "core/train/trainer.h"

const char *objective_name(enum objective objective)
{
	static const char *const names[] = {"auto", "micro", "panel"};

	assert((unsigned)objective < N_OBJECTIVES);
	return names[objective];
}

void train_defaults(enum objective objective, struct train_options *options_out)
{
	*options_out = (struct train_options){
	    .objective = objective,
	    .n_heads = 16,
	    .router = ROUTER_MLP,
	    .n_hidden = 128,
	    .epochs = 16,
	    .batch = 256,
	    .learning_rate = 0.01,
	    .weight_decay = 0.01,
	    .alpha = 0.5,
	    .init_scale = NAN,
	    .anneal = 4,
	    .holdout = 0.05,
	    .seed = 1,
	    .n_threads = 1,
	};
	if (objective != OBJECTIVE_PANEL)
		return;
	/* users tell the heads apart: the router only has to be a prior */
	options_out->router = ROUTER_LINEAR;
	options_out->epochs = 12;
	options_out->batch = 512;
	options_out->learning_rate = 0.02;
}

/* Many heads need a wider start, or they stay alike until the annealing is over. */
static double default_init_scale(size_t n_heads)
{
	return fmin(1, 0.075 * sqrt((double)n_heads));
}

/* A user with several pairs tells which head is theirs; single pairs do not. */
enum objective train_objective_for(const struct dataset *dataset)
{
	size_t n_named = 0;

	for (size_t i = 0; i < dataset->n_pairs; i++)
		n_named += dataset->user[i] != DATASET_NONE;
	return n_named > dataset->n_users ? OBJECTIVE_PANEL : OBJECTIVE_MICRO;
}

static enum status check_inputs(const struct dataset *dataset, const struct train_options *options,
				const struct model *model, struct err *err)
{
	if (dataset->phi.dim != model->heads.dim)
		return err_set(err, STATUS_WRONG_DIMENSION,
			       "data of dimension %zu, but the model has %zu", dataset->phi.dim,
			       model->heads.dim);
	if (options->n_heads != model->heads.n_heads)
		return err_set(err, STATUS_INVALID_VALUE, "%zu heads asked for, the model has %zu",
			       options->n_heads, model->heads.n_heads);
	if (options->objective == OBJECTIVE_PANEL && dataset->n_users == 0)
		return err_set(err, STATUS_INVALID_VALUE,
			       "the panel objective needs pairs with a \"user\", and no pair has "
			       "one; use the objective micro");
	if (options->epochs < 1 || options->batch < 1)
		return err_set(err, STATUS_INVALID_VALUE,
			       "%zu epochs in batches of %zu, want at least 1 of each",
			       options->epochs, options->batch);
	if (options->n_threads < 1)
		return err_set(err, STATUS_INVALID_VALUE, "0 threads, want at least 1");
	if (!(options->holdout >= 0 && options->holdout < 1))
		return err_set(err, STATUS_INVALID_VALUE, "holdout %g, want 0 <= holdout < 1",
			       options->holdout);
	return STATUS_OK;
}

/* center_k: mean reward of head k over the responses of the training pairs, in the table */
static void set_centers(struct trainer *t)
{
	struct heads *heads = &t->model->heads;
	double *sum = t->joint;

	for (size_t k = 0; k < t->n_heads; k++)
		sum[k] = 0;
	for (size_t i = 0; i < t->n_train_pairs; i++) {
		const float *chosen = score_table_chosen(&t->table, t->dataset, t->train_pairs[i]);
		const float *rejected =
		    score_table_rejected(&t->table, t->dataset, t->train_pairs[i]);

		for (size_t k = 0; k < t->n_heads; k++)
			sum[k] += (double)chosen[k] + rejected[k];
	}
	for (size_t k = 0; k < t->n_heads; k++)
		heads->center[k] = (float)(sum[k] / (2 * (double)t->n_train_pairs));
}

/* The first two words of text. */
static void name_and_version(const char *text, char *out, size_t size)
{
	size_t name = strcspn(text, " ");
	size_t version = text[name] == '\0' ? 0 : 1 + strcspn(text + name + 1, " ");

	snprintf(out, size, "%.*s", (int)(name + version), text);
}

static enum status set_facts(const struct trainer *t, const struct train_progress *last,
			     struct err *err)
{
	const struct train_options *o = t->options;
	char options[512], heldout[160], seed[24], blas[32];
	enum status status;

	/* not the processor that BLAS found: sparse training is the same on all of them */
	name_and_version(linalg_version(), blas, sizeof(blas));
	snprintf(seed, sizeof(seed), "%" PRIu64, o->seed);
	snprintf(options, sizeof(options),
		 "{\"heads\":%zu,\"router\":\"%s\",\"hidden\":%zu,\"epochs\":%zu,\"batch\":%zu,"
		 "\"learning_rate\":%.17g,\"weight_decay\":%.17g,\"alpha\":%.17g,"
		 "\"init_scale\":%.17g,\"anneal\":%.17g,\"holdout\":%.17g,\"shrinkage\":%.17g}",
		 o->n_heads, router_kind_name(o->router), t->model->router.n_hidden, o->epochs,
		 o->batch, o->learning_rate, o->weight_decay, o->alpha, o->init_scale, o->anneal,
		 o->holdout, t->shrinkage);
	status = model_set_fact(t->model, "train.objective", objective_name(o->objective), err);
	if (status == STATUS_OK)
		status = model_set_fact(t->model, "train.seed", seed, err);
	if (status == STATUS_OK)
		status = model_set_fact(t->model, "train.options", options, err);
	if (status == STATUS_OK)
		status = model_set_fact(t->model, "train.blas", blas, err);
	if (status == STATUS_OK && last->n_heldout > 0) {
		snprintf(heldout, sizeof(heldout),
			 "{\"n_pairs\":%zu,\"accuracy\":%.17g,\"nll\":%.17g}", last->n_heldout,
			 last->heldout_accuracy, last->heldout_nll);
		status = model_set_fact(t->model, "train.heldout", heldout, err);
	}
	return status;
}

static enum status check_finite(const struct model *model, struct err *err)
{
	const struct heads *heads = &model->heads;
	const struct router *router = &model->router;
	size_t bad;

	if (!all_finite_f(heads->weight, heads->n_heads * heads->dim, &bad) ||
	    !all_finite_f(heads->center, heads->n_heads, &bad) ||
	    !all_finite_f(router->params, router->n_params, &bad))
		return err_set(err, STATUS_NOT_FINITE,
			       "training diverged: a weight is not finite; lower the learning "
			       "rate or the scale of the vectors");
	return STATUS_OK;
}

/*
 * The held-out figures of the model as it is; refused if it scores a pair as infinite.
 * After the last epoch of all pairs, whose scores the centers are made of; before it of
 * those held out, which cost little.
 */
static enum status measure(struct trainer *t, size_t epoch, struct train_progress *out,
			   struct err *err)
{
	bool is_last = epoch == t->options->epochs;
	enum status status = trainer_score(t, is_last ? NULL : &t->heldout_rows, err);

	if (status != STATUS_OK)
		return status;
	trainer_heldout(t, out);
	if (score_table_check(&t->table, t->dataset, err) == STATUS_OK)
		return STATUS_OK;
	err_wrap(err, "training diverged in epoch %zu", epoch);
	return STATUS_NOT_FINITE;
}

/* All epochs, then the shrinkage; last_out and the table are of the model in the end. */
static enum status run_epochs(struct trainer *t, struct train_progress *last_out, struct err *err)
{
	enum status status = STATUS_OK;

	for (size_t epoch = 1; epoch <= t->options->epochs; epoch++) {
		status = trainer_epoch(t, epoch, err);
		if (status != STATUS_OK)
			return status;
		*last_out = t->last;
		status = measure(t, epoch, last_out, err);
		if (status != STATUS_OK)
			return status;
		last_out->epoch_end = true;
		if (t->progress != NULL && !t->progress(t->progress_context, last_out))
			return err_set(err, STATUS_INTERRUPTED, "interrupted after epoch %zu",
				       epoch);
	}
	if (t->responsibility == NULL || t->n_heldout == 0)
		return STATUS_OK;
	status = shrink_heads(t, &t->shrinkage, err);
	return status == STATUS_OK ? measure(t, t->options->epochs, last_out, err) : status;
}

enum status train_run(const struct dataset *dataset, const struct train_options *options_in,
		      train_progress_fn *progress, void *context, struct model *model,
		      struct err *err)
{
	struct train_options options = *options_in;

	if (options.objective == OBJECTIVE_AUTO)
		options.objective = train_objective_for(dataset);
	if (isnan(options.init_scale))
		options.init_scale = default_init_scale(options.n_heads);

	struct trainer t = {
	    .dataset = dataset,
	    .options = &options,
	    .objective =
		options.objective == OBJECTIVE_PANEL ? &panel_objective : &stage1_objective,
	    .model = model,
	    .progress = progress,
	    .progress_context = context,
	    .shrinkage = 1,
	};
	struct train_progress last;
	enum status status = check_inputs(dataset, &options, model, err);

	if (status != STATUS_OK)
		return status;
	linalg_set_threads(1); /* per product: the trainer's own threads share them out */
	status = trainer_init(&t, err);
	if (status == STATUS_OK)
		status = run_epochs(&t, &last, err);
	if (status == STATUS_OK) {
		set_centers(&t);
		status = check_finite(model, err);
	}
	if (status == STATUS_OK)
		status = set_facts(&t, &last, err);
	if (status == STATUS_OK)
		model_update_id(model);
	trainer_free(&t);
	return status;
}
