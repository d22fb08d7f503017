/* SPDX-License-Identifier: Apache-2.0 */
/* siphash_impl.h - the ways to hash, which give the same, for siphash.c and its test. */
#ifndef MICRO_BASE_SIPHASH_IMPL_H
#define MICRO_BASE_SIPHASH_IMPL_H

#include <stdbool.h>

#include "core/base/siphash.h"

/* Instruction sets, the later the better. */
enum siphash_kind { SIPHASH_PORTABLE, SIPHASH_AVX2, SIPHASH_AVX512, N_SIPHASH_KINDS };

/** siphash_kind_runs(kind): whether this processor can. */
bool siphash_kind_runs(enum siphash_kind kind);

/** siphash_many_by(kind, ...): siphash_many() by a kind that runs. */
void siphash_many_by(enum siphash_kind kind, const void *key, const struct siphash_text *texts,
		     size_t n, uint64_t *hash_out);

#endif
