/* SPDX-License-Identifier: Apache-2.0 */
/* line_reader.h - the lines of a plain or gzip-compressed file, one after the other. */
#ifndef MICRO_DATA_LINE_READER_H
#define MICRO_DATA_LINE_READER_H

#include <stdbool.h>
#include <stddef.h>

#include <zlib.h>

#include "core/base/digest.h"
#include "core/base/err.h"
#include "core/encode/encoder.h"

/* Invariant: the bytes [begin, end) of buffer are read and not yet given out. */
struct line_reader {
	gzFile file;
	struct digest digest; /* of all bytes read, uncompressed */
	char *buffer;	      /* [capacity] */
	size_t capacity;
	size_t max_line; /* bytes */
	size_t begin, end;
	size_t n_lines; /* given out so far: the number of the last one */
	bool at_end;	/* of the file: all that is left is in buffer */
};

/**
 * line_reader_open(reader, path, max_line, err): begin. STATUS_IO, STATUS_NO_MEMORY;
 * nothing is owned then. End with line_reader_close().
 */
enum status line_reader_open(struct line_reader *reader, const char *path, size_t max_line,
			     struct err *err);

/**
 * line_reader_next(reader, line_out, err): the next line without its newline, valid
 * until the next call; bytes is NULL after the last one. Errors: STATUS_IO,
 * STATUS_BAD_FILE (the gzip data is cut short or damaged), STATUS_TOO_LARGE (longer than
 * max_line), STATUS_NO_MEMORY.
 */
enum status line_reader_next(struct line_reader *reader, struct text *line_out, struct err *err);

/** line_reader_close(reader): releases everything. */
void line_reader_close(struct line_reader *reader);

#endif
