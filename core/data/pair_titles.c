/* SPDX-License-Identifier: Apache-2.0 */
#include "core/data/pair_titles.h"

#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/data/features_file.h"
#include "core/data/pair_reader.h"

/* A new title of pair i; prompt.len 0: it has none. NULL without memory. */
static char *make_title(const struct dataset *dataset, size_t i, struct text prompt)
{
	uint32_t id = dataset->context[i];
	const char *context = id == DATASET_NONE ? "" : dataset->context_names[id];
	size_t len = strlen(context), gap = len > 0 && prompt.len > 0 ? 2 : 0;
	char number[32], *title;

	if (len + prompt.len == 0) {
		snprintf(number, sizeof(number), "pair %zu", i + 1);
		return mem_string(number, strlen(number));
	}
	title = mem_array(len + gap + prompt.len + 1, 1);
	if (title == NULL)
		return NULL;
	memcpy(title, context, len);
	memcpy(title + len, ": ", gap);
	if (prompt.len > 0)
		memcpy(title + len + gap, prompt.bytes, prompt.len);
	return title;
}

/* Titles of those of pairs [n_pairs] that are pair i. */
static enum status title_pair(const struct dataset *dataset, size_t i, struct text prompt,
			      const uint32_t *pairs, size_t n_pairs, char **titles, struct err *err)
{
	for (size_t j = 0; j < n_pairs; j++) {
		if (pairs[j] != i)
			continue;
		titles[j] = make_title(dataset, i, prompt);
		if (titles[j] == NULL)
			return err_no_memory(err, "titles of pairs");
	}
	return STATUS_OK;
}

static enum status title_lines(struct pair_reader *reader, const struct dataset *dataset,
			       const uint32_t *pairs, size_t n_pairs, char **titles,
			       struct err *err)
{
	for (size_t i = 0; i < dataset->n_pairs; i++) {
		const struct dataset_line *line;
		struct text prompt = {0};
		enum status status = pair_reader_next(reader, &line, err);

		if (status == STATUS_OK && line == NULL)
			status = err_set(err, STATUS_INVALID_VALUE,
					 "%s: pair %zu, which was there before, is missing",
					 reader->path, i + 1);
		if (status == STATUS_OK && line->prompt.kind == DATASET_TEXT)
			prompt = line->prompt.text;
		if (status == STATUS_OK)
			status = title_pair(dataset, i, prompt, pairs, n_pairs, titles, err);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

/* A features file has names of contexts and no texts. */
static enum status title_features(const struct dataset *dataset, const uint32_t *pairs,
				  size_t n_pairs, char **titles, struct err *err)
{
	enum status status = STATUS_OK;

	for (size_t j = 0; j < n_pairs && status == STATUS_OK; j++)
		status =
		    title_pair(dataset, pairs[j], (struct text){0}, pairs + j, 1, titles + j, err);
	return status;
}

enum status pair_titles_read(const char *path, const struct encoder *encoder,
			     const struct dataset *dataset, const uint32_t *pairs, size_t n_pairs,
			     char **titles_out, struct err *err)
{
	struct pair_reader reader;
	enum status status;

	memset(titles_out, 0, n_pairs * sizeof(*titles_out));
	if (features_file_is(path)) {
		status = title_features(dataset, pairs, n_pairs, titles_out, err);
	} else {
		status = pair_reader_open(&reader, path, encoder, err);
		if (status != STATUS_OK)
			return status;
		status = title_lines(&reader, dataset, pairs, n_pairs, titles_out, err);
		pair_reader_close(&reader);
	}
	for (size_t j = 0; j < n_pairs && status != STATUS_OK; j++) {
		mem_free(titles_out[j]);
		titles_out[j] = NULL;
	}
	return status;
}
