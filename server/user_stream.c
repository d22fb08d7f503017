/* SPDX-License-Identifier: Apache-2.0 */
#include "server/user_stream.h"

#include <stdbool.h>
#include <string.h>

#include "core/base/mem.h"
#include "server/wire_lines.h"

struct user_stream {
	struct store_export *export;
	struct buffer lines; /* of which the first n_read bytes are read */
	size_t n_read;
	size_t n_states, n_events;
	bool ended; /* the last line is made */
};

enum status user_stream_open(struct store *store, const char *user, int64_t now_us,
			     struct user_stream **stream_out, struct err *err)
{
	struct user_stream *stream = mem_array(1, sizeof(*stream));
	enum status status;

	*stream_out = NULL;
	if (stream == NULL)
		return err_no_memory(err, "an export");
	status = store_export(store, user, &stream->export, err);
	if (status != STATUS_OK) {
		user_stream_close(stream);
		return status;
	}
	wire_lines_begin(&stream->lines, user, now_us);
	*stream_out = stream;
	return STATUS_OK;
}

/* The next line; the memory of those before is used again. */
static enum status add_line(struct user_stream *stream, struct err *err)
{
	struct store_record record;
	enum status status = store_export_next(stream->export, &record, err);

	if (status != STATUS_OK)
		return status;
	stream->lines.len = stream->n_read = 0;
	stream->ended = record.kind == STORE_RECORD_NONE;
	stream->n_states += record.kind == STORE_RECORD_STATE;
	stream->n_events += record.kind == STORE_RECORD_EVENT;
	if (stream->ended)
		wire_lines_end(&stream->lines, stream->n_states, stream->n_events);
	else
		wire_lines_record(&stream->lines, &record);
	return STATUS_OK;
}

static size_t take(struct user_stream *stream, char *bytes, size_t size)
{
	size_t n = stream->lines.len - stream->n_read;

	if (n > size)
		n = size;
	if (n > 0)
		memcpy(bytes, stream->lines.bytes + stream->n_read, n);
	stream->n_read += n;
	return n;
}

enum status user_stream_read(struct user_stream *stream, char *bytes, size_t size, size_t *n_out,
			     struct err *err)
{
	enum status status = buffer_status(&stream->lines, "an export", err);

	*n_out = 0;
	while (status == STATUS_OK && *n_out < size) {
		*n_out += take(stream, bytes + *n_out, size - *n_out);
		if (*n_out == size || (stream->ended && stream->n_read == stream->lines.len))
			break;
		status = add_line(stream, err);
		if (status == STATUS_OK)
			status = buffer_status(&stream->lines, "an export", err);
	}
	return status;
}

void user_stream_close(struct user_stream *stream)
{
	if (stream == NULL)
		return;
	store_export_close(stream->export);
	buffer_free(&stream->lines);
	mem_free(stream);
}
