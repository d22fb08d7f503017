/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train_memory.h - how much memory a training on a features file needs at most. With P
 * parameters of heads and router, N pairs in G groups (users, and pairs of nobody), D features, K
 * heads, H outputs of the router's first layer, B pairs a batch and T threads, in bytes:
 *
 *   parameters  16 P                          weights, AdamW's moments, gradients or a copy
 *   batch       4 B (2 D + (K + H) (D / 384 + 3) + 4 K)   rows, partial products, outputs
 *   pairs       N (80 + 12 K)                 scores and order
 *   users       8 K G                         static, lore, panel: what is each head's of a user
 *               lore: + 4 K N                 and margins of one user's pairs, all at most
 *   components  8 (K + 10) (D + 3 (K + 10))   drm: two bases; products between their columns;
 *               + 256 D                       pairs that are multiplied at once
 *   names       300 each + 16 of each byte    users and contexts, while the header is read
 *   window      what mapped_rows_window() says
 *   program     16 MiB + 32 MiB T             code, libraries, buffers of the linear algebra
 */
#ifndef MICRO_TRAIN_TRAIN_MEMORY_H
#define MICRO_TRAIN_TRAIN_MEMORY_H

#include "core/data/dataset.h"
#include "core/train/train.h"

/* Bytes. */
struct train_memory {
	double parameters, batch, pairs, users, components, names, window, program;
	double total;
};

/**
 * train_memory_of(dataset, options, memory_out): dataset is of a features file; options name
 * an objective.
 */
void train_memory_of(const struct dataset *dataset, const struct train_options *options,
		     struct train_memory *memory_out);

#endif
