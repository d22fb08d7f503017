/* SPDX-License-Identifier: Apache-2.0 */
#include "core/compare/compare.h"

#include <string.h>

#include "core/base/mem.h"
#include "core/compare/compare_impl.h"
#include "core/compare/spread.h"
#include "core/eval/eval.h"
#include "core/train/stage2.h"

/* Everything one comparison works with. */
struct comparing {
	const struct compare_options *options;
	struct comparison *comparison;
	compare_progress_fn *progress; /* may be NULL */
	void *progress_context;
	struct compare_progress now;

	/* the method and seed at hand */
	const struct compare_method *method;
	struct train_options train;
	size_t nth; /* seed, from 1 */
	struct model model;
};

static bool report(struct comparing *c)
{
	return c->progress == NULL || c->progress(c->progress_context, &c->now);
}

static bool on_train(void *context, const struct train_progress *fit)
{
	struct comparing *c = context;

	c->now.fit = *fit;
	return report(c);
}

static bool on_route(void *context, const struct stage2_progress *state)
{
	return on_train(context, &state->fit);
}

static void begin_step(struct comparing *c, enum compare_step kind, size_t budget)
{
	c->now = (struct compare_progress){
	    .kind = kind,
	    .method = c->method->name,
	    .seed = c->train.seed,
	    .n_heads = c->train.n_heads,
	    .budget = budget,
	    .step = c->now.step + 1,
	    .n_steps = c->now.n_steps,
	};
}

static enum status end_step(struct comparing *c, enum status status, struct err *err)
{
	if (status != STATUS_OK) {
		err_wrap(err, "%s, seed %llu", c->method->name, (unsigned long long)c->train.seed);
		return status;
	}
	c->now.step_end = true;
	return report(c) ? STATUS_OK : err_set(err, STATUS_INTERRUPTED, "interrupted");
}

/* ---- the parts of one method and seed ---- */

/* Stage 1, into the model. */
static enum status train(struct comparing *c, size_t n_heads, double *seconds_out, struct err *err)
{
	const struct dataset *data = c->options->train.dataset;
	enum status status =
	    compare_method_options(c->method, data, n_heads, c->options->epochs, &c->train, err);
	double begin;

	if (status != STATUS_OK)
		return status;
	c->train.seed = c->options->first_seed + c->nth - 1;
	c->train.n_threads = c->options->n_threads;
	status = model_init(&c->model, c->train.n_heads, c->train.router, c->train.n_hidden,
			    c->options->encoder, err);
	if (status != STATUS_OK)
		return status;
	begin_step(c, COMPARE_TRAIN, 0);
	begin = c->options->clock();
	status = train_run(data, &c->train, on_train, c, &c->model, err);
	*seconds_out = c->options->clock() - begin;
	return end_step(c, status, err);
}

static enum status evaluate(const struct comparing *c, const struct compare_split *split,
			    size_t n_shots, struct eval_result *result, struct err *err)
{
	struct eval_options options = {
	    .adapt = c->method->adapt,
	    .temperature = 1,
	    .n_shots = n_shots,
	};
	enum status status;

	memcpy(options.shots, c->options->shots, sizeof(options.shots));
	status = eval_run(&c->model, split->dataset, &options, result, err);
	if (status != STATUS_OK)
		err_wrap(err, "%s: %s", c->method->name, split->path);
	return status;
}

static enum status test(struct comparing *c, struct compare_result *result, struct err *err)
{
	struct eval_result figures;
	enum status status = evaluate(c, &c->options->test, c->options->n_shots, &figures, err);

	if (status != STATUS_OK)
		return status;
	compare_score_add(&result->overall, figures.overall.accuracy, figures.overall.nll, c->nth);
	for (size_t j = 0; j < figures.n_shots; j++)
		compare_score_add(&result->shots[j], figures.shots[j].accuracy,
				  figures.shots[j].nll, c->nth);
	c->comparison->n_test_users = figures.shots[0].users;
	eval_result_free(&figures);
	return STATUS_OK;
}

/* contexts: NULL to learn only their mean */
static enum status test_contexts(struct comparing *c, struct compare_score *contexts,
				 struct compare_score *mean, struct err *err)
{
	const struct compare_options *options = c->options;
	const struct compare_split *split =
	    options->contexts.dataset == NULL ? &options->test : &options->contexts;
	struct eval_result figures;
	enum status status = evaluate(c, split, 0, &figures, err);

	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; contexts != NULL && i < figures.n_contexts; i++)
		compare_score_add(&contexts[i], figures.contexts[i].accuracy,
				  figures.contexts[i].nll, c->nth);
	compare_score_add(mean, figures.context_mean.accuracy, figures.context_mean.nll, c->nth);
	eval_result_free(&figures);
	return STATUS_OK;
}

static enum status route(struct comparing *c, size_t budget, struct err *err)
{
	struct stage2_options options;
	struct stage2_result result;

	stage2_defaults(&options);
	options.budget = budget;
	options.seed = c->train.seed;
	begin_step(c, COMPARE_ROUTE, budget);
	return end_step(
	    c,
	    stage2_run(c->options->route.dataset, &options, on_route, c, &c->model, &result, err),
	    err);
}

/* Each budget begins with the router of stage 1, to which the model returns. */
static enum status trace_budgets(struct comparing *c, struct err *err)
{
	struct compare_curve *curve = &c->comparison->budget_curve;
	struct router *router = &c->model.router;
	size_t size = router->n_params * sizeof(*router->params);
	float *before = mem_array(1, size);
	enum status status = STATUS_OK;

	if (before == NULL)
		return err_no_memory(err, "a router");
	memcpy(before, router->params, size);
	for (size_t i = 0; i < curve->n_points && status == STATUS_OK; i++) {
		status = route(c, curve->x[i], err);
		if (status == STATUS_OK)
			status = test_contexts(c, NULL, &curve->y[i], err);
		memcpy(router->params, before, size);
	}
	mem_free(before);
	return status;
}

static bool is_featured(const struct comparing *c)
{
	return c->method == compare_featured(c->options);
}

static enum status run_trained(struct comparing *c, struct compare_result *result, struct err *err)
{
	const struct compare_options *options = c->options;
	bool routes = options->route.dataset != NULL && c->train.router != ROUTER_STATIC;
	enum status status = test(c, result, err);

	if (status == STATUS_OK && is_featured(c) && options->budgets.n > 0)
		status = trace_budgets(c, err);
	if (status == STATUS_OK && routes)
		status = route(c, 0, err);
	if (status == STATUS_OK && result->contexts != NULL)
		status = test_contexts(c, result->contexts, &result->context_mean, err);
	if (status == STATUS_OK && is_featured(c) && c->nth == 1)
		status = compare_maps(options, &c->model, c->comparison, err);
	return status;
}

static enum status run_seed(struct comparing *c, struct compare_result *result, struct err *err)
{
	double seconds;
	enum status status = train(c, c->options->n_heads, &seconds, err);

	if (status == STATUS_OK) {
		spread_add(&result->seconds, seconds, c->nth);
		status = run_trained(c, result, err);
	}
	model_free(&c->model);
	return status;
}

/* ---- all methods and seeds ---- */

static void finish_result(const struct comparison *comparison, struct compare_result *result)
{
	size_t n = comparison->n_seeds;

	spread_finish(&result->seconds, n);
	compare_score_finish(&result->overall, n);
	for (size_t j = 0; j < comparison->n_shots; j++)
		compare_score_finish(&result->shots[j], n);
	for (size_t i = 0; i < comparison->n_contexts; i++)
		compare_score_finish(&result->contexts[i], n);
	compare_score_finish(&result->context_mean, n);
}

static enum status run_method(struct comparing *c, struct compare_result *result, struct err *err)
{
	for (c->nth = 1; c->nth <= c->options->n_seeds; c->nth++) {
		enum status status = run_seed(c, result, err);

		if (status != STATUS_OK)
			return status;
	}
	finish_result(c->comparison, result);
	return STATUS_OK;
}

/* One more number of heads, one seed. */
static enum status add_heads_point(struct comparing *c, size_t n_heads, struct compare_score *point,
				   struct err *err)
{
	size_t last = c->options->n_shots - 1;
	struct eval_result figures;
	double seconds;
	enum status status = train(c, n_heads, &seconds, err);

	if (status == STATUS_OK)
		status = evaluate(c, &c->options->test, c->options->n_shots, &figures, err);
	if (status == STATUS_OK) {
		compare_score_add(point, figures.shots[last].accuracy, figures.shots[last].nll,
				  c->nth);
		eval_result_free(&figures);
	}
	model_free(&c->model);
	return status;
}

/* The number of heads that the comparison has anyway is not trained again. */
static enum status trace_heads(struct comparing *c, struct err *err)
{
	const struct comparison *comparison = c->comparison;
	const struct compare_result *main = &comparison->results[comparison->n_results - 1];
	const struct compare_curve *curve = &comparison->heads_curve;

	for (size_t i = 0; i < curve->n_points; i++) {
		if (curve->x[i] == main->n_heads) {
			curve->y[i] = main->shots[comparison->n_shots - 1];
			continue;
		}
		for (c->nth = 1; c->nth <= c->options->n_seeds; c->nth++) {
			enum status status = add_heads_point(c, curve->x[i], &curve->y[i], err);

			if (status != STATUS_OK)
				return status;
		}
		compare_score_finish(&curve->y[i], comparison->n_seeds);
	}
	return STATUS_OK;
}

enum status compare_run(const struct compare_options *options, compare_progress_fn *progress,
			void *context, struct comparison *comparison_out, struct err *err)
{
	struct comparing c = {
	    .options = options,
	    .comparison = comparison_out,
	    .progress = progress,
	    .progress_context = context,
	};
	enum status status;

	*comparison_out = (struct comparison){0};
	status = compare_layout(options, comparison_out, &c.now.n_steps, err);
	for (size_t i = 0; i < options->methods->n && status == STATUS_OK; i++) {
		c.method = &options->methods->method[i];
		status = run_method(&c, &comparison_out->results[i], err);
	}
	if (status == STATUS_OK)
		status = trace_heads(&c, err);
	if (status != STATUS_OK) {
		comparison_free(comparison_out);
		return status;
	}
	for (size_t i = 0; i < comparison_out->budget_curve.n_points; i++)
		compare_score_finish(&comparison_out->budget_curve.y[i], options->n_seeds);
	return STATUS_OK;
}
