/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_cache.h - users' states in memory, for a store whose database is slower than that.
 *
 * Any thread reads. One thread, the writer, changes states: it takes a learner, stages what
 * the learner will be, and publishes that once it is durable. What somebody holds stays in
 * memory; the rest goes, least recently used first, when the cache is full. That a state is
 * not there is kept too, so that unknown users cost nothing the second time.
 */
#ifndef MICRO_SERVER_STATE_CACHE_H
#define MICRO_SERVER_STATE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "server/store.h"

struct state_cache; /* opaque */

/* A state at one moment; nobody changes it once it is published. */
struct state_value {
	uint64_t updates; /* steps taken; 0: there is no such state, and nothing below counts */
	int64_t updated_us;
	int64_t seq; /* of the last event in it */
	size_t n_heads;
	unsigned n_refs;     /* the writer's */
	double log_weight[]; /* [n_heads] */
};

/* What a user has learnt in one context under one model. */
struct learner {
	const char *user, *context, *model_id; /* in this allocation */
	struct state_value *value; /* published; NULL: not known. Readers need the lock */
	/* the writer's */
	struct state_value *staged; /* what it will be after COMMIT; NULL: no change */
	bool is_fresh;		    /* in the list of what is to be folded next */
	size_t frozen_at;	    /* 1 + its place among what is being folded; 0: not there */
	/* the cache's */
	struct learner *chain, *newer, *older;
	uint64_t hash, user_hash;
	size_t bytes;
	unsigned n_holders;
};

struct state_key {
	const char *user, *context, *model_id;
};

/** state_value_new(n_heads): zeroed, of one reference; NULL without memory. */
struct state_value *state_value_new(size_t n_heads);

/** state_value_release(value): the last reference frees; NULL does nothing. */
void state_value_release(struct state_value *value);

/** state_cache_open(bytes, cache_out, err): holds about bytes of states, and what is held. */
enum status state_cache_open(size_t bytes, struct state_cache **cache_out, struct err *err);

/** state_cache_close(cache): nobody uses it any more; NULL does nothing. */
void state_cache_close(struct state_cache *cache);

/* ---- readers ---- */

/* What of a read only the database can tell. */
struct state_miss {
	bool context, overall; /* of these two the state is not known here */
	uint64_t epoch;	       /* when that was so */
};

/**
 * state_cache_read(cache, key, n_heads, log_weight_out, updates_out, miss_out): the state of
 * the key's context; if there is none, the overall one of context ""; if there is none, zeros,
 * updates 0. false: miss_out says what is not known; the overall state is out if that is known.
 */
bool state_cache_read(struct state_cache *cache, const struct state_key *key, size_t n_heads,
		      double *log_weight_out, uint64_t *updates_out, struct state_miss *miss_out);

/**
 * state_cache_fill(cache, key, epoch, value): value, which the cache takes over, is what the
 * database had after the miss. It is kept unless this user has learnt since, or the cache
 * knows better. NULL does nothing.
 */
void state_cache_fill(struct state_cache *cache, const struct state_key *key, uint64_t epoch,
		      struct state_value *value);

/** state_cache_copy_user(cache, user, context, user_out, epoch_out, err): the states that are
 * known, in one context unless it is NULL, in no order; store_user_free() releases, nothing is
 * owned on error. epoch_out is another one when the user's states have changed. */
enum status state_cache_copy_user(struct state_cache *cache, const char *user, const char *context,
				  struct store_user *user_out, uint64_t *epoch_out,
				  struct err *err);

/** state_cache_epoch(cache, user): as it is now. */
uint64_t state_cache_epoch(struct state_cache *cache, const char *user);

/* ---- the writer ---- */

/** state_cache_take(cache, key): hold it; NULL: not there. */
struct learner *state_cache_take(struct state_cache *cache, const struct state_key *key);

/**
 * state_cache_add(cache, key, value): one that state_cache_take() has not found, held; another
 * thread may have filled it since. The cache takes value over, also when it returns NULL, which
 * is for lack of memory. value NULL: readers do not know it before it is published.
 */
struct learner *state_cache_add(struct state_cache *cache, const struct state_key *key,
				struct state_value *value);

/** state_cache_take_user(cache, user, learners_out, n_out, err): hold all of a user; free
 * *learners_out with mem_free(). */
enum status state_cache_take_user(struct state_cache *cache, const char *user,
				  struct learner ***learners_out, size_t *n_out, struct err *err);

/** state_cache_hold(cache, learner): once more. */
void state_cache_hold(struct state_cache *cache, struct learner *learner);

/** state_cache_release(cache, learner): undoes one take, add or hold. */
void state_cache_release(struct state_cache *cache, struct learner *learner);

/** state_cache_publish(cache, learner): what is staged, if anything, is seen by all. */
void state_cache_publish(struct state_cache *cache, struct learner *learner);

/** state_cache_forget(cache, user): forget what of this user is not staged. */
void state_cache_forget(struct state_cache *cache, const char *user);

struct state_cache_stats {
	size_t capacity_bytes, bytes, n_states; /* n_states: also those known not to be there */
	unsigned long long hits, misses;	/* of readers */
	unsigned long long evictions;
};

/** state_cache_stats(cache, stats_out): sums over parts that go on changing. Any thread. */
void state_cache_stats(struct state_cache *cache, struct state_cache_stats *stats_out);

#endif
