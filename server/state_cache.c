/* SPDX-License-Identifier: Apache-2.0 */
#include "server/state_cache.h"

#include <string.h>

#include <sodium.h>

#include "core/base/mem.h"
#include "server/state_shard.h"

/* All states of a user are in one shard: what belongs together changes under one lock. */
#define N_SHARDS 64

struct state_cache {
	struct cache_size size;
	unsigned char hash_key[crypto_shorthash_KEYBYTES];
	struct shard shards[N_SHARDS];
};

/* ---- keys ---- */

static uint64_t hash_text(const struct state_cache *cache, const char *text)
{
	unsigned char bytes[crypto_shorthash_BYTES];
	uint64_t hash;

	crypto_shorthash(bytes, (const unsigned char *)text, strlen(text), cache->hash_key);
	memcpy(&hash, bytes, sizeof(hash));
	return hash;
}

/* The parts are told apart by their factors, which are odd. */
static uint64_t hash_key(const struct state_cache *cache, uint64_t user_hash,
			 const struct state_key *key)
{
	uint64_t hash = user_hash * 0x9e3779b97f4a7c15u;

	hash += hash_text(cache, key->context) * 0xc2b2ae3d27d4eb4fu;
	hash += hash_text(cache, key->model_id) * 0x165667b19e3779f9u;
	return hash ^ hash >> 32;
}

static struct shard *shard_of(struct state_cache *cache, uint64_t user_hash)
{
	return &cache->shards[user_hash % N_SHARDS];
}

static uint64_t *epoch_of(struct shard *shard, uint64_t user_hash)
{
	return &shard->epoch[user_hash / N_SHARDS % N_EPOCHS];
}

static struct shard *lock_shard(struct state_cache *cache, uint64_t user_hash)
{
	struct shard *shard = shard_of(cache, user_hash);

	pthread_mutex_lock(&shard->lock);
	return shard;
}

static void unlock(struct shard *shard)
{
	pthread_mutex_unlock(&shard->lock);
}

/* ---- open and close ---- */

enum status state_cache_open(size_t bytes, struct state_cache **cache_out, struct err *err)
{
	struct state_cache *cache = mem_array(1, sizeof(*cache));
	bool opened = true;

	*cache_out = NULL;
	if (cache == NULL)
		return err_no_memory(err, "the cache of states");
	cache->size.max_bytes = bytes;
	randombytes_buf(cache->hash_key, sizeof(cache->hash_key));
	for (size_t i = 0; i < N_SHARDS; i++)
		opened &= shard_open(&cache->shards[i]);
	if (!opened) {
		state_cache_close(cache);
		return err_no_memory(err, "the cache of states");
	}
	*cache_out = cache;
	return STATUS_OK;
}

void state_cache_close(struct state_cache *cache)
{
	if (cache == NULL)
		return;
	for (size_t i = 0; i < N_SHARDS; i++)
		shard_close(&cache->shards[i]);
	mem_free(cache);
}

/* ---- readers ---- */

static bool is_usable(const struct state_value *value, size_t n_heads)
{
	return value != NULL && (value->updates == 0 || value->n_heads == n_heads);
}

/* Find it and mark it as used; NULL: not known. */
static const struct state_value *look_up(struct shard *shard, uint64_t hash,
					 const struct state_key *key, size_t n_heads)
{
	struct learner *learner = shard_find(shard, hash, key);

	if (learner == NULL || !is_usable(learner->value, n_heads))
		return NULL;
	shard_touch(shard, learner);
	return learner->value;
}

/* true if it is known that there is such a state, or that there is none. */
static bool copy_value(const struct state_value *value, double *log_weight_out,
		       uint64_t *updates_out)
{
	if (value != NULL && value->updates > 0) {
		memcpy(log_weight_out, value->log_weight, value->n_heads * sizeof(double));
		*updates_out = value->updates;
	}
	return value != NULL;
}

bool state_cache_read(struct state_cache *cache, const struct state_key *key, size_t n_heads,
		      double *log_weight_out, uint64_t *updates_out, struct state_miss *miss_out)
{
	const struct state_key overall = {key->user, "", key->model_id};
	uint64_t user_hash = hash_text(cache, key->user);
	uint64_t hash = hash_key(cache, user_hash, key);
	bool is_overall = key->context[0] == '\0';
	uint64_t overall_hash = is_overall ? hash : hash_key(cache, user_hash, &overall);
	struct shard *shard = lock_shard(cache, user_hash);

	memset(log_weight_out, 0, n_heads * sizeof(double));
	*updates_out = 0;
	*miss_out = (struct state_miss){.epoch = *epoch_of(shard, user_hash)};
	if (!is_overall)
		miss_out->context =
		    !copy_value(look_up(shard, hash, key, n_heads), log_weight_out, updates_out);
	if (*updates_out == 0)
		miss_out->overall = !copy_value(look_up(shard, overall_hash, &overall, n_heads),
						log_weight_out, updates_out);
	bool missed = miss_out->context || miss_out->overall;
	*(missed ? &shard->misses : &shard->hits) += 1;
	unlock(shard);
	return !missed;
}

void state_cache_fill(struct state_cache *cache, const struct state_key *key, uint64_t epoch,
		      struct state_value *value)
{
	uint64_t user_hash = hash_text(cache, key->user);
	uint64_t hash = hash_key(cache, user_hash, key);
	struct shard *shard;
	struct learner *learner = NULL;

	if (value == NULL)
		return;
	shard = lock_shard(cache, user_hash);
	if (epoch == *epoch_of(shard, user_hash) && shard_find(shard, hash, key) == NULL)
		learner = shard_insert(&cache->size, shard, hash, user_hash, key);
	if (learner != NULL) {
		shard_set_value(&cache->size, learner, value);
		shard_let_go(&cache->size, shard, learner);
	} else {
		state_value_release(value);
	}
	unlock(shard);
}

static enum status copy_learner(const struct learner *learner, struct store_state *state,
				struct err *err)
{
	const struct state_value *value = learner->value;

	*state = (struct store_state){
	    .context = mem_string(learner->context, strlen(learner->context)),
	    .model_id = mem_string(learner->model_id, strlen(learner->model_id)),
	    .updates = value->updates,
	    .updated_us = value->updated_us,
	    .seq = value->seq,
	    .n_heads = value->n_heads,
	    .log_weight = mem_array(value->n_heads, sizeof(double)),
	};
	if (state->context == NULL || state->model_id == NULL || state->log_weight == NULL)
		return err_no_memory(err, "a user's states");
	memcpy(state->log_weight, value->log_weight, value->n_heads * sizeof(double));
	return STATUS_OK;
}

/* context NULL: any. */
static bool is_state(const struct learner *learner, const char *context)
{
	return learner->value != NULL && learner->value->updates > 0 &&
	       (context == NULL || strcmp(learner->context, context) == 0);
}

/* With the lock held. */
static enum status copy_all(const struct shard *shard, const char *user, uint64_t user_hash,
			    const char *context, struct store_user *user_out, struct err *err)
{
	const struct learner *learner = NULL;
	enum status status = STATUS_OK;
	size_t n = 0;

	while ((learner = shard_next_of_user(shard, user, user_hash, learner)) != NULL)
		n += is_state(learner, context);
	user_out->states = mem_array(n, sizeof(*user_out->states));
	if (user_out->states == NULL)
		return err_no_memory(err, "a user's states");
	while (status == STATUS_OK &&
	       (learner = shard_next_of_user(shard, user, user_hash, learner)) != NULL) {
		if (is_state(learner, context))
			status =
			    copy_learner(learner, &user_out->states[user_out->n_states++], err);
	}
	return status;
}

enum status state_cache_copy_user(struct state_cache *cache, const char *user, const char *context,
				  struct store_user *user_out, uint64_t *epoch_out, struct err *err)
{
	uint64_t user_hash = hash_text(cache, user);
	struct shard *shard = lock_shard(cache, user_hash);
	enum status status;

	*user_out = (struct store_user){0};
	*epoch_out = *epoch_of(shard, user_hash);
	status = copy_all(shard, user, user_hash, context, user_out, err);
	unlock(shard);
	if (status != STATUS_OK)
		store_user_free(user_out);
	return status;
}

uint64_t state_cache_epoch(struct state_cache *cache, const char *user)
{
	uint64_t user_hash = hash_text(cache, user);
	struct shard *shard = lock_shard(cache, user_hash);
	uint64_t epoch = *epoch_of(shard, user_hash);

	unlock(shard);
	return epoch;
}

/* ---- the writer ---- */

struct learner *state_cache_take(struct state_cache *cache, const struct state_key *key)
{
	uint64_t user_hash = hash_text(cache, key->user);
	uint64_t hash = hash_key(cache, user_hash, key);
	struct shard *shard = lock_shard(cache, user_hash);
	struct learner *learner = shard_find(shard, hash, key);

	if (learner != NULL)
		shard_hold(shard, learner);
	unlock(shard);
	return learner;
}

struct learner *state_cache_add(struct state_cache *cache, const struct state_key *key,
				struct state_value *value)
{
	uint64_t user_hash = hash_text(cache, key->user);
	uint64_t hash = hash_key(cache, user_hash, key);
	struct shard *shard = lock_shard(cache, user_hash);
	struct learner *learner = shard_find(shard, hash, key);

	if (learner != NULL) {
		shard_hold(shard, learner);
		state_value_release(value);
	} else if ((learner = shard_insert(&cache->size, shard, hash, user_hash, key)) != NULL) {
		shard_set_value(&cache->size, learner, value);
		shard_evict(&cache->size, shard);
	} else {
		state_value_release(value);
	}
	unlock(shard);
	return learner;
}

enum status state_cache_take_user(struct state_cache *cache, const char *user,
				  struct learner ***learners_out, size_t *n_out, struct err *err)
{
	uint64_t user_hash = hash_text(cache, user);
	struct shard *shard = lock_shard(cache, user_hash);
	struct learner *learner = NULL;
	size_t n = 0;

	while ((learner = shard_next_of_user(shard, user, user_hash, learner)) != NULL)
		n++;
	*n_out = 0;
	*learners_out = mem_array(n, sizeof(struct learner *));
	while (*learners_out != NULL &&
	       (learner = shard_next_of_user(shard, user, user_hash, learner)) != NULL) {
		shard_hold(shard, learner);
		(*learners_out)[(*n_out)++] = learner;
	}
	unlock(shard);
	return *learners_out == NULL ? err_no_memory(err, "a user's states") : STATUS_OK;
}

void state_cache_hold(struct state_cache *cache, struct learner *learner)
{
	struct shard *shard = lock_shard(cache, learner->user_hash);

	shard_hold(shard, learner);
	unlock(shard);
}

void state_cache_release(struct state_cache *cache, struct learner *learner)
{
	struct shard *shard = lock_shard(cache, learner->user_hash);

	shard_let_go(&cache->size, shard, learner);
	unlock(shard);
}

void state_cache_publish(struct state_cache *cache, struct learner *learner)
{
	uint64_t user_hash = learner->user_hash;
	struct shard *shard = lock_shard(cache, user_hash);

	if (learner->staged != NULL) {
		shard_set_value(&cache->size, learner, learner->staged);
		learner->staged = NULL;
		++*epoch_of(shard, user_hash);
	}
	unlock(shard);
}

void state_cache_forget(struct state_cache *cache, const char *user)
{
	uint64_t user_hash = hash_text(cache, user);
	struct shard *shard = lock_shard(cache, user_hash);
	struct learner *learner = shard_next_of_user(shard, user, user_hash, NULL), *next;

	for (; learner != NULL; learner = next) {
		next = shard_next_of_user(shard, user, user_hash, learner);
		if (learner->staged != NULL)
			continue;
		shard_drop(&cache->size, shard, learner);
	}
	++*epoch_of(shard, user_hash);
	unlock(shard);
}

void state_cache_stats(struct state_cache *cache, struct state_cache_stats *stats_out)
{
	*stats_out = (struct state_cache_stats){
	    .capacity_bytes = cache->size.max_bytes,
	    .bytes = atomic_load_explicit(&cache->size.bytes, memory_order_relaxed),
	};
	for (size_t i = 0; i < N_SHARDS; i++) {
		struct shard *shard = &cache->shards[i];

		pthread_mutex_lock(&shard->lock);
		stats_out->n_states += shard->n_learners;
		stats_out->hits += shard->hits;
		stats_out->misses += shard->misses;
		stats_out->evictions += shard->evictions;
		unlock(shard);
	}
}
