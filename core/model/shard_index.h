/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shard_index.h - which file of a Hugging Face folder has which tensor:
 * model.safetensors.index.json,
 *   {"metadata": {...}, "weight_map": {"score.weight": "model-00002-of-00002.safetensors", ...}}
 */
#ifndef MICRO_MODEL_SHARD_INDEX_H
#define MICRO_MODEL_SHARD_INDEX_H

#include <stddef.h>

#include "core/base/err.h"

#define SHARD_INDEX_NAME "model.safetensors.index.json"

struct shard_index; /* opaque */

/**
 * shard_index_parse(bytes, len, index_out, err): the caller frees index_out with
 * shard_index_free(). Every shard must be a plain file name: an index must not
 * lead out of its folder. Errors: STATUS_BAD_FILE naming the entry and what was
 * expected, STATUS_NO_MEMORY.
 */
enum status shard_index_parse(const void *bytes, size_t len, struct shard_index **index_out,
			      struct err *err);

/** shard_index_free(index): NULL does nothing. */
void shard_index_free(struct shard_index *index);

/** shard_index_find(index, tensor): the file of a tensor, NULL if it has none; owned by index. */
const char *shard_index_find(const struct shard_index *index, const char *tensor);

#endif
