/* SPDX-License-Identifier: Apache-2.0 */
#include "core/data/line_reader.h"

#include <errno.h>
#include <string.h>

#include "core/base/mem.h"

#define BUFFER_SIZE ((size_t)256 << 10)

enum status line_reader_open(struct line_reader *reader, const char *path, size_t max_line,
			     struct err *err)
{
	*reader = (struct line_reader){.capacity = BUFFER_SIZE, .max_line = max_line};
	errno = 0;
	reader->file = gzopen(path, "rb");
	if (reader->file == NULL)
		return errno == 0 ? err_no_memory(err, "opening a file")
				  : err_errno(err, STATUS_IO, "cannot open");
	reader->buffer = mem_array(reader->capacity, 1);
	if (reader->buffer == NULL) {
		line_reader_close(reader);
		return err_no_memory(err, "reading a file");
	}
	digest_init(&reader->digest);
	return STATUS_OK;
}

void line_reader_close(struct line_reader *reader)
{
	gzclose_r(reader->file);
	mem_free(reader->buffer);
}

/* Bytes behind end: make room by moving what is left to the front, or by growing. */
static enum status make_room(struct line_reader *reader, struct err *err)
{
	size_t capacity = 2 * reader->capacity;
	char *buffer;

	if (reader->begin > 0) {
		memmove(reader->buffer, reader->buffer + reader->begin,
			reader->end - reader->begin);
		reader->end -= reader->begin;
		reader->begin = 0;
	}
	if (reader->end < reader->capacity)
		return STATUS_OK;
	buffer = mem_grow(reader->buffer, reader->end, capacity, 1);
	if (buffer == NULL)
		return err_no_memory(err, "a long line");
	reader->buffer = buffer;
	reader->capacity = capacity;
	return STATUS_OK;
}

static enum status read_fault(const struct line_reader *reader, struct err *err)
{
	int code;

	gzerror(reader->file, &code);
	if (code == Z_ERRNO)
		return err_errno(err, STATUS_IO, "cannot read");
	if (code == Z_MEM_ERROR)
		return err_no_memory(err, "reading a file");
	if (code == Z_BUF_ERROR)
		return err_set(err, STATUS_BAD_FILE, "the gzip data is cut short");
	return err_set(err, STATUS_BAD_FILE, "the gzip data is damaged");
}

static enum status read_more(struct line_reader *reader, struct err *err)
{
	enum status status = make_room(reader, err);
	size_t room = reader->capacity - reader->end;
	int n, code;

	if (status != STATUS_OK)
		return status;
	n = gzread(reader->file, reader->buffer + reader->end,
		   (unsigned)(room < BUFFER_SIZE ? room : BUFFER_SIZE));
	gzerror(reader->file, &code);
	/* zlib gives what it could make of cut data, and then says so at the end */
	if (n < 0 || (n == 0 && code != Z_OK))
		return read_fault(reader, err);
	digest_add(&reader->digest, reader->buffer + reader->end, (size_t)n);
	reader->end += (size_t)n;
	reader->at_end = n == 0;
	return STATUS_OK;
}

/* Give out the line that begins at begin and is len bytes long. */
static enum status give_out(struct line_reader *reader, size_t len, struct text *line_out,
			    struct err *err)
{
	reader->n_lines++;
	if (len > reader->max_line)
		return err_set(err, STATUS_TOO_LARGE, "the line is longer than %zu bytes",
			       reader->max_line);
	*line_out = (struct text){reader->buffer + reader->begin, len};
	return STATUS_OK;
}

enum status line_reader_next(struct line_reader *reader, struct text *line_out, struct err *err)
{
	size_t n_seen = 0; /* bytes from begin that hold no newline */

	*line_out = (struct text){0};
	for (;;) {
		const char *begin = reader->buffer + reader->begin;
		size_t n_left = reader->end - reader->begin;
		const char *newline = memchr(begin + n_seen, '\n', n_left - n_seen);
		enum status status;

		if (newline != NULL) {
			size_t len = (size_t)(newline - begin);

			status = give_out(reader, len, line_out, err);
			reader->begin += len + 1;
			return status;
		}
		if (n_left > reader->max_line || (reader->at_end && n_left > 0)) {
			status = give_out(reader, n_left, line_out, err);
			reader->begin = reader->end;
			return status;
		}
		if (reader->at_end)
			return STATUS_OK;
		n_seen = n_left;
		status = read_more(reader, err);
		if (status != STATUS_OK)
			return status;
	}
}
