/* SPDX-License-Identifier: Apache-2.0 */
/*
 * draft_fixture.h - model files made by hand: a good one, then changed at one place.
 */
#ifndef TESTS_UNIT_DRAFT_FIXTURE_H
#define TESTS_UNIT_DRAFT_FIXTURE_H

#include "core/model/model.h"
#include "core/model/safetensors.h"

#define DRAFT_HEADS  2
#define DRAFT_DIM    4
#define DRAFT_HIDDEN 3
#define DRAFT_MAX    12

struct draft {
	struct tensor_spec tensors[DRAFT_MAX];
	size_t n_tensors;
	struct metadata_spec metadata[DRAFT_MAX];
	size_t n_metadata;
};

/* The numbers of all tensors of a draft, and some more for other shapes. */
extern const float draft_values[64];

/** draft_start(kind, draft): a good model with encoder none:4, labels, a mask and two facts. */
void draft_start(enum router_kind kind, struct draft *draft);

/** draft_put_tensor(draft, tensor): replace or add; one without data is taken out. */
void draft_put_tensor(struct draft *draft, struct tensor_spec tensor);

/** draft_put_metadata(draft, key, value): replace or add; value NULL takes it out. */
void draft_put_metadata(struct draft *draft, const char *key, const char *value);

/** draft_write(draft): the path of the file, in folder_fixture.h's folder; aborts on error. */
const char *draft_write(const struct draft *draft);

#endif
