/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedding_cache.h - the vectors of texts that were encoded lately; those not asked for the
 * longest go first. A text is known by its BLAKE2b digest and not kept.
 */
#ifndef MICRO_ENCODE_EMBEDDING_CACHE_H
#define MICRO_ENCODE_EMBEDDING_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/encode/encoder.h"

#define EMBEDDING_DIGEST_LEN 32

struct embedding_digest {
	unsigned char bytes[EMBEDDING_DIGEST_LEN];
};

struct embedding_cache; /* opaque; any number of threads may share it */

struct embedding_cache_stats {
	uint64_t n_evicted;
	size_t n_rows;
	size_t n_bytes; /* in use, at most what it was opened with */
};

/** embedding_digest(text): what the text is known by. */
struct embedding_digest embedding_digest(struct text text);

/**
 * embedding_cache_open(dim, max_bytes, cache_out, err): max_bytes bounds the memory of vectors
 * and their table; too little for one vector: nothing is kept. Error: STATUS_NO_MEMORY.
 */
enum status embedding_cache_open(size_t dim, size_t max_bytes, struct embedding_cache **cache_out,
				 struct err *err);

/** embedding_cache_close(cache): NULL does nothing. */
void embedding_cache_close(struct embedding_cache *cache);

/** embedding_cache_get(cache, digest, row_out): copy its vector to row_out [dim]; false: unknown.
 */
bool embedding_cache_get(struct embedding_cache *cache, const struct embedding_digest *digest,
			 float *row_out);

/** embedding_cache_put(cache, digest, vector): keep vector [dim], if there is memory for it. */
void embedding_cache_put(struct embedding_cache *cache, const struct embedding_digest *digest,
			 const float *vector);

/** embedding_cache_stats(cache, stats_out): as of now. */
void embedding_cache_stats(struct embedding_cache *cache, struct embedding_cache_stats *stats_out);

#endif
