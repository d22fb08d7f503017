/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_bucket.h - how often something may happen: rate tokens a second flow in, at most
 * burst are kept, each event takes one.
 *
 * Kept as one number, the moment at which the bucket is full again (the generic cell rate
 * algorithm of ITU-T I.371 in its virtual scheduling form): an event moves it 1/rate on, and
 * is refused if that is more than burst/rate ahead of now. One atomic word, no lock, no timer.
 */
#ifndef MICRO_SERVER_TOKEN_BUCKET_H
#define MICRO_SERVER_TOKEN_BUCKET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What all buckets of a kind share. */
struct token_rate {
	int64_t interval_ns; /* between two tokens; 0: no limit */
	int64_t burst_ns;    /* burst times interval_ns */
};

/* A zeroed bucket is full. */
struct token_bucket {
	atomic_llong full_at_ns;
};

/** token_rate_of(rate, burst): rate a second, 0 is no limit; burst >= 1. What would take more
 * than a century takes a century. */
struct token_rate token_rate_of(double rate, double burst);

/**
 * token_take(bucket, rate, now_ns, wait_ns_out): take a token; false, and in how many
 * nanoseconds there will be one, if there is none. now_ns never goes backwards but by
 * what threads disagree about. Any thread.
 */
bool token_take(struct token_bucket *bucket, const struct token_rate *rate, int64_t now_ns,
		int64_t *wait_ns_out);

#endif
