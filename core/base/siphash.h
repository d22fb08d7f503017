/* SPDX-License-Identifier: Apache-2.0 */
/*
 * siphash.h - SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF",
 * INDOCRYPT 2012) of many short texts, eight side by side: one alone is a chain in which
 * every step waits for the one before. For a single text there is libsodium.
 */
#ifndef MICRO_BASE_SIPHASH_H
#define MICRO_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY_LEN 16 /* bytes */
#define SIPHASH_BEYOND	8  /* bytes after each text that are read, whatever they are */

/* A view. */
struct siphash_text {
	const char *bytes; /* [len + SIPHASH_BEYOND] */
	size_t len;
};

/**
 * siphash_many(key, texts, n, hash_out): hash_out [n] of texts [n] under key [SIPHASH_KEY_LEN],
 * each the little-endian number of the eight bytes that SipHash gives.
 */
void siphash_many(const void *key, const struct siphash_text *texts, size_t n, uint64_t *hash_out);

#endif
