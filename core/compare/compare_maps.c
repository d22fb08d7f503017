/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/compare/compare_impl.h"
#include "core/eval/head_scores.h"
#include "core/model/mixture.h"

#define MAX_PER_CONTEXT 3 /* rows of a context in the router's map */

static char *copy(const char *text)
{
	return mem_string(text, strlen(text));
}

/* rows and columns named; the caller's comparison owns the map, also on error */
static enum status map_init(struct compare_map *map, const char *method, char *const *row_names,
			    size_t n_rows, char *const *column_names, size_t n_columns,
			    struct err *err)
{
	bool ok;

	*map = (struct compare_map){
	    .method = copy(method),
	    .n_rows = n_rows,
	    .n_columns = n_columns,
	    .row_names = mem_array(n_rows, sizeof(char *)),
	    .column_names = mem_array(n_columns, sizeof(char *)),
	    .value = mem_array(n_rows, n_columns * sizeof(double)),
	};
	ok = map->method != NULL && map->row_names != NULL && map->column_names != NULL &&
	     map->value != NULL;
	for (size_t i = 0; ok && i < n_rows; i++)
		ok = (map->row_names[i] = copy(row_names[i])) != NULL;
	for (size_t k = 0; ok && k < n_columns; k++)
		ok = (map->column_names[k] = copy(column_names[k])) != NULL;
	return ok ? STATUS_OK : err_no_memory(err, "a map of the heads");
}

static enum status fill_router_map(const struct compare_options *options, const struct model *model,
				   struct compare_map *map, struct err *err)
{
	const struct dataset *data = compare_measured(options);
	size_t n_heads = model->heads.n_heads;
	float *hidden = mem_array(model->router.n_hidden, sizeof(*hidden));
	float *logits = mem_array(n_heads, sizeof(*logits));
	float *buffer = mem_array(data->psi.mapped == NULL ? 0 : data->psi.dim, sizeof(*buffer));
	enum status status = STATUS_OK;

	if (hidden == NULL || logits == NULL || buffer == NULL)
		status = err_no_memory(err, "a map of the heads");
	for (size_t i = 0; i < map->n_rows && status == STATUS_OK; i++) {
		double *weight = map->value + i * n_heads;
		struct feature_row psi = {0};

		status = features_view(&data->psi, data->prompt[options->map_pairs[i]], buffer,
				       &psi, err);
		if (status != STATUS_OK)
			break;
		router_logits(&model->router, psi, hidden, logits);
		mixture_log_weights(logits, NULL, model->mask, n_heads, weight);
		for (size_t k = 0; k < n_heads; k++)
			weight[k] = exp(weight[k]);
	}
	mem_free(hidden);
	mem_free(logits);
	mem_free(buffer);
	return status;
}

static enum status fill_head_map(const struct dataset *data, const struct model *model,
				 struct compare_map *map, struct err *err)
{
	struct head_margins margins;
	struct head_scores scores;
	enum status status = head_margins_init(&margins, model, data, 1, err);

	if (status != STATUS_OK)
		return status;
	status = head_scores_init(&scores, &margins, 0, data, err);
	head_margins_free(&margins);
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < map->n_rows; i++) {
		for (size_t k = 0; k < map->n_columns; k++)
			map->value[i * map->n_columns + k] =
			    head_scores_context(&scores, i)[k].accuracy;
	}
	head_scores_free(&scores);
	return STATUS_OK;
}

/* A single head, or a router that tells no prompts apart, has nothing to show. */
enum status compare_maps(const struct compare_options *options, const struct model *model,
			 struct comparison *comparison, struct err *err)
{
	const struct dataset *data = compare_measured(options);
	const char *method = compare_featured(options)->name;
	size_t n_heads = model->heads.n_heads;
	enum status status = STATUS_OK;

	if (n_heads > 1 && model->router.kind != ROUTER_STATIC && options->n_map_rows > 0) {
		status = map_init(&comparison->router_map, method, options->map_names,
				  options->n_map_rows, model->labels, n_heads, err);
		if (status == STATUS_OK)
			status = fill_router_map(options, model, &comparison->router_map, err);
	}
	if (status == STATUS_OK && n_heads > 1 && data->n_contexts > 0) {
		status = map_init(&comparison->head_map, method, data->context_names,
				  data->n_contexts, model->labels, n_heads, err);
		if (status == STATUS_OK)
			status = fill_head_map(data, model, &comparison->head_map, err);
	}
	return status;
}

/* ---- which prompts ---- */

/* The distinct router texts of a dataset. */
struct prompts {
	size_t n_rows;
	size_t n_groups; /* contexts, and one of the pairs without */
	uint32_t *pair;	 /* [n_rows]: the first */
	uint32_t *group; /* [n_rows] */
	uint32_t *rank;	 /* [n_rows]: within the group, from 0 */
	size_t *count;	 /* [n_groups] */
};

static void prompts_free(struct prompts *p)
{
	mem_free(p->pair);
	mem_free(p->group);
	mem_free(p->rank);
	mem_free(p->count);
}

static enum status prompts_init(struct prompts *p, const struct dataset *data, struct err *err)
{
	*p = (struct prompts){
	    .n_rows = data->psi.n_rows,
	    .n_groups = data->n_contexts + 1,
	    .pair = mem_array(data->psi.n_rows, sizeof(*p->pair)),
	    .group = mem_array(data->psi.n_rows, sizeof(*p->group)),
	    .rank = mem_array(data->psi.n_rows, sizeof(*p->rank)),
	    .count = mem_array(data->n_contexts + 1, sizeof(*p->count)),
	};
	if (p->pair == NULL || p->group == NULL || p->rank == NULL || p->count == NULL) {
		prompts_free(p);
		return err_no_memory(err, "prompts");
	}
	for (size_t i = data->n_pairs; i-- > 0;)
		p->pair[data->prompt[i]] = (uint32_t)i;
	for (size_t row = 0; row < p->n_rows; row++) {
		uint32_t context = data->context[p->pair[row]];

		p->group[row] = context == DATASET_NONE ? (uint32_t)data->n_contexts : context;
		p->rank[row] = (uint32_t)p->count[p->group[row]]++;
	}
	return STATUS_OK;
}

/* The rows that are taken if a context may have `most`. */
static size_t count_taken(const struct prompts *p, size_t most)
{
	size_t n = p->count[p->n_groups - 1];

	for (size_t g = 0; g + 1 < p->n_groups; g++)
		n += p->count[g] < most ? p->count[g] : most;
	return n;
}

enum status compare_map_rows(const struct dataset *dataset, uint32_t *pairs_out, size_t n_max,
			     size_t *n_out, struct err *err)
{
	size_t most = MAX_PER_CONTEXT, n = 0;
	struct prompts p;
	enum status status = prompts_init(&p, dataset, err);

	if (status != STATUS_OK)
		return status;
	while (most > 1 && count_taken(&p, most) > n_max)
		most--;
	for (size_t g = 0; g < p.n_groups; g++) {
		for (size_t row = 0; row < p.n_rows; row++) {
			bool taken = g + 1 == p.n_groups || p.rank[row] < most;

			if (p.group[row] == g && taken && n < n_max)
				pairs_out[n++] = p.pair[row];
		}
	}
	*n_out = n;
	prompts_free(&p);
	return STATUS_OK;
}
