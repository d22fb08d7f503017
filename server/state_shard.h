/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_shard.h - a part of the cache of states: a hash table of learners, and in which
 * order they were used. Everything but open and close wants its lock held. Private to
 * state_*.c.
 */
#ifndef MICRO_SERVER_STATE_SHARD_H
#define MICRO_SERVER_STATE_SHARD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/state_cache.h"

#define N_EPOCHS 16 /* of a shard: users share them */

/*
 * Invariants: 1. a learner is in the bucket of its hash until nobody holds it and it is
 *                evicted or has no value.
 *             2. newest to oldest are the learners that nobody holds.
 */
struct shard {
	pthread_mutex_t lock;	 /* guards all below, and value and the cache's part of learners */
	struct learner **bucket; /* [n_buckets], a power of two */
	size_t n_buckets, n_learners;
	struct learner *newest, *oldest;
	uint64_t epoch[N_EPOCHS];
	unsigned long long hits, misses, evictions;
};

/* Of all shards. One that grows past the bound drops its own: a user of many contexts may
 * have it all. */
struct cache_size {
	size_t max_bytes;
	atomic_size_t bytes; /* of all learners */
};

/** shard_open(shard): false without memory; shard_close() also then. */
bool shard_open(struct shard *shard);
void shard_close(struct shard *shard);

/** shard_find(shard, hash, key): NULL: not there. */
struct learner *shard_find(const struct shard *shard, uint64_t hash, const struct state_key *key);

/** shard_next_of_user(shard, user, user_hash, after): the next learner of user after one; NULL:
 * the first. There is no list of a user's: rare operations look through the shard. */
struct learner *shard_next_of_user(const struct shard *shard, const char *user, uint64_t user_hash,
				   const struct learner *after);

/** shard_insert(size, shard, hash, user_hash, key): a new one, held once, without a value; NULL
 * without memory. */
struct learner *shard_insert(struct cache_size *size, struct shard *shard, uint64_t hash,
			     uint64_t user_hash, const struct state_key *key);

/** shard_set_value(size, learner, value): instead of the one it has. */
void shard_set_value(struct cache_size *size, struct learner *learner, struct state_value *value);

/** shard_hold(shard, learner), shard_let_go(size, shard, learner): once more, once less. */
void shard_hold(struct shard *shard, struct learner *learner);
void shard_let_go(struct cache_size *size, struct shard *shard, struct learner *learner);

/** shard_evict(size, shard): while there is too much in memory, drop what was used least recently
 * and is not held. */
void shard_evict(struct cache_size *size, struct shard *shard);

/** shard_touch(shard, learner): it was used. */
void shard_touch(struct shard *shard, struct learner *learner);

/** shard_drop(size, shard, learner): its value is not known any more. */
void shard_drop(struct cache_size *size, struct shard *shard, struct learner *learner);

#endif
