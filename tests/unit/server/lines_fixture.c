/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/server/lines_fixture.h"

#include <check.h>

#include "server/user_stream.h"
#include "server/wire_lines.h"

enum status lines_export(struct store *store, const char *user, struct buffer *out, struct err *err)
{
	struct user_stream *stream;
	enum status status = user_stream_open(store, user, STORE_TIME_US, &stream, err);
	char piece[113];
	size_t n = 1;

	while (status == STATUS_OK && n > 0) {
		status = user_stream_read(stream, piece, sizeof(piece), &n, err);
		buffer_add(out, piece, n);
	}
	user_stream_close(stream);
	buffer_terminate(out);
	return status == STATUS_OK ? buffer_status(out, "the lines", err) : status;
}

void lines_must_export(struct store *store, const char *user, struct buffer *out)
{
	struct err err = {0};

	ck_assert_msg(lines_export(store, user, out, &err) == STATUS_OK, "%s", err.msg);
}

enum status lines_import(struct store *store, const char *user, const struct buffer *lines,
			 struct store_op *op, struct err *err)
{
	struct store_op *ops = op;
	struct buffer body = {0};
	struct arena arena = {0};
	enum status status;

	buffer_add(&body, lines->bytes, lines->len);
	buffer_terminate(&body);
	*op = (struct store_op){.kind = STORE_IMPORT};
	status = buffer_status(&body, "the body", err);
	if (status == STATUS_OK)
		status = wire_lines_read(body.bytes, body.len, user, &arena, &op->import, err);
	op->import.model_id = "model";
	op->import.n_heads = STORE_HEADS;
	if (status == STATUS_OK)
		status = store_apply(store, &ops, 1, err);
	if (status == STATUS_OK && op->err.code != STATUS_OK) {
		status = op->err.code;
		*err = op->err;
	}
	arena_free(&arena);
	buffer_free(&body);
	return status;
}

void lines_must_import(struct store *store, const char *user, const struct buffer *lines,
		       size_t n_new, size_t n_duplicates)
{
	struct store_op op;
	struct err err = {0};

	ck_assert_msg(lines_import(store, user, lines, &op, &err) == STATUS_OK, "%s", err.msg);
	ck_assert_uint_eq(op.import.events_out, n_new);
	ck_assert_uint_eq(op.import.duplicates_out, n_duplicates);
}

void lines_check_same(const struct buffer *a, const struct buffer *b)
{
	ck_assert_uint_eq(a->len, b->len);
	ck_assert_mem_eq(a->bytes, b->bytes, a->len);
}
