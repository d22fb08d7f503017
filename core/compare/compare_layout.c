/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/compare/compare_impl.h"

const struct dataset *compare_measured(const struct compare_options *options)
{
	return options->contexts.dataset == NULL ? options->test.dataset
						 : options->contexts.dataset;
}

const struct compare_method *compare_featured(const struct compare_options *options)
{
	return &options->methods->method[options->methods->n - 1];
}

/* ---- checks ---- */

static enum status check_points(const struct compare_points *points, const char *what,
				struct err *err)
{
	for (size_t i = 0; i < points->n; i++) {
		if (points->x[i] == 0 || (i > 0 && points->x[i] <= points->x[i - 1]))
			return err_set(err, STATUS_INVALID_VALUE,
				       "%s: want ascending numbers from 1", what);
	}
	return STATUS_OK;
}

static enum status check_contexts(const struct compare_options *options, struct err *err)
{
	bool named = options->contexts.dataset != NULL;

	if (compare_measured(options)->n_contexts > 0 || (!named && options->route.dataset == NULL))
		return STATUS_OK;
	return err_set(err, STATUS_INVALID_VALUE,
		       "%s: no pair has a \"context\", and contexts are what a router is measured "
		       "by",
		       named ? options->contexts.path : options->test.path);
}

static enum status check_budgets(const struct compare_options *options, enum router_kind router,
				 struct err *err)
{
	const struct compare_points *budgets = &options->budgets;

	if (budgets->n == 0)
		return STATUS_OK;
	if (options->route.dataset == NULL)
		return err_set(err, STATUS_INVALID_VALUE,
			       "budgets of stage 2, but no pairs for stage 2");
	if (router == ROUTER_STATIC)
		return err_set(err, STATUS_INVALID_VALUE,
			       "budgets of stage 2, but the last method, %s, has a static router, "
			       "which learns nothing in stage 2",
			       compare_featured(options)->name);
	if (budgets->x[budgets->n - 1] > options->route.dataset->n_pairs)
		return err_set(err, STATUS_INVALID_VALUE,
			       "a budget of %zu pairs, but there are %zu pairs for stage 2",
			       budgets->x[budgets->n - 1], options->route.dataset->n_pairs);
	return STATUS_OK;
}

static enum status check_heads_curve(const struct compare_options *options, struct err *err)
{
	struct train_options train;

	for (size_t i = 0; i < options->heads_curve.n; i++) {
		enum status status =
		    compare_method_options(compare_featured(options), options->train.dataset,
					   options->heads_curve.x[i], options->epochs, &train, err);

		if (status != STATUS_OK)
			return status;
		if (train.n_heads != options->heads_curve.x[i])
			return err_set(err, STATUS_INVALID_VALUE,
				       "a curve over the number of heads, but that of the last "
				       "method, %s, is always %zu",
				       compare_featured(options)->name, train.n_heads);
	}
	return STATUS_OK;
}

static enum status check_numbers(const struct compare_options *options, struct err *err)
{
	enum status status;

	if (options->methods->n == 0 || options->n_seeds == 0 || options->n_shots == 0)
		return err_set(err, STATUS_INVALID_VALUE,
			       "%zu methods, %zu seeds and %zu numbers of shots, want at least one "
			       "of each",
			       options->methods->n, options->n_seeds, options->n_shots);
	status = check_points(&options->heads_curve, "heads", err);
	return status == STATUS_OK ? check_points(&options->budgets, "budgets", err) : status;
}

/* ---- names and room; false: no memory ---- */

static bool copy(char **out, const char *text)
{
	*out = text == NULL ? NULL : mem_string(text, strlen(text));
	return text == NULL || *out != NULL;
}

static bool copy_names(char ***out, char *const *names, size_t n)
{
	bool ok = (*out = mem_array(n, sizeof(**out))) != NULL;

	for (size_t i = 0; ok && i < n; i++)
		ok = copy(&(*out)[i], names[i]);
	return ok;
}

static bool make_result(const struct compare_options *options, const struct compare_method *method,
			size_t n_heads, struct compare_result *result)
{
	size_t n_contexts = compare_measured(options)->n_contexts;
	char description[256];

	compare_method_describe(method, description, sizeof(description));
	result->n_heads = n_heads;
	result->shots = mem_array(options->n_shots, sizeof(*result->shots));
	if (n_contexts > 0)
		result->contexts = mem_array(n_contexts, sizeof(*result->contexts));
	return result->shots != NULL && (n_contexts == 0 || result->contexts != NULL) &&
	       copy(&result->name, method->name) && copy(&result->description, description) &&
	       copy(&result->objective, objective_name(method->objective)) &&
	       copy(&result->adapt, adapt_name(method->adapt));
}

static bool make_curve(const struct compare_points *points, const char *method,
		       struct compare_curve *curve)
{
	if (points->n == 0)
		return true;
	curve->n_points = points->n;
	curve->x = mem_array(points->n, sizeof(*curve->x));
	curve->y = mem_array(points->n, sizeof(*curve->y));
	if (curve->x == NULL || curve->y == NULL)
		return false;
	memcpy(curve->x, points->x, points->n * sizeof(*curve->x));
	return copy(&curve->method, method);
}

static bool make_names(const struct compare_options *options, struct comparison *comparison)
{
	const struct dataset *measured = compare_measured(options);

	comparison->n_contexts = measured->n_contexts;
	return copy(&comparison->train_path, options->train.path) &&
	       copy(&comparison->test_path, options->test.path) &&
	       copy(&comparison->route_path, options->route.path) &&
	       copy(&comparison->context_path, options->contexts.path) &&
	       copy(&comparison->encoder_spec, encoder_spec(options->encoder)) &&
	       copy(&comparison->libraries, options->libraries) &&
	       copy_names(&comparison->context_names, measured->context_names,
			  measured->n_contexts) &&
	       make_curve(&options->heads_curve, compare_featured(options)->name,
			  &comparison->heads_curve) &&
	       make_curve(&options->budgets, compare_featured(options)->name,
			  &comparison->budget_curve);
}

static void set_digest(const struct compare_split *split, char out[DIGEST_HEX_LEN + 1])
{
	if (split->dataset != NULL)
		memcpy(out, split->dataset->sha256, DIGEST_HEX_LEN + 1);
}

static void set_digests(const struct compare_options *options, struct comparison *comparison)
{
	set_digest(&options->train, comparison->train_sha256);
	set_digest(&options->test, comparison->test_sha256);
	set_digest(&options->route, comparison->route_sha256);
	set_digest(&options->contexts, comparison->context_sha256);
}

static void set_numbers(const struct compare_options *options, struct comparison *comparison)
{
	comparison->n_train_pairs = options->train.dataset->n_pairs;
	comparison->n_train_users = options->train.dataset->n_users;
	comparison->n_test_pairs = options->test.dataset->n_pairs;
	comparison->n_heads = options->n_heads;
	comparison->epochs = options->epochs;
	comparison->first_seed = options->first_seed;
	comparison->n_seeds = options->n_seeds;
	comparison->n_shots = options->n_shots;
	memcpy(comparison->shots, options->shots, sizeof(comparison->shots));
}

/* Trainings of a method, each seed, but for the curve over heads. */
static size_t count_steps(const struct compare_options *options, enum router_kind router)
{
	return options->route.dataset != NULL && router != ROUTER_STATIC ? 2 : 1;
}

static enum status make_results(const struct compare_options *options,
				struct comparison *comparison, size_t *n_steps, struct err *err)
{
	const struct compare_methods *methods = options->methods;
	struct train_options train;

	comparison->results = mem_array(methods->n, sizeof(*comparison->results));
	if (comparison->results == NULL)
		return err_no_memory(err, "a comparison");
	comparison->n_results = methods->n;
	for (size_t i = 0; i < methods->n; i++) {
		enum status status =
		    compare_method_options(&methods->method[i], options->train.dataset,
					   options->n_heads, options->epochs, &train, err);

		if (status != STATUS_OK)
			return status;
		if (!make_result(options, &methods->method[i], train.n_heads,
				 &comparison->results[i]))
			return err_no_memory(err, "a comparison");
		*n_steps += count_steps(options, train.router) * options->n_seeds;
	}
	for (size_t i = 0; i < options->heads_curve.n; i++)
		*n_steps += options->heads_curve.x[i] == train.n_heads ? 0 : options->n_seeds;
	*n_steps += options->budgets.n * options->n_seeds;
	return check_budgets(options, train.router, err);
}

enum status compare_layout(const struct compare_options *options, struct comparison *comparison,
			   size_t *n_steps_out, struct err *err)
{
	enum status status = check_numbers(options, err);

	*n_steps_out = 0;
	if (status == STATUS_OK)
		status = check_contexts(options, err);
	if (status == STATUS_OK)
		status = make_results(options, comparison, n_steps_out, err);
	if (status == STATUS_OK)
		status = check_heads_curve(options, err);
	if (status != STATUS_OK)
		return status;
	set_numbers(options, comparison);
	set_digests(options, comparison);
	return make_names(options, comparison) ? STATUS_OK : err_no_memory(err, "a comparison");
}
