/* SPDX-License-Identifier: Apache-2.0 */
#include "core/data/features_writer.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "core/base/base64.h"
#include "core/base/mem.h"
#include "core/data/dataset.h"
#include "core/data/features_file.h"
#include "core/data/features_part.h"
#include "core/data/intern.h"
#include "core/data/name_list.h"
#include "core/data/pair_reader.h"
#include "core/encode/template.h"

#define COUNT_REPORT 4096		  /* pairs between two reports while they are counted */
#define BATCH_BYTES  ((size_t)1 << 20)	  /* vectors of one kind that are written at once, about */
#define BATCH_PAIRS  256		  /* at most */
#define KEEP_BYTES   ((uint64_t)64 << 20) /* written between two notes of how far it is */

enum field { CHOSEN, REJECTED, PROMPT, N_VECTORS, USER = N_VECTORS, CONTEXT, N_FIELDS };

static const char *const field_names[N_FIELDS] = {"chosen", "rejected", "prompt", "user",
						  "context"};

struct writing {
	const struct features_recipe *recipe;
	features_progress_fn *progress; /* may be NULL */
	void *progress_context;
	struct features_written *written;
	size_t dim, row_bytes;
	struct intern users, contexts;
	struct features_part part;
	uint64_t offset[N_FIELDS]; /* of each tensor; 0: there is none */
	uint64_t n_unkept;	   /* bytes written since the last note */

	/* the pairs that are not yet written */
	size_t batch_pairs;			   /* at most */
	size_t first, n;			   /* number of the first pair; pairs */
	struct text texts[N_VECTORS][BATCH_PAIRS]; /* to be encoded together; owned */
	size_t n_texts[N_VECTORS];
	struct features vectors[N_VECTORS];
	int32_t ids[N_FIELDS - N_VECTORS][BATCH_PAIRS];
	size_t lines[BATCH_PAIRS];
	float *row;	      /* [dim] */
	unsigned char *bytes; /* [batch_pairs, row_bytes] */
};

/* ---- first pass: count, check, collect the names ---- */

static enum status add_name(struct intern *names, struct text name, int32_t *id_out,
			    struct err *err)
{
	uint32_t id;
	enum status status;

	*id_out = -1;
	if (name.bytes == NULL)
		return STATUS_OK;
	status = intern_add(names, name.bytes, name.len, &id, err);
	if (status == STATUS_OK)
		*id_out = (int32_t)id;
	return status;
}

static enum status count_pair(struct writing *w, const struct dataset_line *line, struct err *err)
{
	size_t *n = &w->written->n_pairs;
	int32_t id;
	enum status status;

	if (*n == DATASET_MAX_PAIRS)
		return err_set(err, STATUS_TOO_LARGE, "more than %zu pairs", DATASET_MAX_PAIRS);
	status = add_name(&w->users, line->user, &id, err);
	if (status == STATUS_OK)
		status = add_name(&w->contexts, line->context, &id, err);
	if (status != STATUS_OK || ++*n % COUNT_REPORT != 0)
		return status;
	if (w->progress == NULL ||
	    w->progress(w->progress_context, &(struct features_progress){.n_done = *n}))
		return STATUS_OK;
	return err_set(err, STATUS_INTERRUPTED, "interrupted before anything was written");
}

static enum status count_pairs(struct writing *w, struct err *err)
{
	const struct dataset_line *line;
	struct pair_reader reader;
	enum status status = pair_reader_open(&reader, w->recipe->data, w->recipe->encoder, err);

	if (status != STATUS_OK)
		return status;
	do {
		status = pair_reader_next(&reader, &line, err);
		if (status == STATUS_OK && line != NULL)
			status = count_pair(w, line, err);
	} while (status == STATUS_OK && line != NULL);
	pair_reader_digest(&reader, w->written->sha256);
	pair_reader_close(&reader);
	w->written->n_users = w->users.n;
	w->written->n_contexts = w->contexts.n;
	if (status == STATUS_OK && w->written->n_pairs == 0)
		status = err_set(err, STATUS_INVALID_VALUE, "%s: no pairs", w->recipe->data);
	return status;
}

/* ---- the header ---- */

/* Tensors of the file, by fields; returns their number. */
static size_t list_tensors(const struct writing *w, struct tensor_spec *specs, enum dtype *dtypes,
			   enum field *fields)
{
	size_t n = 0;

	for (size_t f = 0; f < N_FIELDS; f++) {
		bool is_vector = f < N_VECTORS;

		if ((f == USER && w->users.n == 0) || (f == CONTEXT && w->contexts.n == 0))
			continue;
		specs[n] = (struct tensor_spec){.name = field_names[f],
						.rank = is_vector ? 2 : 1,
						.shape = {w->written->n_pairs, w->dim}};
		dtypes[n] = is_vector ? w->recipe->dtype : DTYPE_I32;
		fields[n++] = (enum field)f;
	}
	return n;
}

/* Texts of the header that have to be made. */
struct texts {
	char *fingerprint, *users, *contexts;
};

static enum status make_texts(const struct writing *w, struct texts *texts, struct err *err)
{
	enum status status = encoder_fingerprint(w->recipe->encoder, w->row, err);

	if (status != STATUS_OK)
		return status;
	texts->fingerprint = base64_encode_floats(w->row, w->dim);
	if (texts->fingerprint == NULL)
		return err_no_memory(err, "fingerprint");
	status = name_list_text(&w->users, &texts->users, err);
	return status == STATUS_OK ? name_list_text(&w->contexts, &texts->contexts, err) : status;
}

static enum status make_head(struct writing *w, const struct texts *texts,
			     struct safetensors_head *head, struct err *err)
{
	const struct features_recipe *recipe = w->recipe;
	struct metadata_spec metadata[8] = {
	    {FEATURES_KEY_FORMAT, FEATURES_FORMAT},
	    {FEATURES_KEY_ENCODER, encoder_spec(recipe->encoder)},
	    {FEATURES_KEY_FINGERPRINT, texts->fingerprint},
	    {FEATURES_KEY_PHI, recipe->template_phi},
	    {FEATURES_KEY_PSI, recipe->template_psi},
	    {FEATURES_KEY_SHA256, w->written->sha256},
	};
	struct tensor_spec specs[N_FIELDS];
	enum dtype dtypes[N_FIELDS];
	enum field fields[N_FIELDS];
	uint64_t offsets[N_FIELDS];
	size_t n_tensors = list_tensors(w, specs, dtypes, fields), n_metadata = 6;
	enum status status;

	if (w->users.n > 0)
		metadata[n_metadata++] = (struct metadata_spec){FEATURES_KEY_USERS, texts->users};
	if (w->contexts.n > 0)
		metadata[n_metadata++] =
		    (struct metadata_spec){FEATURES_KEY_CONTEXTS, texts->contexts};
	status = safetensors_head_make(specs, dtypes, n_tensors, metadata, n_metadata, head,
				       offsets, err);
	if (status != STATUS_OK) {
		err_wrap(err, "the names of %u users and %u contexts", w->users.n, w->contexts.n);
		return status;
	}
	for (size_t i = 0; i < n_tensors; i++)
		w->offset[fields[i]] = offsets[i];
	w->written->n_bytes = head->file_len;
	return STATUS_OK;
}

/* head_out: the caller frees its bytes, also on error */
static enum status describe(struct writing *w, struct safetensors_head *head_out, struct err *err)
{
	struct texts texts = {0};
	enum status status = make_texts(w, &texts, err);

	if (status == STATUS_OK)
		status = make_head(w, &texts, head_out, err);
	mem_free(texts.fingerprint);
	mem_free(texts.users);
	mem_free(texts.contexts);
	return status;
}

/* ---- second pass: encode and write ---- */

static enum status add_text(struct writing *w, enum field field, const char *template,
			    const struct template_fields *fields, struct err *err)
{
	struct text *text = &w->texts[field][w->n_texts[field]];
	enum status status = template_render(template, fields, text, err);

	if (status == STATUS_OK)
		w->n_texts[field]++;
	return status;
}

static enum status add_texts(struct writing *w, const struct dataset_line *line, struct err *err)
{
	struct template_fields fields = {
	    .context = line->context, .prompt = line->prompt.text, .chat = line->chat};
	enum status status = add_text(w, PROMPT, w->recipe->template_psi, &fields, err);

	fields.response = line->chosen.text;
	if (status == STATUS_OK)
		status = add_text(w, CHOSEN, w->recipe->template_phi, &fields, err);
	fields.response = line->rejected.text;
	if (status == STATUS_OK)
		status = add_text(w, REJECTED, w->recipe->template_phi, &fields, err);
	return status;
}

static void drop_texts(struct writing *w)
{
	for (size_t f = 0; f < N_VECTORS; f++) {
		for (size_t i = 0; i < w->n_texts[f]; i++)
			mem_free((char *)w->texts[f][i].bytes);
		w->n_texts[f] = 0;
	}
}

/* A server gets many texts at once. */
static enum status encode_batch(struct writing *w, struct err *err)
{
	enum status status = STATUS_OK;

	for (size_t f = 0; f < N_VECTORS && status == STATUS_OK; f++)
		status = encoder_encode(w->recipe->encoder, w->texts[f], w->n_texts[f],
					&w->vectors[f], err);
	drop_texts(w);
	if (status != STATUS_OK)
		err_wrap(err, "%s:%zu to %zu", w->recipe->data, w->lines[0], w->lines[w->n - 1]);
	return status;
}

static enum status append_vectors(struct writing *w, const struct dataset_line *line,
				  struct err *err)
{
	const float *vectors[N_VECTORS] = {line->chosen.vector, line->rejected.vector,
					   line->prompt.vector};
	enum status status = STATUS_OK;

	for (size_t f = 0; f < N_VECTORS && status == STATUS_OK; f++)
		status =
		    features_append(&w->vectors[f], feature_row_dense(vectors[f], w->dim), err);
	return status;
}

static enum status add_pair(struct writing *w, const struct pair_reader *reader,
			    const struct dataset_line *line, struct err *err)
{
	enum status status = line->chosen.kind == DATASET_TEXT ? add_texts(w, line, err)
							       : append_vectors(w, line, err);

	if (status == STATUS_OK)
		status = add_name(&w->users, line->user, &w->ids[USER - N_VECTORS][w->n], err);
	if (status == STATUS_OK)
		status =
		    add_name(&w->contexts, line->context, &w->ids[CONTEXT - N_VECTORS][w->n], err);
	if (status != STATUS_OK) {
		err_wrap(err, "%s:%zu", w->recipe->data, reader->lines.n_lines);
		return status;
	}
	w->lines[w->n++] = reader->lines.n_lines;
	return STATUS_OK;
}

static enum status write_vectors(struct writing *w, enum field f, struct err *err)
{
	enum dtype dtype = w->recipe->dtype;
	size_t bad;

	for (size_t i = 0; i < w->n; i++) {
		feature_row_copy(features_row(&w->vectors[f], i), w->row);
		if (!dtype_from_floats(dtype, w->row, w->dim, w->bytes + i * w->row_bytes, &bad))
			return err_set(err, STATUS_INVALID_VALUE,
				       "%s:%zu: /%s: number %zu, %g, is too large for %s; take "
				       "another --dtype",
				       w->recipe->data, w->lines[i], field_names[f], bad,
				       (double)w->row[bad], dtype_name(dtype));
	}
	return features_part_write(&w->part, w->bytes, w->n * w->row_bytes,
				   w->offset[f] + w->first * w->row_bytes, err);
}

static enum status write_ids(struct writing *w, enum field f, struct err *err)
{
	const int32_t *ids = w->ids[f - N_VECTORS];

	if (w->offset[f] == 0)
		return STATUS_OK;
	return features_part_write(&w->part, ids, w->n * sizeof(*ids),
				   w->offset[f] + w->first * sizeof(*ids), err);
}

/* The batch to the file; from time to time a note of how far it is. */
static enum status write_batch(struct writing *w, struct err *err)
{
	size_t end = w->first + w->n;
	enum status status = w->n > 0 ? encode_batch(w, err) : STATUS_OK;

	for (size_t f = 0; f < N_FIELDS && status == STATUS_OK; f++)
		status = f < N_VECTORS ? write_vectors(w, (enum field)f, err)
				       : write_ids(w, (enum field)f, err);
	if (status != STATUS_OK)
		return status;
	w->n_unkept += N_VECTORS * w->n * w->row_bytes;
	for (size_t f = 0; f < N_VECTORS; f++)
		w->vectors[f].n_rows = 0;
	w->first = end;
	w->n = 0;
	if (w->n_unkept < KEEP_BYTES)
		return STATUS_OK;
	w->n_unkept = 0;
	return features_part_keep(&w->part, end, err);
}

static enum status report_written(struct writing *w, struct err *err)
{
	struct features_progress state = {
	    .n_pairs = w->written->n_pairs, .n_done = w->first, .n_resumed = w->written->n_resumed};
	struct err note;

	if (w->progress == NULL || w->progress(w->progress_context, &state))
		return STATUS_OK;
	/* what is done already is worth keeping; if that fails, less is kept */
	(void)features_part_keep(&w->part, w->first, &note);
	err_set(err, STATUS_INTERRUPTED,
		"interrupted; %s keeps %zu of %zu pairs, and the same command goes on from there",
		w->part.file.temporary, w->part.n_done, w->written->n_pairs);
	return STATUS_INTERRUPTED;
}

static enum status encode_pairs(struct writing *w, struct pair_reader *reader, struct err *err)
{
	const struct dataset_line *line;
	size_t at = 0;
	enum status status;

	for (;;) {
		status = pair_reader_next(reader, &line, err);
		if (status != STATUS_OK || line == NULL || at == w->written->n_pairs)
			break;
		if (at++ < w->written->n_resumed)
			continue;
		status = add_pair(w, reader, line, err);
		if (status == STATUS_OK && w->n == w->batch_pairs) {
			status = write_batch(w, err);
			if (status == STATUS_OK)
				status = report_written(w, err);
		}
		if (status != STATUS_OK)
			return status;
	}
	return status == STATUS_OK ? write_batch(w, err) : status;
}

static enum status check_unchanged(const struct writing *w, struct pair_reader *reader,
				   struct err *err)
{
	char sha256[DIGEST_HEX_LEN + 1];

	pair_reader_digest(reader, sha256);
	if (strcmp(sha256, w->written->sha256) == 0)
		return STATUS_OK;
	return err_set(err, STATUS_INVALID_VALUE, "%s: it changed while it was read",
		       w->recipe->data);
}

static enum status second_pass(struct writing *w, struct err *err)
{
	struct pair_reader reader;
	enum status status = pair_reader_open(&reader, w->recipe->data, w->recipe->encoder, err);

	if (status != STATUS_OK)
		return status;
	status = encode_pairs(w, &reader, err);
	if (status == STATUS_OK)
		status = check_unchanged(w, &reader, err);
	pair_reader_close(&reader);
	return status;
}

static enum status write_file(struct writing *w, const struct safetensors_head *head,
			      struct err *err)
{
	size_t n_pairs = w->written->n_pairs;
	enum status status = features_part_open(&w->part, w->recipe->out, head, err);

	if (status != STATUS_OK)
		return status;
	w->written->n_resumed = w->part.n_done < n_pairs ? w->part.n_done : n_pairs;
	w->first = w->written->n_resumed;
	if (w->first < n_pairs)
		status = second_pass(w, err);
	if (status == STATUS_OK)
		return features_part_commit(&w->part, err);
	features_part_close(&w->part);
	return status;
}

static enum status allocate(struct writing *w, struct err *err)
{
	size_t n = BATCH_BYTES / w->row_bytes;

	w->batch_pairs = n < 1 ? 1 : n < BATCH_PAIRS ? n : BATCH_PAIRS;
	w->row = mem_array(w->dim, sizeof(*w->row));
	w->bytes = mem_array(w->batch_pairs, w->row_bytes);
	for (size_t f = 0; f < N_VECTORS; f++)
		features_init(&w->vectors[f], w->dim, encoder_is_sparse(w->recipe->encoder));
	return w->row != NULL && w->bytes != NULL ? STATUS_OK : err_no_memory(err, "vectors");
}

static void writing_free(struct writing *w)
{
	intern_free(&w->users);
	intern_free(&w->contexts);
	drop_texts(w);
	for (size_t f = 0; f < N_VECTORS; f++)
		features_free(&w->vectors[f]);
	mem_free(w->row);
	mem_free(w->bytes);
}

enum status features_write(const struct features_recipe *recipe, features_progress_fn *progress,
			   void *context, struct features_written *written_out, struct err *err)
{
	size_t dim = encoder_dim(recipe->encoder);
	struct writing w = {
	    .recipe = recipe,
	    .progress = progress,
	    .progress_context = context,
	    .written = written_out,
	    .dim = dim,
	    .row_bytes = dim * dtype_size(recipe->dtype),
	};
	struct safetensors_head head = {0};
	enum status status;

	assert(dtype_is_float(recipe->dtype));
	*written_out = (struct features_written){0};
	status = allocate(&w, err);
	if (status == STATUS_OK)
		status = count_pairs(&w, err);
	if (status == STATUS_OK)
		status = describe(&w, &head, err);
	if (status == STATUS_OK)
		status = write_file(&w, &head, err);
	mem_free(head.bytes);
	writing_free(&w);
	return status;
}
