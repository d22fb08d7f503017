/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rng.h - seeded pseudo-random numbers: the same seed gives the same stream on
 * every machine and compiler, which libc's rand() does not promise and a model
 * file that must be reproduced byte for byte needs.
 *
 * Generator: xoshiro256** seeded through splitmix64 (Blackman and Vigna,
 * "Scrambled linear pseudorandom number generators", 2018). Not for secrets.
 */
#ifndef MICRO_BASE_RNG_H
#define MICRO_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
	uint64_t state[4];
};

/** rng_init(rng, seed): start the stream of seed. */
void rng_init(struct rng *rng, uint64_t seed);

/** rng_next(rng): 64 uniform bits. */
uint64_t rng_next(struct rng *rng);

/** rng_uniform(rng): uniform in [0, 1), 53 bits. */
double rng_uniform(struct rng *rng);

/** rng_below(rng, n): uniform integer in [0, n), n >= 1, without bias. */
uint64_t rng_below(struct rng *rng, uint64_t n);

/**
 * rng_normal(rng): standard normal (Marsaglia's polar method). The last bits are those of the
 * C library's log(), which differ between processors with and without fused multiply-add.
 */
double rng_normal(struct rng *rng);

/** rng_shuffle(rng, items, n): uniform permutation in place (Fisher-Yates). */
void rng_shuffle(struct rng *rng, uint32_t *items, size_t n);

#endif
