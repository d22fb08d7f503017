/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sqlite_recent.h - the recent events of schema/sqlite.sql by their keys: those that
 * are in events and not in event_keys yet. Private to store_sqlite*.c; the writer's.
 */
#ifndef MICRO_SERVER_STORE_SQLITE_RECENT_H
#define MICRO_SERVER_STORE_SQLITE_RECENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

#define RECENT_HASH_KEY_LEN 16

struct recent_event {
	int64_t key;
	int64_t seq;   /* 0: deleted; below 0: deleted by the transaction at work */
	uint32_t next; /* 1 + the next one in its bucket; 0: none */
};

/*
 * Invariants: 1. event[] is in the order of seq, but for deleted ones.
 *             2. a bucket lists its events from the last to the first, so the last ones of
 *                all can be taken back.
 *             3. order[] are the first n_frozen events by key, the first n_folded of them are
 *                in event_keys.
 */
struct recent {
	unsigned char hash_key[RECENT_HASH_KEY_LEN];
	struct recent_event *event; /* [n] */
	size_t n, capacity;
	uint32_t *bucket; /* [n_buckets], a power of two: 1 + its last event; 0: none */
	size_t n_buckets;
	uint32_t *order; /* [n_frozen]; NULL: nothing is frozen */
	size_t n_frozen, n_folded;
};

/** recent_open(recent, err): empty; hash_key is set later. */
enum status recent_open(struct recent *recent, struct err *err);

/** recent_close(recent): a zeroed one is allowed. */
void recent_close(struct recent *recent);

/** recent_key(hash_key, user, id): key of an event in event_keys. */
int64_t recent_key(const unsigned char hash_key[RECENT_HASH_KEY_LEN], const char *user,
		   const char *id);

/** recent_user_keys(hash_key, user, first_out, last_out): the keys of a user's events are
 * from first_out to last_out. */
void recent_user_keys(const unsigned char hash_key[RECENT_HASH_KEY_LEN], const char *user,
		      int64_t *first_out, int64_t *last_out);

/** recent_reserve(recent, n_more, err): so many can be added. */
enum status recent_reserve(struct recent *recent, size_t n_more, struct err *err);

/** recent_add(recent, key, seq): there is room for it. */
void recent_add(struct recent *recent, int64_t key, int64_t seq);

/** recent_find(recent, key, after): an event of this key, the last one first; after: 0, or what
 * the call before returned. 1 + its index; 0: no more. */
uint32_t recent_find(const struct recent *recent, int64_t key, uint32_t after);

/** recent_first_seq(recent, none): of the first one that was not deleted before this transaction;
 * none if there is none. The events before it are in event_keys. */
int64_t recent_first_seq(const struct recent *recent, int64_t none);

/** recent_take_back(recent, n): only the first n stay. */
void recent_take_back(struct recent *recent, size_t n);

/** recent_end_deletion(recent, done): what was marked as deleted is, or is there again. */
void recent_end_deletion(struct recent *recent, bool done);

/** recent_freeze(recent, err): all that are there now are to be folded; nothing is frozen. */
enum status recent_freeze(struct recent *recent, struct err *err);

/** recent_drop_frozen(recent): they are all in event_keys. */
void recent_drop_frozen(struct recent *recent);

#endif
