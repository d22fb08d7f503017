/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sqlite_fold.h - what follows from the recent events gets into the tables states and
 * event_keys. Private to store_sqlite*.c; the writer's.
 *
 * When enough has changed it is frozen: the values of that moment, sorted, are what is
 * written, a part with each transaction, while further events change what comes next. Sorted
 * rows share pages, and a user who learns often is written once: this, and that it is not in
 * every transaction, is what makes feedback fast. When all is written, folded.seq follows.
 *
 * A part ends where a user does. So a crash leaves each user's states either all as of
 * the last fold or all as of the frozen moment, and replay can go on from both: an event
 * that begins a context finds the overall state that it found then.
 */
#ifndef MICRO_SERVER_STORE_SQLITE_FOLD_H
#define MICRO_SERVER_STORE_SQLITE_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "server/state_cache.h"

/* Folding begins after so many events, or when this part of the cache has changed. */
#define FOLD_EVENTS	 32768
#define FOLD_CACHE_SHARE 4

struct store_sqlite;

struct frozen_state {
	struct learner *learner;   /* held */
	struct state_value *value; /* of the moment, a reference; NULL: deleted since */
};

struct fold {
	struct learner **fresh; /* [n_fresh]: changed since the last freeze; held */
	size_t n_fresh, capacity;
	size_t fresh_bytes, max_bytes; /* of them, and when they are frozen for it */
	struct frozen_state *frozen;   /* [n_frozen], by user, context, model; NULL: nothing is */
	size_t n_frozen, n_written;
	bool wanted;	    /* before it is due */
	int64_t frozen_seq; /* the last event that they have in them */
	/* where the transaction at work will leave it */
	size_t next_written, next_folded;
};

/** fold_close(fold, cache): lets go of what it holds. */
void fold_close(struct fold *fold, struct state_cache *cache);

/** fold_reserve(fold, n_more, err): so many states may change. */
enum status fold_reserve(struct fold *fold, size_t n_more, struct err *err);

/** fold_note(s, learner): it has a new value; there is room for it. */
void fold_note(struct store_sqlite *s, struct learner *learner);

/** fold_is_due(s): enough has changed. */
bool fold_is_due(const struct store_sqlite *s);

/** fold_begin(s, err): before a transaction: freeze if it is time. */
enum status fold_begin(struct store_sqlite *s, struct err *err);

/** fold_write(s, n_events, err): in a transaction: write as much as so many new events make
 * necessary, or all that is frozen if n_events is SIZE_MAX. */
enum status fold_write(struct store_sqlite *s, size_t n_events, struct err *err);

/** fold_end(s): the transaction is durable. */
void fold_end(struct store_sqlite *s);

/** fold_cancel(s): it is rolled back. */
void fold_cancel(struct store_sqlite *s);

/** fold_forget(s, learner): its user is deleted; nothing of the past is to be written. */
void fold_forget(struct store_sqlite *s, struct learner *learner);

/** fold_put_state(s, learner, value, err): write one row of states. */
enum status fold_put_state(struct store_sqlite *s, const struct learner *learner,
			   const struct state_value *value, struct err *err);

/** fold_all(s, err): in transactions of its own, until nothing is recent. */
enum status fold_all(struct store_sqlite *s, struct err *err);

#endif
