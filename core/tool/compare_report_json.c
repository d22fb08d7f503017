/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/compare_report.h"
#include "core/tool/json_line.h"

/* NULL anywhere: no memory, which json_line_print() reports. */

static json_t *spread_json(const struct spread *spread)
{
	return json_pack("{s:f, s:f}", "mean", spread->mean, "sd", spread->sd);
}

static json_t *score_json(const struct compare_score *score)
{
	return json_pack("{s:o, s:o}", "accuracy", spread_json(&score->accuracy), "nll",
			 spread_json(&score->nll));
}

/* A score with what it is the score of, whose reference is taken. */
static json_t *row_json(const char *key, json_t *value, const struct compare_score *score)
{
	return json_pack("{s:o, s:o, s:o}", key, value, "accuracy", spread_json(&score->accuracy),
			 "nll", spread_json(&score->nll));
}

static json_t *number_json(size_t number)
{
	return json_integer((json_int_t)number);
}

static json_t *names_json(char *const *names, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_line_append(&array, json_string(names[i]));
	return array;
}

static json_t *result_json(const struct comparison *comparison, const struct compare_result *result)
{
	json_t *shots = json_array(), *contexts = json_array();
	bool has_contexts = comparison->n_contexts > 0;

	for (size_t j = 0; j < comparison->n_shots; j++)
		json_line_append(&shots, row_json("shots", number_json(comparison->shots[j]),
						  &result->shots[j]));
	for (size_t i = 0; i < comparison->n_contexts; i++)
		json_line_append(&contexts,
				 row_json("context", json_string(comparison->context_names[i]),
					  &result->contexts[i]));
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "name", result->name,
			 "description", result->description, "objective", result->objective,
			 "adapt", result->adapt, "n_heads", (json_int_t)result->n_heads, "seconds",
			 spread_json(&result->seconds), "overall", score_json(&result->overall),
			 "shots", shots, "contexts", contexts, "context_mean",
			 has_contexts ? score_json(&result->context_mean) : json_null());
}

static json_t *results_json(const struct comparison *comparison)
{
	json_t *array = json_array();

	for (size_t i = 0; i < comparison->n_results; i++)
		json_line_append(&array, result_json(comparison, &comparison->results[i]));
	return array;
}

static json_t *left_out_json(const struct compare_report *report)
{
	json_t *array = json_array();

	for (size_t i = 0; i < report->n_left_out; i++)
		json_line_append(&array, json_pack("{s:s, s:s}", "name", report->left_out[i].name,
						   "reason", report->left_out[i].reason));
	return array;
}

static json_t *curve_json(const struct compare_curve *curve, const char *x)
{
	json_t *points;

	if (curve->method == NULL)
		return json_null();
	points = json_array();
	for (size_t i = 0; i < curve->n_points; i++)
		json_line_append(&points, row_json(x, number_json(curve->x[i]), &curve->y[i]));
	return json_pack("{s:s, s:o}", "method", curve->method, "points", points);
}

static json_t *map_json(const struct compare_map *map, const char *rows, const char *values)
{
	if (map->method == NULL)
		return json_null();
	return json_pack("{s:s, s:o, s:o, s:o}", "method", map->method, rows,
			 names_json(map->row_names, map->n_rows), "heads",
			 names_json(map->column_names, map->n_columns), values,
			 json_line_rows(map->value, map->n_rows, map->n_columns));
}

/* null of a file that there is not */
static json_t *digest_json(const char *sha256)
{
	return sha256[0] == '\0' ? json_null() : json_string(sha256);
}

static json_t *digests_json(const struct comparison *c)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "train", digest_json(c->train_sha256), "test",
			 digest_json(c->test_sha256), "route", digest_json(c->route_sha256),
			 "contexts", digest_json(c->context_sha256));
}

static json_t *options_json(const struct comparison *c)
{
	return json_pack("{s:o, s:o}", "heads", number_json(c->n_heads), "epochs",
			 c->epochs == 0 ? json_null() : number_json(c->epochs));
}

enum status compare_report_json(const struct compare_report *report, FILE *out, struct err *err)
{
	const struct comparison *c = &report->comparison;
	json_t *train =
	    json_pack("{s:s, s:I, s:I}", "path", c->train_path, "n_pairs",
		      (json_int_t)c->n_train_pairs, "n_users", (json_int_t)c->n_train_users);
	json_t *test =
	    json_pack("{s:s, s:I, s:I}", "path", c->test_path, "n_pairs",
		      (json_int_t)c->n_test_pairs, "n_users", (json_int_t)c->n_test_users);

	return json_line_print(
	    json_pack("{s:o, s:o, s:s?, s:s?, s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
		      "s:o, s:o, s:s, s:s?}",
		      "train", train, "test", test, "route", c->route_path, "contexts",
		      c->context_path, "encoder", c->encoder_spec, "first_seed",
		      (json_int_t)c->first_seed, "n_seeds", (json_int_t)c->n_seeds, "methods",
		      results_json(c), "left_out", left_out_json(report), "shots_missed",
		      report->shots_missed == 0 ? json_null() : number_json(report->shots_missed),
		      "heads_curve", curve_json(&c->heads_curve, "n_heads"), "budget_curve",
		      curve_json(&c->budget_curve, "n_pairs"), "router_map",
		      map_json(&c->router_map, "prompts", "weights"), "head_map",
		      map_json(&c->head_map, "contexts", "accuracy"), "sha256", digests_json(c),
		      "options", options_json(c), "version", MICRO_VERSION, "libraries",
		      c->libraries),
	    out, err);
}
