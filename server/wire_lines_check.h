/* SPDX-License-Identifier: Apache-2.0 */
/* wire_lines_check.h - whether the states and events of an import fit together. Private to
 * wire_lines*.c. */
#ifndef MICRO_SERVER_WIRE_LINES_CHECK_H
#define MICRO_SERVER_WIRE_LINES_CHECK_H

#include <stddef.h>

#include "core/base/arena.h"
#include "core/base/err.h"
#include "server/store.h"

/* In the order in which they came. */
struct lines {
	struct store_import_state *states; /* [n_states] */
	size_t n_states;
	struct store_import_event *events; /* [n_events] */
	size_t n_events;
};

/**
 * wire_lines_check(lines, arena, err): each state is there once, is normalized and has as many
 * updates and the time that its events say; each event has an id of its own, and a state of its
 * context and an overall one of its model, which are noted in it. Faults as in wire_lines_read().
 */
enum status wire_lines_check(struct lines *lines, struct arena *arena, struct err *err);

#endif
