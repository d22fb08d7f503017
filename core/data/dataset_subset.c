/* SPDX-License-Identifier: Apache-2.0 */
#include "core/data/dataset_subset.h"

#include <string.h>

#include "core/base/mem.h"

/* New numbers of old ones, 0, 1, ... in order of first appearance. */
struct renumbering {
	uint32_t *new_of; /* [old numbers]: DATASET_NONE: not seen yet */
	uint32_t n;
};

static enum status renumbering_init(struct renumbering *r, size_t n_old, struct err *err)
{
	r->n = 0;
	r->new_of = mem_array(n_old, sizeof(*r->new_of));
	if (r->new_of == NULL)
		return err_no_memory(err, "a part of the data");
	memset(r->new_of, 0xff, n_old * sizeof(*r->new_of)); /* DATASET_NONE */
	return STATUS_OK;
}

/* The new number of old; *is_new: given just now. */
static uint32_t renumber(struct renumbering *r, uint32_t old, bool *is_new)
{
	*is_new = r->new_of[old] == DATASET_NONE;
	if (*is_new)
		r->new_of[old] = r->n++;
	return r->new_of[old];
}

/* One column of row numbers into to [n_pairs], its rows into subset's features. */
static enum status copy_rows(const struct features *from, const uint32_t *column,
			     const uint32_t *pairs, size_t n_pairs, struct renumbering *rows,
			     struct features *to, uint32_t *column_out, struct err *err)
{
	for (size_t i = 0; i < n_pairs; i++) {
		uint32_t old = column[pairs[i]];
		enum status status = STATUS_OK;
		bool is_new;

		column_out[i] = renumber(rows, old, &is_new);
		if (is_new)
			status = features_append(to, features_row(from, old), err);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

/* One column of names; names_out: a new array of *n_out new strings. */
static enum status copy_names(char *const *names, size_t n_names, const uint32_t *column,
			      const uint32_t *pairs, size_t n_pairs, uint32_t *column_out,
			      char ***names_out, size_t *n_out, struct err *err)
{
	struct renumbering numbers;
	enum status status = renumbering_init(&numbers, n_names, err);

	*names_out = mem_array(n_names, sizeof(**names_out));
	if (status == STATUS_OK && *names_out == NULL)
		status = err_no_memory(err, "names");
	for (size_t i = 0; i < n_pairs && status == STATUS_OK; i++) {
		uint32_t old = column[pairs[i]];
		bool is_new;

		column_out[i] = DATASET_NONE;
		if (old == DATASET_NONE)
			continue;
		column_out[i] = renumber(&numbers, old, &is_new);
		if (!is_new)
			continue;
		(*names_out)[*n_out] = mem_string(names[old], strlen(names[old]));
		if ((*names_out)[*n_out] == NULL)
			status = err_no_memory(err, "a name");
		else
			(*n_out)++;
	}
	mem_free(numbers.new_of);
	return status;
}

static enum status alloc_columns(struct dataset *subset, size_t n_pairs, struct err *err)
{
	uint32_t **const columns[] = {&subset->chosen, &subset->rejected, &subset->prompt,
				      &subset->user, &subset->context};

	for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++) {
		*columns[i] = mem_array(n_pairs, sizeof(**columns[i]));
		if (*columns[i] == NULL)
			return err_no_memory(err, "a part of the data");
	}
	subset->n_pairs = n_pairs;
	return STATUS_OK;
}

static enum status copy_features(const struct dataset *from, const uint32_t *pairs, size_t n_pairs,
				 struct dataset *to, struct err *err)
{
	struct renumbering phi = {0}, psi = {0};
	enum status status = renumbering_init(&phi, from->phi.n_rows, err);

	if (status == STATUS_OK)
		status = renumbering_init(&psi, from->psi.n_rows, err);
	if (status == STATUS_OK)
		status = copy_rows(&from->phi, from->chosen, pairs, n_pairs, &phi, &to->phi,
				   to->chosen, err);
	if (status == STATUS_OK)
		status = copy_rows(&from->phi, from->rejected, pairs, n_pairs, &phi, &to->phi,
				   to->rejected, err);
	if (status == STATUS_OK)
		status = copy_rows(&from->psi, from->prompt, pairs, n_pairs, &psi, &to->psi,
				   to->prompt, err);
	mem_free(phi.new_of);
	mem_free(psi.new_of);
	return status;
}

enum status dataset_subset(const struct dataset *dataset, const uint32_t *pairs, size_t n_pairs,
			   struct dataset *subset_out, struct err *err)
{
	struct dataset *to = subset_out;
	enum status status;

	*to = (struct dataset){0};
	features_init(&to->phi, dataset->phi.dim, dataset->phi.sparse);
	features_init(&to->psi, dataset->psi.dim, dataset->psi.sparse);
	status = alloc_columns(to, n_pairs, err);
	if (status == STATUS_OK)
		status = copy_features(dataset, pairs, n_pairs, to, err);
	if (status == STATUS_OK)
		status = copy_names(dataset->user_names, dataset->n_users, dataset->user, pairs,
				    n_pairs, to->user, &to->user_names, &to->n_users, err);
	if (status == STATUS_OK)
		status =
		    copy_names(dataset->context_names, dataset->n_contexts, dataset->context, pairs,
			       n_pairs, to->context, &to->context_names, &to->n_contexts, err);
	if (status != STATUS_OK)
		dataset_free(to);
	return status;
}

void dataset_forget_users(struct dataset *dataset)
{
	for (size_t i = 0; i < dataset->n_pairs; i++)
		dataset->user[i] = DATASET_NONE;
	for (size_t u = 0; u < dataset->n_users; u++)
		mem_free(dataset->user_names[u]);
	dataset->n_users = 0;
}
