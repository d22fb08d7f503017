/* SPDX-License-Identifier: Apache-2.0 */
#include "core/compare/comparison.h"

#include "core/base/mem.h"

static void free_names(char **names, size_t n)
{
	for (size_t i = 0; names != NULL && i < n; i++)
		mem_free(names[i]);
	mem_free(names);
}

static void free_curve(struct compare_curve *curve)
{
	mem_free(curve->method);
	mem_free(curve->x);
	mem_free(curve->y);
}

static void free_map(struct compare_map *map)
{
	mem_free(map->method);
	free_names(map->row_names, map->n_rows);
	free_names(map->column_names, map->n_columns);
	mem_free(map->value);
}

static void free_result(struct compare_result *result)
{
	mem_free(result->name);
	mem_free(result->description);
	mem_free(result->objective);
	mem_free(result->adapt);
	mem_free(result->shots);
	mem_free(result->contexts);
}

void comparison_free(struct comparison *comparison)
{
	mem_free(comparison->train_path);
	mem_free(comparison->test_path);
	mem_free(comparison->route_path);
	mem_free(comparison->context_path);
	mem_free(comparison->encoder_spec);
	mem_free(comparison->libraries);
	free_names(comparison->context_names, comparison->n_contexts);
	for (size_t i = 0; comparison->results != NULL && i < comparison->n_results; i++)
		free_result(&comparison->results[i]);
	mem_free(comparison->results);
	free_curve(&comparison->heads_curve);
	free_curve(&comparison->budget_curve);
	free_map(&comparison->router_map);
	free_map(&comparison->head_map);
	*comparison = (struct comparison){0};
}
