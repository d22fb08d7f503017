/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pair_titles.h - what people would call pairs: their context and prompt. A dataset does
 * not keep the texts of prompts, so the file is read again.
 */
#ifndef MICRO_DATA_PAIR_TITLES_H
#define MICRO_DATA_PAIR_TITLES_H

#include "core/data/dataset.h"
#include "core/encode/encoder.h"

/**
 * pair_titles_read(path, encoder, dataset, pairs, n_pairs, titles_out, err): dataset is what
 * dataset_read() made of path. titles_out[j] is a new string (mem_free()) for the pair pairs[j],
 * counted from 0: "context: prompt", one of the two where the other is absent, empty or
 * a vector, "pair N" from 1 where both are. Errors: dataset_read()'s; STATUS_INVALID_VALUE if
 * the file has become shorter. No title is owned then.
 */
enum status pair_titles_read(const char *path, const struct encoder *encoder,
			     const struct dataset *dataset, const uint32_t *pairs, size_t n_pairs,
			     char **titles_out, struct err *err);

#endif
