/* SPDX-License-Identifier: Apache-2.0 */
/*
 * circuit_breaker.h - whether to ask a server that has failed before.
 *
 *   CLOSED    it is asked; n_failures in a row open the breaker
 *   OPEN      it is not asked, for a time that doubles with every vain attempt, or for the longer
 *             one that it asked for
 *   PROBING   one thread tries it; the others do not ask
 *
 * Time is given from outside, in seconds that never go back; the caller locks.
 */
#ifndef MICRO_ENCODE_CIRCUIT_BREAKER_H
#define MICRO_ENCODE_CIRCUIT_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define CIRCUIT_BREAKER_FIRST_WAIT 0.5	/* seconds */
#define CIRCUIT_BREAKER_MAX_WAIT   15.0 /* seconds */

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_PROBING };

struct circuit_breaker {
	enum breaker_state state;
	unsigned n_failures;   /* in a row */
	unsigned max_failures; /* that many open it; 0: it stays closed */
	double wait;	       /* of the next opening, seconds */
	double opened_at;      /* since when it is not closed */
	double retry_at;       /* OPEN: when it may be probed */
	uint64_t n_trips;      /* closed to open, ever */
};

/** circuit_breaker_init(b, max_failures): closed. */
void circuit_breaker_init(struct circuit_breaker *b, unsigned max_failures);

/** circuit_breaker_success(b): an answer came. Closes it when it was probed. */
void circuit_breaker_success(struct circuit_breaker *b);

/** circuit_breaker_failure(b, now, asked): none came, or a wrong one; asked: its Retry-After, 0 if
 * it has none. */
void circuit_breaker_failure(struct circuit_breaker *b, double now, double asked);

/** circuit_breaker_trip(b, now, asked): open it at once. */
void circuit_breaker_trip(struct circuit_breaker *b, double now, double asked);

/** circuit_breaker_due(b, now): true for the one who is to probe it now: OPEN and waited enough. */
bool circuit_breaker_due(struct circuit_breaker *b, double now);

/** circuit_breaker_name(state): "closed", "open" or "probing"; static. */
const char *circuit_breaker_name(enum breaker_state state);

#endif
