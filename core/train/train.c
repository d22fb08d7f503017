/* SPDX-License-Identifier: Apache-2.0 */
#include "core/train/train.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/math/linalg.h"
#include "core/math/logmath.h"
#include "core/train/objective.h"

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

/* Whether objective and data go together. */
static enum status check_need(const struct dataset *dataset, const struct objective_spec *spec,
			      struct err *err)
{
	size_t n_without = 0, first = 0;

	if (spec->needs == NEEDS_USERS && dataset->n_users == 0)
		return err_set(err, STATUS_INVALID_VALUE,
			       "the %s objective needs pairs with a \"user\", and no pair has "
			       "one; use the objective micro",
			       spec->name);
	if (spec->needs != NEEDS_CONTEXTS)
		return STATUS_OK;
	for (size_t i = 0; i < dataset->n_pairs; i++) {
		if (dataset->context[i] == DATASET_NONE && n_without++ == 0)
			first = i + 1;
	}
	if (n_without > 0)
		return err_set(err, STATUS_INVALID_VALUE,
			       "the %s objective needs a \"context\" in every pair; %zu of %zu "
			       "have none, the first is pair %zu",
			       spec->name, n_without, dataset->n_pairs, first);
	return STATUS_OK;
}

/* Whether objective, options and number of contexts go together. */
static enum status check_shape(const struct dataset *dataset, const struct objective_spec *spec,
			       const struct train_options *options, struct err *err)
{
	bool by_context = spec->needs == NEEDS_CONTEXTS;

	if (by_context && dataset->n_contexts > HEADS_MAX)
		return err_set(err, STATUS_INVALID_VALUE,
			       "the %s objective makes a head for each of %zu contexts, and at "
			       "most %d heads are allowed",
			       spec->name, dataset->n_contexts, HEADS_MAX);
	if (by_context && options->n_heads != dataset->n_contexts)
		return err_set(err, STATUS_INVALID_VALUE,
			       "the %s objective makes a head for each of %zu contexts, not %zu "
			       "heads",
			       spec->name, dataset->n_contexts, options->n_heads);
	if (spec->one_head && options->n_heads != 1)
		return err_set(err, STATUS_INVALID_VALUE, "the %s objective has one head, not %zu",
			       spec->name, options->n_heads);
	if (spec->static_router && options->router != ROUTER_STATIC)
		return err_set(err, STATUS_INVALID_VALUE,
			       "the %s objective has a static router, not a router of kind %s",
			       spec->name, router_kind_name(options->router));
	return STATUS_OK;
}

enum status train_settle(const struct dataset *dataset, struct train_options *options,
			 struct err *err)
{
	const struct objective_spec *spec;
	enum status status;

	if (options->objective == OBJECTIVE_AUTO)
		options->objective = train_objective_for(dataset);
	spec = objective_spec(options->objective);
	status = check_need(dataset, spec, err);
	if (status != STATUS_OK)
		return status;
	if (options->n_heads == 0)
		options->n_heads = dataset->n_contexts;
	if (isnan(options->init_scale))
		options->init_scale = default_init_scale(options->n_heads);
	return check_shape(dataset, spec, options, err);
}

static enum status check_inputs(const struct dataset *dataset, const struct train_options *options,
				const struct model *model, struct err *err)
{
	bool has_epochs = objective_spec(options->objective)->ops->solve == NULL;

	if (dataset->phi.dim != model->heads.dim)
		return err_set(err, STATUS_WRONG_DIMENSION,
			       "data of dimension %zu, but the model has %zu", dataset->phi.dim,
			       model->heads.dim);
	if (options->n_heads != model->heads.n_heads)
		return err_set(err, STATUS_INVALID_VALUE, "%zu heads asked for, the model has %zu",
			       options->n_heads, model->heads.n_heads);
	if (!has_epochs && options->epochs != 0)
		return err_set(err, STATUS_INVALID_VALUE,
			       "the %s objective is computed, not trained: it has no epochs, and "
			       "%zu are asked for",
			       objective_name(options->objective), options->epochs);
	if ((has_epochs && options->epochs < 1) || options->batch < 1)
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

static enum status set_facts(const struct trainer *t, const struct train_progress *last,
			     struct err *err)
{
	const struct train_options *o = t->options;
	char options[512], heldout[160], seed[24];
	enum status status;

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
	if (epoch > 0) /* otherwise it was computed, and only the vectors can be too large */
		err_wrap(err,
			 "training diverged in epoch %zu; lower the learning rate (%g) or the "
			 "scale of the vectors",
			 epoch, t->options->learning_rate);
	return STATUS_NOT_FINITE;
}

/* All epochs, then the shrinkage; last_out and the table are of the model in the end. */
static enum status run_epochs(struct trainer *t, struct train_progress *last_out, struct err *err)
{
	enum status status = STATUS_OK;

	if (t->objective->solve != NULL) {
		*last_out = (struct train_progress){0};
		status = t->objective->solve(t, err);
		return status == STATUS_OK ? measure(t, 0, last_out, err) : status;
	}
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
	if (!t->objective->shrinks || t->n_heldout == 0)
		return STATUS_OK;
	status = shrink_heads(t, &t->shrinkage, err);
	return status == STATUS_OK ? measure(t, t->options->epochs, last_out, err) : status;
}

enum status train_run(const struct dataset *dataset, const struct train_options *options_in,
		      train_progress_fn *progress, void *context, struct model *model,
		      struct err *err)
{
	struct train_options options = *options_in;
	enum status status = train_settle(dataset, &options, err);

	if (status == STATUS_OK)
		status = check_inputs(dataset, &options, model, err);
	if (status != STATUS_OK)
		return status;

	struct trainer t = {
	    .dataset = dataset,
	    .options = &options,
	    .objective = objective_spec(options.objective)->ops,
	    .model = model,
	    .progress = progress,
	    .progress_context = context,
	    .shrinkage = 1,
	};
	struct train_progress last = {0};

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
