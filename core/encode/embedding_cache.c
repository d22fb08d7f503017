/* SPDX-License-Identifier: Apache-2.0 */
#include "core/encode/embedding_cache.h"

#include <pthread.h>
#include <string.h>

#include <sodium.h>

#include "core/base/mem.h"

#define HASH_NONFATAL_OOM	 1
#define uthash_malloc(size)	 mem_array(size, 1)
#define uthash_free(block, size) mem_free(block)
#define uthash_nonfatal_oom(e)	 ((e)->is_lost = true)
#include <uthash.h>

/* Of the table, for each row: uthash has at least a bucket for ten, and doubles them. */
#define TABLE_BYTES_PER_ROW (2 * sizeof(UT_hash_bucket))

struct cached_row {
	UT_hash_handle hh; /* the table's order is that of use: the first is the oldest */
	bool is_lost;	   /* there was no memory to put it into the table */
	struct embedding_digest digest;
	float vector[]; /* [dim] */
};

struct embedding_cache {
	size_t dim;
	size_t row_bytes;
	size_t max_rows;
	pthread_mutex_t lock; /* guards what follows */
	struct cached_row *table;
	uint64_t n_evicted;
};

struct embedding_digest embedding_digest(struct text text)
{
	struct embedding_digest digest;

	crypto_generichash(digest.bytes, sizeof(digest.bytes), (const unsigned char *)text.bytes,
			   text.len, NULL, 0);
	return digest;
}

enum status embedding_cache_open(size_t dim, size_t max_bytes, struct embedding_cache **cache_out,
				 struct err *err)
{
	struct embedding_cache *cache = mem_array(1, sizeof(*cache));

	if (cache == NULL)
		return err_no_memory(err, "an encoder's cache");
	cache->dim = dim;
	cache->row_bytes = sizeof(struct cached_row) + dim * sizeof(float) + TABLE_BYTES_PER_ROW;
	cache->max_rows = max_bytes / cache->row_bytes;
	pthread_mutex_init(&cache->lock, NULL);
	*cache_out = cache;
	return STATUS_OK;
}

static void remove_row(struct embedding_cache *cache, struct cached_row *row)
{
	HASH_DEL(cache->table, row);
	mem_free(row);
}

void embedding_cache_close(struct embedding_cache *cache)
{
	struct cached_row *row, *next;

	if (cache == NULL)
		return;
	HASH_ITER(hh, cache->table, row, next)
	{
		remove_row(cache, row);
	}
	pthread_mutex_destroy(&cache->lock);
	mem_free(cache);
}

static struct cached_row *find(const struct embedding_cache *cache,
			       const struct embedding_digest *digest)
{
	struct cached_row *row;

	HASH_FIND(hh, cache->table, digest, sizeof(*digest), row);
	return row;
}

/* As the newest of the table; freed if there is no memory for that. */
static void add_row(struct embedding_cache *cache, struct cached_row *row)
{
	row->is_lost = false;
	HASH_ADD(hh, cache->table, digest, sizeof(row->digest), row);
	if (row->is_lost)
		mem_free(row);
}

bool embedding_cache_get(struct embedding_cache *cache, const struct embedding_digest *digest,
			 float *row_out)
{
	struct cached_row *row;
	bool found;

	pthread_mutex_lock(&cache->lock);
	row = find(cache, digest);
	found = row != NULL;
	if (found) {
		memcpy(row_out, row->vector, cache->dim * sizeof(*row_out));
		HASH_DEL(cache->table, row);
		add_row(cache, row);
	}
	pthread_mutex_unlock(&cache->lock);
	return found;
}

static void insert(struct embedding_cache *cache, const struct embedding_digest *digest,
		   const float *vector)
{
	struct cached_row *row;

	if (HASH_COUNT(cache->table) >= cache->max_rows) {
		remove_row(cache, cache->table);
		cache->n_evicted++;
	}
	row = mem_array(1, sizeof(*row) + cache->dim * sizeof(*vector));
	if (row == NULL)
		return;
	row->digest = *digest;
	memcpy(row->vector, vector, cache->dim * sizeof(*vector));
	add_row(cache, row);
}

void embedding_cache_put(struct embedding_cache *cache, const struct embedding_digest *digest,
			 const float *vector)
{
	if (cache->max_rows == 0)
		return;
	pthread_mutex_lock(&cache->lock);
	if (find(cache, digest) == NULL)
		insert(cache, digest, vector);
	pthread_mutex_unlock(&cache->lock);
}

void embedding_cache_stats(struct embedding_cache *cache, struct embedding_cache_stats *stats_out)
{
	pthread_mutex_lock(&cache->lock);
	*stats_out = (struct embedding_cache_stats){
	    .n_evicted = cache->n_evicted,
	    .n_rows = HASH_COUNT(cache->table),
	    .n_bytes = HASH_COUNT(cache->table) * cache->row_bytes,
	};
	pthread_mutex_unlock(&cache->lock);
}
