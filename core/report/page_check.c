/* SPDX-License-Identifier: Apache-2.0 */
#include "core/report/page_check.h"

#include <math.h>

#define LARGEST 1e9	/* beyond it charts have no digits left */
#define ZERO	(-1e-9) /* both as sums of many rounded numbers may give them */
#define ONE	(1 + 1e-9)

static enum status check_number(double value, double least, double greatest, const char *name,
				struct err *err)
{
	if (!isfinite(value))
		return err_set(err, STATUS_NOT_FINITE, "%s is not finite", name);
	if (value < least || value > greatest)
		return err_set(err, STATUS_INVALID_VALUE, "%s is %g, want %g to %g", name, value,
			       least, greatest);
	return STATUS_OK;
}

static enum status check_spread(const struct spread *spread, double greatest, const char *name,
				struct err *err)
{
	enum status status = check_number(spread->mean, ZERO, greatest, name, err);

	if (status == STATUS_OK)
		status = check_number(spread->sd, 0, greatest, "its standard deviation", err);
	return status;
}

static enum status check_score(const struct compare_score *score, struct err *err)
{
	enum status status = check_spread(&score->accuracy, ONE, "accuracy", err);

	if (status == STATUS_OK)
		status = check_spread(&score->nll, LARGEST, "NLL", err);
	return status;
}

static enum status check_shots(const struct comparison *comparison,
			       const struct compare_result *result, struct err *err)
{
	for (size_t j = 0; j < comparison->n_shots; j++) {
		if (check_score(&result->shots[j], err) != STATUS_OK)
			return err_wrap(err, "after %zu feedbacks", comparison->shots[j]);
	}
	return STATUS_OK;
}

static enum status check_contexts(const struct comparison *comparison,
				  const struct compare_result *result, struct err *err)
{
	if (result->contexts == NULL)
		return STATUS_OK;
	for (size_t c = 0; c < comparison->n_contexts; c++) {
		if (check_score(&result->contexts[c], err) != STATUS_OK)
			return err_wrap(err, "context %s", comparison->context_names[c]);
	}
	if (check_score(&result->context_mean, err) != STATUS_OK)
		return err_wrap(err, "mean of the contexts");
	return STATUS_OK;
}

static enum status check_result(const struct comparison *comparison,
				const struct compare_result *result, struct err *err)
{
	enum status status = check_spread(&result->seconds, LARGEST, "seconds of training", err);

	if (status == STATUS_OK)
		status = check_score(&result->overall, err);
	if (status == STATUS_OK)
		status = check_shots(comparison, result, err);
	if (status == STATUS_OK)
		status = check_contexts(comparison, result, err);
	return status == STATUS_OK ? status : err_wrap(err, "method %s", result->name);
}

static enum status check_curve(const struct compare_curve *curve, const char *name, struct err *err)
{
	for (size_t i = 0; curve->method != NULL && i < curve->n_points; i++) {
		if (check_score(&curve->y[i], err) != STATUS_OK)
			return err_wrap(err, "%s: at %zu", name, curve->x[i]);
	}
	return STATUS_OK;
}

static enum status check_map(const struct compare_map *map, const char *name, struct err *err)
{
	size_t n = map->method != NULL ? map->n_rows * map->n_columns : 0;

	for (size_t i = 0; i < n; i++) {
		if (check_number(map->value[i], ZERO, ONE, "value", err) != STATUS_OK)
			return err_wrap(err, "%s: row %zu, column %zu", name, i / map->n_columns,
					i % map->n_columns);
	}
	return STATUS_OK;
}

enum status page_check(const struct comparison *comparison, struct err *err)
{
	enum status status = STATUS_OK;

	for (size_t r = 0; status == STATUS_OK && r < comparison->n_results; r++)
		status = check_result(comparison, &comparison->results[r], err);
	if (status == STATUS_OK)
		status = check_curve(&comparison->heads_curve, "curve of heads", err);
	if (status == STATUS_OK)
		status = check_curve(&comparison->budget_curve, "curve of budgets", err);
	if (status == STATUS_OK)
		status = check_map(&comparison->router_map, "map of weights", err);
	if (status == STATUS_OK)
		status = check_map(&comparison->head_map, "map of heads", err);
	return status == STATUS_OK ? status : err_wrap(err, "comparison");
}
