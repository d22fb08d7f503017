/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire_lines.h - all that is stored of a user as lines of JSON (schema/user.md), out and in. A
 * number comes back as the same double, to the bit.
 */
#ifndef MICRO_SERVER_WIRE_LINES_H
#define MICRO_SERVER_WIRE_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/err.h"
#include "server/buffer.h"
#include "server/store.h"

#define WIRE_LINES_FORMAT "micro-user/1"

/** wire_lines_begin(out, user, now_us): the first line. */
void wire_lines_begin(struct buffer *out, const char *user, int64_t now_us);

/** wire_lines_record(out, record): the line of a state or an event. */
void wire_lines_record(struct buffer *out, const struct store_record *record);

/** wire_lines_end(out, n_states, n_events): the last line: without it something is missing. */
void wire_lines_end(struct buffer *out, size_t n_states, size_t n_events);

/**
 * wire_lines_read(body, len, user, arena, import_out, err): the states and events of user, in
 * arena or in body [len + 1], which ends with a NUL and is changed. All is looked at, and that it
 * fits together. A fault tells the line, and its place is "/LINE/field", lines counted from 1;
 * errors are those of wire_read_score().
 */
enum status wire_lines_read(char *body, size_t len, const char *user, struct arena *arena,
			    struct store_import *import_out, struct err *err);

#endif
