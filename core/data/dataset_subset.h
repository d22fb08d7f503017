/* SPDX-License-Identifier: Apache-2.0 */
/* dataset_subset.h - some pairs of a dataset as a dataset of their own. */
#ifndef MICRO_DATA_DATASET_SUBSET_H
#define MICRO_DATA_DATASET_SUBSET_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/data/dataset.h"

/**
 * dataset_subset(dataset, pairs, n_pairs, subset_out, err): the pairs with these indices
 * [n_pairs], in this order, with the rows, users and contexts that they have, renumbered
 * in order of first appearance. A copy: it does not need dataset, and costs
 * memory for its rows only. sha256 stays empty: it is no file's. dataset_free() releases; on
 * error nothing is owned. Error: STATUS_NO_MEMORY.
 */
enum status dataset_subset(const struct dataset *dataset, const uint32_t *pairs, size_t n_pairs,
			   struct dataset *subset_out, struct err *err);

/** dataset_forget_users(dataset): no pair is anybody's any more. */
void dataset_forget_users(struct dataset *dataset);

#endif
