/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pair_titles.h - what people would call pairs of a preference file: their context and
 * prompt. A dataset does not keep the texts, so the file is read again.
 */
#ifndef MICRO_DATA_PAIR_TITLES_H
#define MICRO_DATA_PAIR_TITLES_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

/**
 * pair_titles_read(path, dim, pairs, n_pairs, names_out, err): names_out[j] is a new string
 * (mem_free()) for the pair pairs[j], counted from 0: "context: prompt", one of the two where the
 * other is absent or empty, "pair N" from 1 where both are, or the prompt is a vector [dim] without
 * a context. Errors: dataset_read()'s; STATUS_INVALID_VALUE if the file has become shorter. No name
 * is owned then.
 */
enum status pair_titles_read(const char *path, size_t dim, const uint32_t *pairs, size_t n_pairs,
			    char **names_out, struct err *err);

#endif
