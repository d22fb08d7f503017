/* SPDX-License-Identifier: Apache-2.0 */
/* lines_fixture.h - a user out of a store and into another, as the lines that are sent. */
#ifndef TESTS_UNIT_LINES_FIXTURE_H
#define TESTS_UNIT_LINES_FIXTURE_H

#include "server/buffer.h"
#include "tests/unit/server/store_fixture.h"

/** lines_export(store, user, out, err): appended to out, made in small pieces. */
enum status lines_export(struct store *store, const char *user, struct buffer *out,
			 struct err *err);

/** lines_must_export(store, user, out): the same, and it succeeds. */
void lines_must_export(struct store *store, const char *user, struct buffer *out);

/** lines_import(store, user, lines, op, err): into a store whose daemon serves "model" of
 * STORE_HEADS heads; the operation's own outcome. */
enum status lines_import(struct store *store, const char *user, const struct buffer *lines,
			 struct store_op *op, struct err *err);

/** lines_must_import(store, user, lines, n_new, n_duplicates): the same, and it succeeds. */
void lines_must_import(struct store *store, const char *user, const struct buffer *lines,
		       size_t n_new, size_t n_duplicates);

/** lines_check_same(a, b): byte by byte. */
void lines_check_same(const struct buffer *a, const struct buffer *b);

#endif
