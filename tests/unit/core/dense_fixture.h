/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dense_fixture.h - random pairs of long vectors, as language models make them: long and
 * many enough that the work of a batch falls into several parts in every direction.
 */
#ifndef TESTS_UNIT_DENSE_FIXTURE_H
#define TESTS_UNIT_DENSE_FIXTURE_H

#include "core/data/dataset.h"
#include "core/model/model.h"

#define DENSE_DIM     800 /* two shards and a part of a third, none a multiple of 32 */
#define DENSE_PAIRS   75
#define DENSE_PROMPTS 40

/**
 * dense_pairs(sparse, dataset_out): always the same vectors, stored as they are or as
 * sparse ones; pairs without users.
 */
void dense_pairs(bool sparse, struct dataset *dataset_out);

/** dense_model(n_heads, kind, n_hidden, model_out): a model for them with random weights. */
void dense_model(size_t n_heads, enum router_kind kind, size_t n_hidden, struct model *model_out);

#endif
