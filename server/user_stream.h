/* SPDX-License-Identifier: Apache-2.0 */
/* user_stream.h - the export of a user as it is sent: made piece by piece, never all of it in
 * memory. For one thread at a time. */
#ifndef MICRO_SERVER_USER_STREAM_H
#define MICRO_SERVER_USER_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/err.h"
#include "server/store.h"

struct user_stream; /* opaque */

/** user_stream_open(store, user, now_us, stream_out, err): of what is stored now; the errors of
 * store_export(). user lives as long as the stream. */
enum status user_stream_open(struct store *store, const char *user, int64_t now_us,
			     struct user_stream **stream_out, struct err *err);

/** user_stream_read(stream, bytes, size, n_out, err): up to size further bytes; none at the end.
 * After an error what was read is not all. */
enum status user_stream_read(struct user_stream *stream, char *bytes, size_t size, size_t *n_out,
			     struct err *err);

/** user_stream_close(stream): NULL does nothing. */
void user_stream_close(struct user_stream *stream);

#endif
