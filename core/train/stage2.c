/* SPDX-License-Identifier: Apache-2.0 */
#include "core/train/stage2.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "core/base/mem.h"
#include "core/math/logmath.h"
#include "core/train/stage2_fit.h"

/* Everything one run works with. */
struct routing {
	struct stage2_options options; /* none left open but method and tau */
	struct model *model;
	stage2_progress_fn *progress; /* may be NULL */
	void *progress_context;
	struct stage2_result *result;

	struct stage2_pairs pairs;
	size_t n_folds; /* 1: nothing is held out */
	struct stage2_progress now;
	size_t fit_begin; /* pairs done when the epoch that runs began */
};

/* What is tried; tau far below 1 is Algorithm 1's own, far above leaves the router as it is. */
static const double iterate_taus[] = {0.001, 0.1, 0.5, 1, 2, 4};
static const double closed_form_taus[] = {1, 2, 4, 8, 16, 32, 64};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

const char *stage2_method_name(enum stage2_method method)
{
	static const char *const names[] = {"iterate", "closed-form", "auto"};

	assert((unsigned)method < N_STAGE2_METHODS);
	return names[method];
}

void stage2_defaults(struct stage2_options *options_out)
{
	*options_out = (struct stage2_options){
	    .method = STAGE2_AUTO,
	    .tau = NAN,
	    .budget = 0,
	    .epochs = 10,
	    .batch = 32,
	    .learning_rate = NAN,
	    .weight_decay = 0,
	    .holdout = 0.2,
	    .seed = 1,
	    .n_threads = 1,
	};
}

const struct stage2_trial *stage2_best(const struct stage2_result *result,
				       enum stage2_method method)
{
	const struct stage2_trial *best = NULL;

	for (size_t i = 0; i < result->n_trials; i++) {
		const struct stage2_trial *trial = &result->trials[i];

		if (method != STAGE2_AUTO && trial->method != method)
			continue;
		if (best == NULL || trial->heldout.nll < best->heldout.nll)
			best = trial;
	}
	return best;
}

static void add_trials(struct stage2_result *result, enum stage2_method method, double tau,
		       const double *taus, size_t n_taus)
{
	if (!isnan(tau)) {
		taus = &tau;
		n_taus = 1;
	}
	assert(result->n_trials + n_taus <= STAGE2_MAX_TRIALS);
	for (size_t i = 0; i < n_taus; i++)
		result->trials[result->n_trials++] = (struct stage2_trial){
		    .method = method,
		    /* cppcheck-suppress objectIndex ; of one tau n_taus is 1 */
		    .tau = taus[i],
		};
}

static void list_trials(struct routing *r)
{
	const struct stage2_options *options = &r->options;

	if (options->method != STAGE2_CLOSED_FORM)
		add_trials(r->result, STAGE2_ITERATE, options->tau, iterate_taus,
			   LENGTH(iterate_taus));
	if (options->method != STAGE2_ITERATE)
		add_trials(r->result, STAGE2_CLOSED_FORM, options->tau, closed_form_taus,
			   LENGTH(closed_form_taus));
}

static enum status check_inputs(const struct dataset *dataset, const struct stage2_options *options,
				const struct model *model, struct err *err)
{
	if (model->router.kind == ROUTER_STATIC)
		return err_set(err, STATUS_INVALID_VALUE,
			       "the model has a static router, which gives every context the same "
			       "weights; train one with a linear or mlp router");
	if (dataset->psi.dim != model->router.dim)
		return err_set(err, STATUS_WRONG_DIMENSION,
			       "data of dimension %zu, but the model has %zu", dataset->psi.dim,
			       model->router.dim);
	if (options->epochs < 1 || options->batch < 1)
		return err_set(err, STATUS_INVALID_VALUE,
			       "%zu epochs in batches of %zu, want at least 1 of each",
			       options->epochs, options->batch);
	if (!isnan(options->tau) && !(options->tau > 0 && isfinite(options->tau)))
		return err_set(err, STATUS_INVALID_VALUE, "tau %g, want tau > 0", options->tau);
	if (!(options->holdout >= 0 && options->holdout <= 0.5))
		return err_set(err, STATUS_INVALID_VALUE, "holdout %g, want 0 <= holdout <= 0.5",
			       options->holdout);
	return STATUS_OK;
}

/* At most one fold a pair; a holdout of 0.2 makes 5, though 1 / 0.2 may be a little less. */
static size_t count_folds(const struct stage2_options *options, size_t n_pairs)
{
	double n = options->holdout > 0 ? floor(1 / options->holdout + 1e-9) : 1;

	return n < (double)n_pairs ? (size_t)n : n_pairs;
}

static enum status check_choice(const struct routing *r, struct err *err)
{
	if (r->n_folds > 1 || r->result->n_trials == 1)
		return STATUS_OK;
	return err_set(err, STATUS_INVALID_VALUE,
		       "method and tau are chosen by predicting held-out pairs, but of %zu pairs "
		       "none is held out (holdout %g); give a method and a tau, or hold pairs out",
		       r->pairs.n_pairs, r->options.holdout);
}

/*
 * An AdamW step of rate a moves a logit by at most a (|psi|_1 + 1), the bias being one
 * feature more. Linear: a logit may move by about 1 a step, so that some hundred steps
 * reach any target; the mlp moves by both of its layers.
 */
static enum status default_learning_rate(const struct stage2_pairs *pairs, enum router_kind kind,
					 double *rate_out, struct err *err)
{
	float *buffer = mem_array(pairs->dataset->psi.dim, sizeof(*buffer));
	enum status status = buffer == NULL ? err_no_memory(err, "router features") : STATUS_OK;
	double sum = 0;

	for (size_t j = 0; j < pairs->n_pairs && status == STATUS_OK; j++) {
		struct feature_row psi = {0};

		status = stage2_pairs_psi(pairs, pairs->by_file[j], buffer, &psi, err);
		for (size_t v = 0; v < psi.n_values && status == STATUS_OK; v++)
			sum += fabs((double)psi.value[v]);
	}
	mem_free(buffer);
	*rate_out = (kind == ROUTER_MLP ? 0.25 : 1) / (sum / (double)pairs->n_pairs + 1);
	return status;
}

/* ---- one training ---- */

static bool on_fit_report(void *context, size_t n_done, double nll)
{
	struct routing *r = context;

	r->now.fit.pairs_done = r->fit_begin + n_done;
	r->now.fit.nll = nll;
	return r->progress == NULL || r->progress(r->progress_context, &r->now);
}

/* last: the training whose result stays, whose epochs' ends are worth a line */
static enum status run_epochs(struct routing *r, struct stage2_fit *fit, bool last, struct err *err)
{
	enum status status = STATUS_OK;

	for (size_t epoch = 1; epoch <= r->options.epochs && status == STATUS_OK; epoch++) {
		r->now.fit.epoch = epoch;
		r->fit_begin = r->now.fit.pairs_done;
		status = stage2_fit_epoch(fit, err);
		if (status != STATUS_OK || !last)
			continue;
		r->now.fit.epoch_end = true;
		if (!on_fit_report(r, fit->n_pairs, fit->nll))
			status =
			    err_set(err, STATUS_INTERRUPTED, "interrupted after epoch %zu", epoch);
		r->now.fit.epoch_end = false;
	}
	return status;
}

static struct stage2_fit new_fit(struct routing *r, const struct stage2_trial *trial)
{
	return (struct stage2_fit){
	    .pairs = &r->pairs,
	    .options = &r->options,
	    .mask = r->model->mask,
	    .method = trial->method,
	    .tau = trial->tau,
	    .report = on_fit_report,
	    .report_context = r,
	};
}

/* Predict the pairs of a fold, or all. */
static enum status tally_fold(struct stage2_fit *fit, uint32_t fold, struct tally *tally,
			      struct err *err)
{
	const struct stage2_pairs *pairs = fit->pairs;

	for (size_t j = 0; j < pairs->n_pairs; j++) {
		size_t i = pairs->by_file[j];
		double value;
		enum status status;

		if (fold != STAGE2_NO_FOLD && pairs->fold[i] != fold)
			continue;
		status = stage2_fit_log_preference(fit, i, &value, err);
		if (status != STATUS_OK)
			return status;
		tally_add(tally, value);
	}
	return STATUS_OK;
}

/* Train without a fold and predict it. */
static enum status try_fold(struct routing *r, const struct stage2_trial *trial, uint32_t fold,
			    struct tally *tally, struct err *err)
{
	struct stage2_fit fit = new_fit(r, trial);
	enum status status = stage2_fit_init(&fit, &r->model->router, fold, err);

	if (status == STATUS_OK)
		status = run_epochs(r, &fit, false, err);
	if (status == STATUS_OK)
		status = tally_fold(&fit, fold, tally, err);
	stage2_fit_free(&fit);
	return status;
}

/* ---- the choice ---- */

static enum status try_all(struct routing *r, struct err *err)
{
	for (size_t t = 0; t < r->result->n_trials; t++) {
		struct stage2_trial *trial = &r->result->trials[t];
		struct tally tally = {0};

		for (size_t fold = 0; fold < r->n_folds; fold++) {
			enum status status = try_fold(r, trial, (uint32_t)fold, &tally, err);

			if (status != STATUS_OK) {
				err_wrap(err, "%s, tau %g", stage2_method_name(trial->method),
					 trial->tau);
				return status;
			}
		}
		trial->heldout = tally_score(&tally);
		r->now.trial = trial;
		if (r->progress != NULL && !r->progress(r->progress_context, &r->now))
			return err_set(err, STATUS_INTERRUPTED, "interrupted");
		r->now.trial = NULL;
	}
	return STATUS_OK;
}

/* The router as it was, on the pairs that all folds together hold out: all of them. */
static enum status score_before(struct routing *r, struct err *err)
{
	struct stage2_fit fit = new_fit(r, &(struct stage2_trial){.method = STAGE2_ITERATE});
	struct tally tally = {0};
	enum status status = stage2_fit_init(&fit, &r->model->router, STAGE2_NO_FOLD, err);

	if (status == STATUS_OK)
		status = tally_fold(&fit, STAGE2_NO_FOLD, &tally, err);
	r->result->before = tally_score(&tally);
	stage2_fit_free(&fit);
	return status;
}

/* A method that was asked for by its name is taken whether it helps or not. */
static void take_best(struct stage2_result *result, enum stage2_method method)
{
	const struct stage2_trial *best = stage2_best(result, STAGE2_AUTO);

	result->chosen = (size_t)(best - result->trials);
	result->kept = method == STAGE2_AUTO && !(best->heldout.nll < result->before.nll);
}

static enum status choose(struct routing *r, struct err *err)
{
	enum status status = check_choice(r, err);

	if (status != STATUS_OK || r->n_folds == 1)
		return status;
	status = score_before(r, err);
	if (status == STATUS_OK)
		status = try_all(r, err);
	if (status == STATUS_OK)
		take_best(r->result, r->options.method);
	return status;
}

/* ---- the result ---- */

/* "null" or {"tau":…,"accuracy":…,"nll":…}; tau is left out if it is NaN */
static void score_text(const struct eval_score *score, double tau, char *out, size_t size)
{
	char tau_text[48] = "";

	if (!isnan(tau))
		snprintf(tau_text, sizeof(tau_text), "\"tau\":%.17g,", tau);
	snprintf(out, size, "{%s\"accuracy\":%.17g,\"nll\":%.17g}", tau_text, score->accuracy,
		 score->nll);
}

void stage2_heldout_text(const struct stage2_result *result, char *out, size_t size)
{
	char before[128], scores[STAGE2_AUTO][128];

	if (result->before.n_pairs == 0) {
		snprintf(out, size, "null");
		return;
	}
	score_text(&result->before, NAN, before, sizeof(before));
	for (size_t m = 0; m < STAGE2_AUTO; m++) {
		const struct stage2_trial *best = stage2_best(result, (enum stage2_method)m);

		snprintf(scores[m], sizeof(scores[m]), "null");
		if (best != NULL)
			score_text(&best->heldout, best->tau, scores[m], sizeof(scores[m]));
	}
	snprintf(out, size, "{\"n_pairs\":%zu,\"before\":%s,\"iterate\":%s,\"closed-form\":%s}",
		 result->before.n_pairs, before, scores[STAGE2_ITERATE],
		 scores[STAGE2_CLOSED_FORM]);
}

static enum status set_facts(const struct routing *r, struct err *err)
{
	const struct stage2_options *o = &r->options;
	const struct stage2_trial *chosen = &r->result->trials[r->result->chosen];
	char options[256], heldout[STAGE2_HELDOUT_TEXT], tau[32], seed[24], pairs[24];
	const struct {
		const char *key, *value;
	} facts[] = {
	    {"train.route.method", stage2_method_name(chosen->method)},
	    {"train.route.tau", tau},
	    {"train.route.options", options},
	    {"train.route.heldout", heldout},
	    {"train.route.pairs", pairs},
	    {"train.route.seed", seed},
	};
	enum status status = STATUS_OK;

	snprintf(tau, sizeof(tau), "%.17g", chosen->tau);
	snprintf(seed, sizeof(seed), "%" PRIu64, o->seed);
	snprintf(pairs, sizeof(pairs), "%zu", r->pairs.n_pairs);
	snprintf(options, sizeof(options),
		 "{\"budget\":%zu,\"epochs\":%zu,\"batch\":%zu,\"learning_rate\":%.17g,"
		 "\"weight_decay\":%.17g,\"holdout\":%.17g,\"threads\":%zu}",
		 o->budget, o->epochs, o->batch, o->learning_rate, o->weight_decay, o->holdout,
		 o->n_threads);
	stage2_heldout_text(r->result, heldout, sizeof(heldout));
	for (size_t i = 0; i < LENGTH(facts) && status == STATUS_OK; i++)
		status = model_set_fact(r->model, facts[i].key, facts[i].value, err);
	return status;
}

/* Train on all pairs; the model changes only when nothing can fail any more. */
static enum status finish(struct routing *r, struct err *err)
{
	struct stage2_fit fit = new_fit(r, &r->result->trials[r->result->chosen]);
	enum status status = stage2_fit_init(&fit, &r->model->router, STAGE2_NO_FOLD, err);
	size_t bad;

	if (status == STATUS_OK)
		status = run_epochs(r, &fit, true, err);
	if (status == STATUS_OK && !all_finite_f(fit.router.params, fit.router.n_params, &bad))
		status = err_set(err, STATUS_NOT_FINITE,
				 "the router diverged: a weight is not finite; lower the learning "
				 "rate (%g)",
				 r->options.learning_rate);
	if (status == STATUS_OK)
		status = set_facts(r, err);
	if (status == STATUS_OK)
		stage2_pairs_put_back(&r->pairs, &fit.router, &r->model->router);
	stage2_fit_free(&fit);
	return status;
}

/* Pairs that all trainings go through: a trial trains on each in all folds but its own. */
static size_t count_work(const struct routing *r)
{
	size_t n_trainings = r->result->n_trials * (r->n_folds - 1) + 1;

	return n_trainings * r->pairs.n_pairs * r->options.epochs;
}

static enum status start(struct routing *r, const struct dataset *dataset, struct err *err)
{
	size_t n_pairs = r->options.budget;
	struct rng rng;
	enum status status;

	if (n_pairs == 0 || n_pairs > dataset->n_pairs)
		n_pairs = dataset->n_pairs;
	r->n_folds = count_folds(&r->options, n_pairs);
	rng_init(&rng, r->options.seed);
	status = stage2_pairs_init(&r->pairs, dataset, r->model, n_pairs, r->n_folds, &rng, err);
	if (status != STATUS_OK)
		return status;
	if (isnan(r->options.learning_rate))
		status = default_learning_rate(&r->pairs, r->model->router.kind,
					       &r->options.learning_rate, err);
	if (status != STATUS_OK)
		return status;
	list_trials(r);
	r->result->n_pairs = r->pairs.n_pairs;
	r->result->n_groups = r->pairs.n_groups;
	r->result->learning_rate = r->options.learning_rate;
	r->now.fit = (struct train_progress){
	    .n_epochs = r->options.epochs,
	    .pairs_total = count_work(r),
	    .heldout_nll = NAN,
	    .heldout_accuracy = NAN,
	};
	return STATUS_OK;
}

enum status stage2_run(const struct dataset *dataset, const struct stage2_options *options,
		       stage2_progress_fn *progress, void *context, struct model *model,
		       struct stage2_result *result_out, struct err *err)
{
	struct routing r = {
	    .options = *options,
	    .model = model,
	    .progress = progress,
	    .progress_context = context,
	    .result = result_out,
	};
	enum status status = check_inputs(dataset, options, model, err);

	*result_out = (struct stage2_result){0};
	if (status == STATUS_OK)
		status = start(&r, dataset, err);
	if (status == STATUS_OK)
		status = choose(&r, err);
	if (status == STATUS_OK && !result_out->kept)
		status = finish(&r, err);
	stage2_pairs_free(&r.pairs);
	return status;
}
