/* SPDX-License-Identifier: Apache-2.0 */
#include "core/train/stage2_pairs.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "core/base/mem.h"
#include "core/data/intern.h"
#include "core/math/logmath.h"
#include "core/model/hedge.h"

#define NO_GROUP UINT32_MAX
#define NO_USER	 UINT32_MAX

static int compare_pairs(const void *a, const void *b, void *context)
{
	const uint32_t *pair = context;
	uint32_t x = pair[*(const uint32_t *)a], y = pair[*(const uint32_t *)b];

	return (x > y) - (x < y);
}

static enum status list_pairs(struct stage2_pairs *pairs, const uint32_t *chosen_pairs,
			      struct err *err)
{
	pairs->pair = mem_array(pairs->n_pairs, sizeof(*pairs->pair));
	pairs->by_file = mem_array(pairs->n_pairs, sizeof(*pairs->by_file));
	if (pairs->pair == NULL || pairs->by_file == NULL)
		return err_no_memory(err, "pairs");
	for (size_t i = 0; i < pairs->n_pairs; i++) {
		pairs->pair[i] = chosen_pairs[i];
		pairs->by_file[i] = (uint32_t)i;
	}
	if (dataset_block(pairs->dataset) > 0)
		qsort_r(pairs->by_file, pairs->n_pairs, sizeof(*pairs->by_file), compare_pairs,
			pairs->pair);
	return STATUS_OK;
}

/* buffer: [dim] */
static enum status read_rewards(const struct features *phi, size_t row, const struct heads *heads,
				float *buffer, float *rewards, struct err *err)
{
	struct feature_row x;
	enum status status = features_view(phi, row, buffer, &x, err);

	if (status == STATUS_OK)
		heads_rewards(heads, x, rewards);
	return status;
}

/* The losses of pair i; chosen, rejected: scratch [n_heads]. */
static enum status pair_losses(struct stage2_pairs *pairs, const struct heads *heads, size_t i,
			       float *buffer, float *chosen, float *rejected, struct err *err)
{
	const struct dataset *dataset = pairs->dataset;
	size_t pair = pairs->pair[i];
	double *loss = pairs->loss + i * heads->n_heads;
	enum status status =
	    read_rewards(&dataset->phi, dataset->chosen[pair], heads, buffer, chosen, err);

	if (status == STATUS_OK)
		status = read_rewards(&dataset->phi, dataset->rejected[pair], heads, buffer,
				      rejected, err);
	if (status != STATUS_OK)
		return status;
	hedge_losses(chosen, rejected, heads->n_heads, loss);
	if (!all_finite(loss, heads->n_heads))
		return err_set(err, STATUS_NOT_FINITE,
			       "pair %zu: a head's loss is not finite; the vectors or the head's "
			       "weights are too large",
			       pair + 1);
	return STATUS_OK;
}

static enum status compute_losses(struct stage2_pairs *pairs, const struct heads *heads,
				  struct err *err)
{
	size_t n_heads = heads->n_heads;
	float *chosen = mem_array(n_heads, sizeof(*chosen));
	float *rejected = mem_array(n_heads, sizeof(*rejected));
	float *buffer = mem_array(heads->dim, sizeof(*buffer));
	enum status status = STATUS_OK;

	pairs->loss = mem_array(pairs->n_pairs, n_heads * sizeof(*pairs->loss));
	if (chosen == NULL || rejected == NULL || buffer == NULL || pairs->loss == NULL)
		status = err_no_memory(err, "losses");
	for (size_t j = 0; j < pairs->n_pairs && status == STATUS_OK; j++)
		status =
		    pair_losses(pairs, heads, pairs->by_file[j], buffer, chosen, rejected, err);
	mem_free(chosen);
	mem_free(rejected);
	mem_free(buffer);
	return status;
}

/* The number of the vector of a row, the same for equal ones. */
static enum status number_vector(const struct features *psi, size_t row, struct intern *vectors,
				 float *buffer, uint32_t *number_out, struct err *err)
{
	char digest[crypto_generichash_BYTES];
	struct feature_row x;
	enum status status = features_view(psi, row, buffer, &x, err);

	if (status != STATUS_OK)
		return status;
	crypto_generichash((unsigned char *)digest, sizeof(digest), (const unsigned char *)x.value,
			   x.dim * sizeof(*x.value), NULL, 0);
	return intern_add(vectors, digest, sizeof(digest), number_out, err);
}

/*
 * text [psi.n_rows]: a number of each router text. Rows in memory are distinct; those of a
 * features file are each pair's own, and only those without a context are looked at.
 */
static enum status number_texts(const struct stage2_pairs *pairs, uint32_t *text, struct err *err)
{
	const struct dataset *dataset = pairs->dataset;
	float *buffer = mem_array(dataset->psi.dim, sizeof(*buffer));
	struct intern vectors = {0};
	enum status status = buffer == NULL ? err_no_memory(err, "router texts") : STATUS_OK;

	for (size_t r = 0; r < dataset->psi.n_rows; r++)
		text[r] = (uint32_t)r;
	for (size_t j = 0; j < pairs->n_pairs && status == STATUS_OK; j++) {
		uint32_t pair = pairs->pair[pairs->by_file[j]], row = dataset->prompt[pair];

		if (dataset_block(dataset) > 0 && dataset->context[pair] == DATASET_NONE)
			status =
			    number_vector(&dataset->psi, row, &vectors, buffer, &text[row], err);
	}
	intern_free(&vectors);
	mem_free(buffer);
	return status;
}

/* Groups are numbered as they come; a context and a router text never share a number. */
static void number_groups(struct stage2_pairs *pairs, const uint32_t *text, uint32_t *group_of,
			  size_t n_names)
{
	const struct dataset *dataset = pairs->dataset;

	for (size_t name = 0; name < n_names; name++)
		group_of[name] = NO_GROUP;
	for (size_t i = 0; i < pairs->n_pairs; i++) {
		uint32_t context = dataset->context[pairs->pair[i]];
		uint32_t row = dataset->prompt[pairs->pair[i]];
		size_t name = context != DATASET_NONE ? context : dataset->n_contexts + text[row];

		if (group_of[name] == NO_GROUP)
			group_of[name] = (uint32_t)pairs->n_groups++;
		pairs->row[i] = row;
		pairs->group[i] = group_of[name];
	}
}

static enum status find_groups(struct stage2_pairs *pairs, struct err *err)
{
	const struct dataset *dataset = pairs->dataset;
	size_t n_names = dataset->n_contexts + dataset->psi.n_rows;
	uint32_t *group_of = mem_array(n_names, sizeof(*group_of));
	uint32_t *text = mem_array(dataset->psi.n_rows, sizeof(*text));
	enum status status;

	pairs->row = mem_array(pairs->n_pairs, sizeof(*pairs->row));
	pairs->group = mem_array(pairs->n_pairs, sizeof(*pairs->group));
	if (group_of == NULL || text == NULL || pairs->row == NULL || pairs->group == NULL)
		status = err_no_memory(err, "contexts");
	else
		status = number_texts(pairs, text, err);
	if (status == STATUS_OK)
		number_groups(pairs, text, group_of, n_names);
	mem_free(group_of);
	mem_free(text);
	return status;
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
 * the other way round. A router reads at least one. n_out: their number. buffer: [psi->dim].
 */
static enum status number_features(const struct features *psi, float *buffer, uint32_t *position,
				   uint32_t *feature, size_t *n_out, struct err *err)
{
	size_t n = 0;

	for (size_t r = 0; r < psi->n_rows; r++) {
		struct feature_row row;
		enum status status = features_view(psi, r, buffer, &row, err);

		if (status != STATUS_OK)
			return status;
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
	*n_out = n;
	return STATUS_OK;
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
		status = number_features(psi, value, position, pairs->feature, &pairs->dim, err);
	}
	features_init(&pairs->psi, pairs->dim, psi->sparse);
	if (status == STATUS_OK && psi->mapped == NULL)
		status = reduce_rows(pairs, psi, position, index, value, err);
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

	*pairs = (struct stage2_pairs){
	    .n_pairs = n_pairs, .n_heads = model->heads.n_heads, .dataset = dataset};
	if (order == NULL)
		return err_no_memory(err, "pairs");
	for (size_t i = 0; i < dataset->n_pairs; i++)
		order[i] = (uint32_t)i;
	rng_shuffle(rng, order, dataset->n_pairs);
	status = list_pairs(pairs, order, err);
	if (status == STATUS_OK)
		status = compute_losses(pairs, &model->heads, err);
	if (status == STATUS_OK)
		status = find_groups(pairs, err);
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
	mem_free(pairs->pair);
	mem_free(pairs->by_file);
	mem_free(pairs->loss);
	mem_free(pairs->row);
	mem_free(pairs->group);
	mem_free(pairs->fold);
	mem_free(pairs->feature);
	features_free(&pairs->psi);
	*pairs = (struct stage2_pairs){0};
}

enum status stage2_pairs_psi(const struct stage2_pairs *pairs, size_t i, float *buffer,
			     struct feature_row *row_out, struct err *err)
{
	const struct features *psi = &pairs->dataset->psi;
	enum status status;

	if (psi->mapped == NULL) {
		*row_out = features_row(&pairs->psi, pairs->row[i]);
		return STATUS_OK;
	}
	status = features_gather(psi, &pairs->row[i], 1, buffer, err);
	if (status != STATUS_OK)
		return status;
	/* feature is ascending: what is moved has not been written over */
	for (size_t j = 0; j < pairs->dim; j++)
		buffer[j] = buffer[pairs->feature[j]];
	*row_out = feature_row_dense(buffer, pairs->dim);
	return STATUS_OK;
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
	enum status status =
	    router_init(part_out, router->kind, pairs->dim, router->n_heads, router->n_hidden, err);

	if (status != STATUS_OK)
		return status;
	for (size_t j = 0; j < pairs->dim; j++)
		memcpy(part_out->first + j * width, router->first + pairs->feature[j] * width,
		       width * sizeof(float));
	memcpy(part_out->params + pairs->dim * width, router->params + n_first,
	       (router->n_params - n_first) * sizeof(float));
	return STATUS_OK;
}

void stage2_pairs_put_back(const struct stage2_pairs *pairs, const struct router *part,
			   struct router *router)
{
	size_t width = first_width(router);
	size_t n_first = router->dim * width;

	for (size_t j = 0; j < pairs->dim; j++)
		memcpy(router->first + pairs->feature[j] * width, part->first + j * width,
		       width * sizeof(float));
	memcpy(router->params + n_first, part->params + pairs->dim * width,
	       (router->n_params - n_first) * sizeof(float));
}
