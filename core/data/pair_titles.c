/* SPDX-License-Identifier: Apache-2.0 */
#include "core/data/pair_titles.h"

#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/data/dataset.h"
#include "core/data/dataset_line.h"
#include "core/data/line_reader.h"

static char *name_pair(const struct dataset_line *line, size_t i)
{
	struct text context = line->context, prompt = {0};
	size_t gap, len;
	char number[32], *name;

	if (line->prompt.kind == DATASET_TEXT)
		prompt = line->prompt.text;
	if (context.len == 0 && prompt.len == 0) {
		snprintf(number, sizeof(number), "pair %zu", i + 1);
		return mem_string(number, strlen(number));
	}
	gap = context.len > 0 && prompt.len > 0 ? 2 : 0;
	len = context.len + gap + prompt.len;
	name = mem_array(len + 1, 1);
	if (name == NULL)
		return NULL;
	if (context.len > 0)
		memcpy(name, context.bytes, context.len);
	memcpy(name + context.len, ": ", gap);
	if (prompt.len > 0)
		memcpy(name + context.len + gap, prompt.bytes, prompt.len);
	return name;
}

/* The i-th line that is not blank. */
static enum status name_line(struct dataset_line *line, struct text bytes, size_t i,
			     const uint32_t *pairs, size_t n_pairs, char **names, struct err *err)
{
	enum status status = STATUS_OK;

	for (size_t j = 0; j < n_pairs && status == STATUS_OK; j++) {
		if (pairs[j] != i)
			continue;
		status = dataset_line_parse(line, bytes, err);
		if (status == STATUS_OK && (names[j] = name_pair(line, i)) == NULL)
			status = err_no_memory(err, "names of pairs");
	}
	return status;
}

static enum status name_lines(struct line_reader *reader, size_t dim, const uint32_t *pairs,
			      size_t n_pairs, char **names, struct err *err)
{
	struct dataset_line line;
	enum status status = dataset_line_init(&line, dim, err);

	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; status == STATUS_OK;) {
		struct text bytes;

		status = line_reader_next(reader, &bytes, err);
		if (status != STATUS_OK || bytes.bytes == NULL)
			break;
		if (!dataset_line_is_blank(bytes))
			status = name_line(&line, bytes, i++, pairs, n_pairs, names, err);
	}
	dataset_line_free(&line);
	for (size_t j = 0; j < n_pairs && status == STATUS_OK; j++) {
		if (names[j] == NULL)
			status = err_set(err, STATUS_INVALID_VALUE,
					 "pair %zu, which was there before, is missing",
					 (size_t)pairs[j] + 1);
	}
	return status;
}

enum status pair_titles_read(const char *path, size_t dim, const uint32_t *pairs, size_t n_pairs,
			    char **names_out, struct err *err)
{
	struct line_reader reader;
	enum status status = line_reader_open(&reader, path, DATASET_MAX_LINE, err);

	memset(names_out, 0, n_pairs * sizeof(*names_out));
	if (status == STATUS_OK) {
		status = name_lines(&reader, dim, pairs, n_pairs, names_out, err);
		line_reader_close(&reader);
	}
	if (status == STATUS_OK)
		return status;
	err_wrap(err, "%s", path);
	for (size_t j = 0; j < n_pairs; j++) {
		mem_free(names_out[j]);
		names_out[j] = NULL;
	}
	return status;
}
