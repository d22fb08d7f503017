/* SPDX-License-Identifier: Apache-2.0 */
/* pair_reader.h - the pairs of a file of JSON lines, one after the other, checked. */
#ifndef MICRO_DATA_PAIR_READER_H
#define MICRO_DATA_PAIR_READER_H

#include "core/base/digest.h"
#include "core/base/err.h"
#include "core/data/dataset_line.h"
#include "core/data/line_reader.h"
#include "core/encode/encoder.h"

struct pair_reader {
	const char *path;
	const struct encoder *encoder;
	struct line_reader lines; /* lines.n_lines: the number of the pair's line */
	struct dataset_line line;
	enum dataset_kind kind; /* of all prompts and responses; DATASET_ABSENT before the first */
};

/**
 * pair_reader_open(reader, path, encoder, err): path outlives reader; pair_reader_close()
 * releases. Errors name the path: STATUS_IO, STATUS_NO_MEMORY; nothing is owned then.
 */
enum status pair_reader_open(struct pair_reader *reader, const char *path,
			     const struct encoder *encoder, struct err *err);

/**
 * pair_reader_next(reader, line_out, err): the next pair, valid until the next call; NULL after
 * the last. Blank lines are skipped. Errors name path, line and column or field:
 * line_reader_next()'s, dataset_line_parse()'s, STATUS_INVALID_TYPE (texts and vectors
 * mixed, texts for none:D), STATUS_MISSING_FIELD (a prompt vector).
 */
enum status pair_reader_next(struct pair_reader *reader, const struct dataset_line **line_out,
			     struct err *err);

/**
 * pair_reader_digest(reader, hex_out): after the last pair: SHA-256 of the uncompressed bytes.
 * Once.
 */
void pair_reader_digest(struct pair_reader *reader, char hex_out[DIGEST_HEX_LEN + 1]);

/** pair_reader_close(reader): releases everything. */
void pair_reader_close(struct pair_reader *reader);

#endif
