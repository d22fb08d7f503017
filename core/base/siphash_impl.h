/* SPDX-License-Identifier: Apache-2.0 */
/* siphash_impl.h - the ways to hash, which give the same, for siphash.c and its test. */
#ifndef MICRO_BASE_SIPHASH_IMPL_H
#define MICRO_BASE_SIPHASH_IMPL_H

#include "core/base/simd.h"
#include "core/base/siphash.h"

/** siphash_many_by(simd, ...): siphash_many() by instructions that run. */
void siphash_many_by(enum simd simd, const void *key, const struct siphash_text *texts, size_t n,
		     uint64_t *hash_out);

#endif
