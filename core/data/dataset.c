/* SPDX-License-Identifier: Apache-2.0 */
#include "core/data/dataset.h"

#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/data/features_file.h"
#include "core/data/intern.h"
#include "core/data/pair_reader.h"
#include "core/data/row_set.h"
#include "core/encode/template.h"

/* A dataset while it is read. */
struct builder {
	struct dataset *dataset;
	const struct encoder *encoder;
	const char *template_phi, *template_psi;
	struct row_set phi, psi;
	struct intern users, contexts;
	size_t capacity_pairs;
};

static void builder_init(struct builder *b, const struct encoder *encoder, const char *template_phi,
			 const char *template_psi, struct dataset *dataset)
{
	size_t dim = encoder_dim(encoder);

	*dataset = (struct dataset){0};
	features_init(&dataset->phi, dim, encoder_is_sparse(encoder));
	features_init(&dataset->psi, dim, encoder_is_sparse(encoder));
	*b = (struct builder){
	    .dataset = dataset,
	    .encoder = encoder,
	    .template_phi = template_phi,
	    .template_psi = template_psi,
	};
	row_set_init(&b->phi, encoder, &dataset->phi);
	row_set_init(&b->psi, encoder, &dataset->psi);
}

static void builder_free(struct builder *b)
{
	row_set_free(&b->phi);
	row_set_free(&b->psi);
	intern_free(&b->users);
	intern_free(&b->contexts);
}

static enum status grow(uint32_t **array, size_t n, size_t capacity, struct err *err)
{
	uint32_t *grown = mem_grow(*array, n, capacity, sizeof(*grown));

	if (grown == NULL)
		return err_no_memory(err, "pairs");
	*array = grown;
	return STATUS_OK;
}

static enum status reserve_pair(struct builder *b, struct err *err)
{
	struct dataset *d = b->dataset;
	uint32_t **const arrays[] = {&d->chosen, &d->rejected, &d->prompt, &d->user, &d->context};
	size_t capacity = b->capacity_pairs == 0 ? 1024 : 2 * b->capacity_pairs;
	enum status status = STATUS_OK;

	if (d->n_pairs == DATASET_MAX_PAIRS)
		return err_set(err, STATUS_TOO_LARGE, "more than %zu pairs", DATASET_MAX_PAIRS);
	if (d->n_pairs < b->capacity_pairs)
		return STATUS_OK;
	for (size_t i = 0; i < sizeof(arrays) / sizeof(*arrays) && status == STATUS_OK; i++)
		status = grow(arrays[i], d->n_pairs, capacity, err);
	if (status == STATUS_OK)
		b->capacity_pairs = capacity;
	return status;
}

static enum status add_text(struct row_set *set, const char *template,
			    const struct template_fields *fields, uint32_t *row_out,
			    struct err *err)
{
	struct text text;
	enum status status = template_render(template, fields, &text, err);

	return status == STATUS_OK ? row_set_add_text(set, text, row_out, err) : status;
}

static enum status add_texts(struct builder *b, const struct dataset_line *line, struct err *err)
{
	struct dataset *d = b->dataset;
	struct template_fields fields = {
	    .context = line->context, .prompt = line->prompt.text, .chat = line->chat};
	enum status status;

	status = add_text(&b->psi, b->template_psi, &fields, &d->prompt[d->n_pairs], err);
	fields.response = line->chosen.text;
	if (status == STATUS_OK)
		status = add_text(&b->phi, b->template_phi, &fields, &d->chosen[d->n_pairs], err);
	fields.response = line->rejected.text;
	if (status == STATUS_OK)
		status = add_text(&b->phi, b->template_phi, &fields, &d->rejected[d->n_pairs], err);
	return status;
}

static enum status add_vectors(struct builder *b, const struct dataset_line *line, struct err *err)
{
	struct dataset *d = b->dataset;
	enum status status;

	status = row_set_add_vector(&b->psi, line->prompt.vector, &d->prompt[d->n_pairs], err);
	if (status == STATUS_OK)
		status =
		    row_set_add_vector(&b->phi, line->chosen.vector, &d->chosen[d->n_pairs], err);
	if (status == STATUS_OK)
		status = row_set_add_vector(&b->phi, line->rejected.vector,
					    &d->rejected[d->n_pairs], err);
	return status;
}

static enum status add_name(struct intern *names, struct text name, uint32_t *id_out,
			    struct err *err)
{
	if (name.bytes != NULL)
		return intern_add(names, name.bytes, name.len, id_out, err);
	*id_out = DATASET_NONE;
	return STATUS_OK;
}

static enum status add_pair(struct builder *b, const struct dataset_line *line, struct err *err)
{
	struct dataset *d = b->dataset;
	enum status status = reserve_pair(b, err);

	if (status == STATUS_OK)
		status = line->chosen.kind == DATASET_TEXT ? add_texts(b, line, err)
							   : add_vectors(b, line, err);
	if (status == STATUS_OK)
		status = add_name(&b->users, line->user, &d->user[d->n_pairs], err);
	if (status == STATUS_OK)
		status = add_name(&b->contexts, line->context, &d->context[d->n_pairs], err);
	if (status == STATUS_OK)
		d->n_pairs++;
	return status;
}

static enum status read_pairs(struct builder *b, struct pair_reader *reader, struct err *err)
{
	for (;;) {
		const struct dataset_line *line;
		enum status status = pair_reader_next(reader, &line, err);

		if (status != STATUS_OK || line == NULL)
			return status;
		status = add_pair(b, line, err);
		if (status != STATUS_OK) {
			err_wrap(err, "%s:%zu", reader->path, reader->lines.n_lines);
			return status;
		}
	}
}

/* What is known at the end only. */
static enum status finish(struct builder *b, struct pair_reader *reader, struct err *err)
{
	struct dataset *d = b->dataset;
	enum status status;

	if (d->n_pairs == 0)
		return err_set(err, STATUS_INVALID_VALUE,
			       "no pairs, want one JSON object a line with \"prompt\", \"chosen\" "
			       "and \"rejected\"");
	status = row_set_flush(&b->phi, err);
	if (status == STATUS_OK)
		status = row_set_flush(&b->psi, err);
	if (status == STATUS_OK)
		status = intern_strings(&b->users, &d->user_names, err);
	if (status != STATUS_OK)
		return status;
	d->n_users = b->users.n;
	status = intern_strings(&b->contexts, &d->context_names, err);
	if (status != STATUS_OK)
		return status;
	d->n_contexts = b->contexts.n;
	pair_reader_digest(reader, d->sha256);
	return STATUS_OK;
}

static enum status read_file(struct builder *b, struct pair_reader *reader, struct err *err)
{
	enum status status = read_pairs(b, reader, err);

	if (status != STATUS_OK)
		return status;
	status = finish(b, reader, err);
	if (status != STATUS_OK)
		err_wrap(err, "%s", reader->path);
	return status;
}

enum status dataset_read(const char *path, const struct encoder *encoder, const char *template_phi,
			 const char *template_psi, struct dataset *dataset_out, struct err *err)
{
	struct builder builder;
	struct pair_reader reader;
	enum status status;

	if (features_file_is(path))
		return features_file_read(path, encoder, template_phi, template_psi, dataset_out,
					  err);
	status = pair_reader_open(&reader, path, encoder, err);
	if (status != STATUS_OK)
		return status;
	builder_init(&builder, encoder, template_phi, template_psi, dataset_out);
	status = read_file(&builder, &reader, err);
	builder_free(&builder);
	pair_reader_close(&reader);
	if (status != STATUS_OK)
		dataset_free(dataset_out);
	return status;
}

static void free_names(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mem_free(names[i]);
	mem_free(names);
}

void dataset_free(struct dataset *dataset)
{
	features_free(&dataset->phi);
	features_free(&dataset->psi);
	mem_free(dataset->chosen);
	mem_free(dataset->rejected);
	mem_free(dataset->prompt);
	mem_free(dataset->user);
	mem_free(dataset->context);
	free_names(dataset->user_names, dataset->n_users);
	free_names(dataset->context_names, dataset->n_contexts);
	*dataset = (struct dataset){0};
}

size_t dataset_block(const struct dataset *dataset)
{
	return dataset->phi.mapped == NULL ? 0 : mapped_rows_block(dataset->phi.mapped);
}

void dataset_expect(const struct dataset *dataset, size_t begin, size_t n)
{
	mapped_rows_expect(dataset->phi.mapped, 0, begin, n);
	mapped_rows_expect(dataset->phi.mapped, 1, begin, n);
	mapped_rows_expect(dataset->psi.mapped, 0, begin, n);
}

/* Groups of the pairs, and in start_out[g + 1] the size of group g. */
static size_t count_groups(const struct dataset *dataset, size_t *start_out)
{
	size_t n_groups = dataset->n_users;

	for (size_t i = 0; i < dataset->n_pairs; i++) {
		uint32_t user = dataset->user[i];

		start_out[(user == DATASET_NONE ? n_groups++ : user) + 1]++;
	}
	return n_groups;
}

/* Place the pairs; start [n_groups + 1] is where each group begins, before and after. */
static void place_pairs(const struct dataset *dataset, size_t n_groups, uint32_t *order,
			size_t *start)
{
	size_t next = dataset->n_users;

	for (size_t i = 0; i < dataset->n_pairs; i++) {
		uint32_t user = dataset->user[i];

		order[start[user == DATASET_NONE ? next++ : user]++] = (uint32_t)i;
	}
	/* each group's beginning has moved to its end: the next one's beginning */
	memmove(start + 1, start, n_groups * sizeof(*start));
	start[0] = 0;
}

enum status dataset_by_user(const struct dataset *dataset, uint32_t **order_out, size_t **start_out,
			    size_t *n_groups_out, struct err *err)
{
	uint32_t *order = mem_array(dataset->n_pairs, sizeof(*order));
	size_t *start = mem_array(dataset->n_users + dataset->n_pairs + 1, sizeof(*start));
	size_t n_groups;

	if (order == NULL || start == NULL) {
		mem_free(order);
		mem_free(start);
		return err_no_memory(err, "pairs by user");
	}
	n_groups = count_groups(dataset, start);
	for (size_t g = 0; g < n_groups; g++)
		start[g + 1] += start[g];
	place_pairs(dataset, n_groups, order, start);
	*order_out = order;
	*start_out = start;
	*n_groups_out = n_groups;
	return STATUS_OK;
}
