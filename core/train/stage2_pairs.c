/* SPDX-License-Identifier: Apache-2.0 */
#include "core/train/stage2_pairs.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/math/logmath.h"
#include "core/model/hedge.h"

#define NO_GROUP UINT32_MAX
#define NO_USER	 UINT32_MAX

static enum status compute_losses(struct stage2_pairs *pairs, const struct dataset *dataset,
				  const struct heads *heads, const uint32_t *chosen_pairs,
				  struct err *err)
{
	size_t n_heads = heads->n_heads;
	float *chosen = mem_array(n_heads, sizeof(*chosen));
	float *rejected = mem_array(n_heads, sizeof(*rejected));
	enum status status = STATUS_OK;

	pairs->loss = mem_array(pairs->n_pairs, n_heads * sizeof(*pairs->loss));
	if (chosen == NULL || rejected == NULL || pairs->loss == NULL)
		status = err_no_memory(err, "losses");
	for (size_t i = 0; i < pairs->n_pairs && status == STATUS_OK; i++) {
		size_t pair = chosen_pairs[i];
		double *loss = pairs->loss + i * n_heads;

		heads_rewards(heads, features_row(&dataset->phi, dataset->chosen[pair]), chosen);
		heads_rewards(heads, features_row(&dataset->phi, dataset->rejected[pair]),
			      rejected);
		hedge_losses(chosen, rejected, n_heads, loss);
		if (!all_finite(loss, n_heads))
			status = err_set(err, STATUS_NOT_FINITE,
					 "pair %zu: a head's loss is not finite; the vectors or "
					 "the head's weights are too large",
					 pair + 1);
	}
	mem_free(chosen);
	mem_free(rejected);
	return status;
}

/* Groups are numbered as they come; a context and a router text never share a number. */
static enum status find_groups(struct stage2_pairs *pairs, const struct dataset *dataset,
			       const uint32_t *chosen_pairs, struct err *err)
{
	size_t n_names = dataset->n_contexts + dataset->psi.n_rows;
	uint32_t *group_of = mem_array(n_names, sizeof(*group_of));

	pairs->row = mem_array(pairs->n_pairs, sizeof(*pairs->row));
	pairs->group = mem_array(pairs->n_pairs, sizeof(*pairs->group));
	if (group_of == NULL || pairs->row == NULL || pairs->group == NULL) {
		mem_free(group_of);
		return err_no_memory(err, "contexts");
	}
	for (size_t name = 0; name < n_names; name++)
		group_of[name] = NO_GROUP;
	for (size_t i = 0; i < pairs->n_pairs; i++) {
		uint32_t context = dataset->context[chosen_pairs[i]];
		uint32_t row = dataset->prompt[chosen_pairs[i]];
		size_t name = context != DATASET_NONE ? context : dataset->n_contexts + row;

		if (group_of[name] == NO_GROUP)
			group_of[name] = (uint32_t)pairs->n_groups++;
		pairs->row[i] = row;
		pairs->group[i] = group_of[name];
	}
	mem_free(group_of);
	return STATUS_OK;
}

/* A pair's place among those that are dealt out. */
struct place {
	uint32_t group;
	uint32_t user; /* the user's first pair: users in random order, as the pairs are */
	uint32_t pair;
};

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	if (x->user != y->user)
		return x->user < y->user ? -1 : 1;
	return x->pair < y->pair ? -1 : x->pair > y->pair;
}

/* first: [n_users], n_pairs at the beginning */
static void find_places(const struct stage2_pairs *pairs, const struct dataset *dataset,
			const uint32_t *chosen_pairs, uint32_t *first, struct place *places)
{
	for (size_t i = 0; i < pairs->n_pairs; i++) {
		uint32_t user = dataset->user[chosen_pairs[i]];

		places[i] = (struct place){pairs->group[i], (uint32_t)i, (uint32_t)i};
		if (user == DATASET_NONE)
			continue;
		if (first[user] == NO_USER)
			first[user] = (uint32_t)i;
		places[i].user = first[user];
	}
	qsort(places, pairs->n_pairs, sizeof(*places), compare_places);
}

/*
 * Each group is cut into as many runs as there are folds. A user's pairs stand side by
 * side, so nearly all of a fold's users are new to the others, as the ones to be
 * served are; still every group that has enough pairs is in every fold.
 */
static enum status deal_folds(struct stage2_pairs *pairs, const struct dataset *dataset,
			      const uint32_t *chosen_pairs, size_t n_folds, struct err *err)
{
	uint32_t *first = mem_array(dataset->n_users, sizeof(*first));
	struct place *places = mem_array(pairs->n_pairs, sizeof(*places));

	pairs->fold = mem_array(pairs->n_pairs, sizeof(*pairs->fold));
	if (first == NULL || places == NULL || pairs->fold == NULL) {
		mem_free(first);
		mem_free(places);
		return err_no_memory(err, "held-out parts");
	}
	for (size_t u = 0; u < dataset->n_users; u++)
		first[u] = NO_USER;
	find_places(pairs, dataset, chosen_pairs, first, places);
	for (size_t begin = 0, end; begin < pairs->n_pairs; begin = end) {
		end = begin;
		while (end < pairs->n_pairs && places[end].group == places[begin].group)
			end++;
		for (size_t i = begin; i < end; i++) {
			size_t run = (i - begin) * n_folds / (end - begin);

			/* small groups do not all begin with the first fold */
			pairs->fold[places[i].pair] = (uint32_t)((run + places[i].group) % n_folds);
		}
	}
	mem_free(first);
	mem_free(places);
	return STATUS_OK;
}

/*
 * position [psi->dim]: of each feature that psi's rows have, among those; feature:
 * the other way round. A router reads at least one. Returns their number.
 */
static size_t number_features(const struct features *psi, uint32_t *position, uint32_t *feature)
{
	size_t n = 0;

	for (size_t r = 0; r < psi->n_rows; r++) {
		struct feature_row row = features_row(psi, r);

		for (size_t j = 0; j < row.n_values; j++) {
			if (row.value[j] != 0)
				position[row.index == NULL ? j : row.index[j]] = 1;
		}
	}
	position[0] = 1;
	for (size_t d = 0; d < psi->dim; d++) {
		if (position[d] == 0)
			continue;
		position[d] = (uint32_t)n;
		feature[n++] = (uint32_t)d;
	}
	return n;
}

/* index, value: scratch [psi->dim] */
static enum status reduce_rows(struct stage2_pairs *pairs, const struct features *psi,
			       const uint32_t *position, uint32_t *index, float *value,
			       struct err *err)
{
	enum status status = STATUS_OK;

	for (size_t r = 0; r < psi->n_rows && status == STATUS_OK; r++) {
		struct feature_row row = features_row(psi, r);
		struct feature_row reduced = {pairs->psi.dim, 0, index, value};

		for (size_t j = 0; j < row.n_values; j++) {
			if (row.value[j] == 0)
				continue;
			index[reduced.n_values] = position[row.index == NULL ? j : row.index[j]];
			value[reduced.n_values++] = row.value[j];
		}
		status = features_append(&pairs->psi, reduced, err);
	}
	return status;
}

static enum status reduce_features(struct stage2_pairs *pairs, const struct features *psi,
				   struct err *err)
{
	uint32_t *position = mem_array(psi->dim, sizeof(*position));
	uint32_t *index = mem_array(psi->dim, sizeof(*index));
	float *value = mem_array(psi->dim, sizeof(*value));
	enum status status;

	pairs->feature = mem_array(psi->dim, sizeof(*pairs->feature));
	if (position == NULL || index == NULL || value == NULL || pairs->feature == NULL) {
		status = err_no_memory(err, "router features");
	} else {
		size_t n = number_features(psi, position, pairs->feature);

		features_init(&pairs->psi, n, psi->sparse);
		status = reduce_rows(pairs, psi, position, index, value, err);
	}
	mem_free(position);
	mem_free(index);
	mem_free(value);
	return status;
}

enum status stage2_pairs_init(struct stage2_pairs *pairs, const struct dataset *dataset,
			      const struct model *model, size_t n_pairs, size_t n_folds,
			      struct rng *rng, struct err *err)
{
	uint32_t *order = mem_array(dataset->n_pairs, sizeof(*order));
	enum status status;

	*pairs = (struct stage2_pairs){.n_heads = model->heads.n_heads};
	if (order == NULL)
		return err_no_memory(err, "pairs");
	for (size_t i = 0; i < dataset->n_pairs; i++)
		order[i] = (uint32_t)i;
	rng_shuffle(rng, order, dataset->n_pairs);
	pairs->n_pairs = n_pairs;
	status = compute_losses(pairs, dataset, &model->heads, order, err);
	if (status == STATUS_OK)
		status = find_groups(pairs, dataset, order, err);
	if (status == STATUS_OK)
		status = deal_folds(pairs, dataset, order, n_folds, err);
	if (status == STATUS_OK)
		status = reduce_features(pairs, &dataset->psi, err);
	if (status != STATUS_OK)
		stage2_pairs_free(pairs);
	mem_free(order);
	return status;
}

void stage2_pairs_free(struct stage2_pairs *pairs)
{
	mem_free(pairs->loss);
	mem_free(pairs->row);
	mem_free(pairs->group);
	mem_free(pairs->fold);
	mem_free(pairs->feature);
	features_free(&pairs->psi);
	*pairs = (struct stage2_pairs){0};
}

/* Numbers a feature has in the first layer, [dim, width]; what follows is all of one block. */
static size_t first_width(const struct router *router)
{
	return router->kind == ROUTER_MLP ? router->n_hidden : router->n_heads;
}

enum status stage2_pairs_router(const struct stage2_pairs *pairs, const struct router *router,
				struct router *part_out, struct err *err)
{
	size_t width = first_width(router);
	size_t n_first = router->dim * width;
	enum status status = router_init(part_out, router->kind, pairs->psi.dim, router->n_heads,
					 router->n_hidden, err);

	if (status != STATUS_OK)
		return status;
	for (size_t j = 0; j < pairs->psi.dim; j++)
		memcpy(part_out->first + j * width, router->first + pairs->feature[j] * width,
		       width * sizeof(float));
	memcpy(part_out->params + pairs->psi.dim * width, router->params + n_first,
	       (router->n_params - n_first) * sizeof(float));
	return STATUS_OK;
}

void stage2_pairs_put_back(const struct stage2_pairs *pairs, const struct router *part,
			   struct router *router)
{
	size_t width = first_width(router);
	size_t n_first = router->dim * width;

	for (size_t j = 0; j < pairs->psi.dim; j++)
		memcpy(router->first + pairs->feature[j] * width, part->first + j * width,
		       width * sizeof(float));
	memcpy(router->params + n_first, part->params + pairs->psi.dim * width,
	       (router->n_params - n_first) * sizeof(float));
}
