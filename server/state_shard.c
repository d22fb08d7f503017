/* SPDX-License-Identifier: Apache-2.0 */
#include "server/state_shard.h"

#include <string.h>

#include "core/base/mem.h"

#define MIN_BUCKETS 16
/* What an allocation takes besides, about: its header, and rounding. */
#define ALLOCATION_BYTES 16

static size_t value_bytes(size_t n_heads)
{
	return sizeof(struct state_value) + n_heads * sizeof(double);
}

static size_t allocated(const struct state_value *value)
{
	return value == NULL ? 0 : value_bytes(value->n_heads) + ALLOCATION_BYTES;
}

struct state_value *state_value_new(size_t n_heads)
{
	struct state_value *value = mem_small(value_bytes(n_heads));

	if (value != NULL)
		*value = (struct state_value){.n_heads = n_heads, .n_refs = 1};
	return value;
}

void state_value_release(struct state_value *value)
{
	if (value != NULL && --value->n_refs == 0)
		mem_free(value);
}

struct learner *shard_find(const struct shard *shard, uint64_t hash, const struct state_key *key)
{
	struct learner *learner = shard->bucket[hash & (shard->n_buckets - 1)];

	while (learner != NULL && (learner->hash != hash || strcmp(learner->user, key->user) != 0 ||
				   strcmp(learner->context, key->context) != 0 ||
				   strcmp(learner->model_id, key->model_id) != 0))
		learner = learner->chain;
	return learner;
}

static void unlink_idle(struct shard *shard, struct learner *learner)
{
	*(learner->newer != NULL ? &learner->newer->older : &shard->newest) = learner->older;
	*(learner->older != NULL ? &learner->older->newer : &shard->oldest) = learner->newer;
	learner->newer = learner->older = NULL;
}

static void link_idle(struct shard *shard, struct learner *learner)
{
	learner->older = shard->newest;
	*(shard->newest != NULL ? &shard->newest->newer : &shard->oldest) = learner;
	shard->newest = learner;
}

void shard_hold(struct shard *shard, struct learner *learner)
{
	if (learner->n_holders++ == 0)
		unlink_idle(shard, learner);
}

/* Nobody holds it, and it is in no list but its bucket's. */
static void remove_learner(struct cache_size *size, struct shard *shard, struct learner *learner)
{
	struct learner **at = &shard->bucket[learner->hash & (shard->n_buckets - 1)];

	while (*at != learner)
		at = &(*at)->chain;
	*at = learner->chain;
	shard->n_learners--;
	atomic_fetch_sub_explicit(&size->bytes, learner->bytes, memory_order_relaxed);
	state_value_release(learner->value);
	mem_free(learner);
}

void shard_evict(struct cache_size *size, struct shard *shard)
{
	while (shard->oldest != NULL &&
	       atomic_load_explicit(&size->bytes, memory_order_relaxed) > size->max_bytes) {
		struct learner *oldest = shard->oldest;

		unlink_idle(shard, oldest);
		remove_learner(size, shard, oldest);
		shard->evictions++;
	}
}

void shard_let_go(struct cache_size *size, struct shard *shard, struct learner *learner)
{
	if (--learner->n_holders > 0)
		return;
	if (learner->value == NULL) {
		remove_learner(size, shard, learner);
		return;
	}
	link_idle(shard, learner);
	shard_evict(size, shard);
}

/* Longer chains are all that a lack of memory does. */
static void grow(struct shard *shard)
{
	size_t n_buckets = 2 * shard->n_buckets;
	struct learner **bucket, *learner, *next;

	if (shard->n_learners < shard->n_buckets)
		return;
	bucket = mem_array(n_buckets, sizeof(struct learner *));
	if (bucket == NULL)
		return;
	for (size_t i = 0; i < shard->n_buckets; i++) {
		for (learner = shard->bucket[i]; learner != NULL; learner = next) {
			next = learner->chain;
			learner->chain = bucket[learner->hash & (n_buckets - 1)];
			bucket[learner->hash & (n_buckets - 1)] = learner;
		}
	}
	mem_free(shard->bucket);
	shard->bucket = bucket;
	shard->n_buckets = n_buckets;
}

static const char *put_text(char **at, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = memcpy(*at, text, size);

	*at += size;
	return copy;
}

void shard_set_value(struct cache_size *size, struct learner *learner, struct state_value *value)
{
	size_t before = allocated(learner->value), after = allocated(value);

	learner->bytes += after - before;
	/* modulo 2^n: it may be less */
	atomic_fetch_add_explicit(&size->bytes, after - before, memory_order_relaxed);
	state_value_release(learner->value);
	learner->value = value;
}

/* Held once, without a value; NULL without memory. */
struct learner *shard_insert(struct cache_size *size, struct shard *shard, uint64_t hash,
			     uint64_t user_hash, const struct state_key *key)
{
	size_t n_text = strlen(key->user) + strlen(key->context) + strlen(key->model_id) + 3;
	struct learner *learner = mem_small(sizeof(*learner) + n_text);
	struct learner **bucket;
	char *text;

	if (learner == NULL)
		return NULL;
	grow(shard);
	text = (char *)(learner + 1);
	learner->user = put_text(&text, key->user);
	learner->context = put_text(&text, key->context);
	learner->model_id = put_text(&text, key->model_id);
	learner->hash = hash;
	learner->user_hash = user_hash;
	learner->n_holders = 1;
	learner->bytes = sizeof(*learner) + n_text + ALLOCATION_BYTES;
	bucket = &shard->bucket[hash & (shard->n_buckets - 1)];
	learner->chain = *bucket;
	*bucket = learner;
	shard->n_learners++;
	atomic_fetch_add_explicit(&size->bytes, learner->bytes, memory_order_relaxed);
	return learner;
}

/* The next learner of user after one; NULL: the first. There is no list of a user's: rare
 * operations look through the shard. */
struct learner *shard_next_of_user(const struct shard *shard, const char *user, uint64_t user_hash,
				   const struct learner *after)
{
	size_t i = after == NULL ? 0 : after->hash & (shard->n_buckets - 1);
	struct learner *learner = after == NULL ? shard->bucket[0] : after->chain;

	for (;;) {
		for (; learner != NULL; learner = learner->chain) {
			if (learner->user_hash == user_hash && strcmp(learner->user, user) == 0)
				return learner;
		}
		if (++i == shard->n_buckets)
			return NULL;
		learner = shard->bucket[i];
	}
}

void shard_touch(struct shard *shard, struct learner *learner)
{
	if (learner->n_holders > 0 || learner == shard->newest)
		return;
	unlink_idle(shard, learner);
	link_idle(shard, learner);
}

void shard_drop(struct cache_size *size, struct shard *shard, struct learner *learner)
{
	shard_set_value(size, learner, NULL);
	if (learner->n_holders > 0)
		return;
	unlink_idle(shard, learner);
	remove_learner(size, shard, learner);
}

bool shard_open(struct shard *shard)
{
	pthread_mutex_init(&shard->lock, NULL);
	shard->bucket = mem_array(MIN_BUCKETS, sizeof(struct learner *));
	shard->n_buckets = shard->bucket == NULL ? 0 : MIN_BUCKETS;
	return shard->bucket != NULL;
}

static void free_learners(struct shard *shard)
{
	struct learner *learner, *next;

	for (size_t i = 0; i < shard->n_buckets; i++) {
		for (learner = shard->bucket[i]; learner != NULL; learner = next) {
			next = learner->chain;
			state_value_release(learner->staged);
			state_value_release(learner->value);
			mem_free(learner);
		}
	}
}

void shard_close(struct shard *shard)
{
	free_learners(shard);
	mem_free(shard->bucket);
	pthread_mutex_destroy(&shard->lock);
}
