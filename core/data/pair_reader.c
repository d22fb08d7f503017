/* SPDX-License-Identifier: Apache-2.0 */
#include "core/data/pair_reader.h"

#include <stdbool.h>
#include <string.h>

#include "core/data/dataset.h"

enum status pair_reader_open(struct pair_reader *reader, const char *path,
			     const struct encoder *encoder, struct err *err)
{
	enum status status;

	*reader = (struct pair_reader){.path = path, .encoder = encoder};
	status = line_reader_open(&reader->lines, path, DATASET_MAX_LINE, err);
	if (status != STATUS_OK) {
		err_wrap(err, "%s", path);
		return status;
	}
	status = dataset_line_init(&reader->line, encoder_dim(encoder), err);
	if (status != STATUS_OK)
		line_reader_close(&reader->lines);
	return status;
}

void pair_reader_close(struct pair_reader *reader)
{
	dataset_line_free(&reader->line);
	line_reader_close(&reader->lines);
}

static const char *kind_name(enum dataset_kind kind)
{
	return kind == DATASET_TEXT ? "a text" : "a vector";
}

static enum status check_kind(const struct pair_reader *r, enum dataset_kind kind, struct err *err)
{
	if (kind == DATASET_TEXT && !encoder_reads_text(r->encoder))
		return err_set(err, STATUS_INVALID_TYPE,
			       "want a vector of %zu numbers, got a text, which the encoder %s "
			       "does not read",
			       encoder_dim(r->encoder), encoder_spec(r->encoder));
	if (kind != r->kind)
		return err_set(err, STATUS_INVALID_TYPE,
			       "got %s where the file had %s before: want texts or vectors, not "
			       "both",
			       kind_name(kind), kind_name(r->kind));
	return STATUS_OK;
}

static enum status check_prompt_kind(const struct pair_reader *r, enum dataset_kind kind,
				     struct err *err)
{
	if (kind != DATASET_ABSENT)
		return check_kind(r, kind, err);
	if (r->kind == DATASET_TEXT)
		return STATUS_OK; /* the empty text */
	return err_set(err, STATUS_MISSING_FIELD, "missing, want a vector of %zu numbers",
		       encoder_dim(r->encoder));
}

static enum status check_kinds(const struct pair_reader *r, struct err *err)
{
	const struct dataset_line *line = &r->line;
	const char *field = "/chosen";
	enum status status = check_kind(r, line->chosen.kind, err);

	if (status == STATUS_OK) {
		field = "/rejected";
		status = check_kind(r, line->rejected.kind, err);
	}
	if (status == STATUS_OK) {
		field = "/prompt";
		status = check_prompt_kind(r, line->prompt.kind, err);
	}
	if (status != STATUS_OK)
		err_wrap(err, "%s", field);
	return status;
}

static bool is_blank(struct text line)
{
	for (size_t i = 0; i < line.len; i++) {
		if (strchr(" \t\r", line.bytes[i]) == NULL || line.bytes[i] == '\0')
			return false;
	}
	return true;
}

/* The next line that is not blank, parsed; line_out is NULL after the last. */
static enum status parse_next(struct pair_reader *reader, const struct dataset_line **line_out,
			      struct err *err)
{
	struct text bytes;

	*line_out = NULL;
	do {
		enum status status = line_reader_next(&reader->lines, &bytes, err);

		if (status != STATUS_OK || bytes.bytes == NULL)
			return status;
	} while (is_blank(bytes));
	*line_out = &reader->line;
	return dataset_line_parse(&reader->line, bytes, err);
}

enum status pair_reader_next(struct pair_reader *reader, const struct dataset_line **line_out,
			     struct err *err)
{
	enum status status = parse_next(reader, line_out, err);

	if (status == STATUS_OK && *line_out == NULL)
		return STATUS_OK;
	if (status == STATUS_OK) {
		if (reader->kind == DATASET_ABSENT)
			reader->kind = reader->line.chosen.kind;
		status = check_kinds(reader, err);
	}
	if (status != STATUS_OK)
		err_wrap(err, "%s:%zu", reader->path, reader->lines.n_lines);
	return status;
}

void pair_reader_digest(struct pair_reader *reader, char hex_out[DIGEST_HEX_LEN + 1])
{
	digest_hex(&reader->lines.digest, hex_out);
}
