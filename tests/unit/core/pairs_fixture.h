/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pairs_fixture.h - datasets made by hand for tests of training and evaluation.
 */
#ifndef TESTS_UNIT_PAIRS_FIXTURE_H
#define TESTS_UNIT_PAIRS_FIXTURE_H

#include "core/base/rng.h"
#include "core/data/dataset.h"
#include "core/model/model.h"

#define PAIRS_DIM 4

/**
 * pairs_two_tastes(n_users, pairs_per_user, seed, dataset_out): users of two
 * opposite tastes (even users like what odd ones dislike), each with
 * pairs_per_user pairs of dense vectors of PAIRS_DIM numbers; all prompts equal.
 * pairs_per_user 0: one pair each and no user names. Aborts without memory.
 */
void pairs_two_tastes(size_t n_users, size_t pairs_per_user, uint64_t seed,
		      struct dataset *dataset_out);

/** pairs_one_taste(n_users, pairs_per_user, seed, dataset_out): the same, but all users agree. */
void pairs_one_taste(size_t n_users, size_t pairs_per_user, uint64_t seed,
		     struct dataset *dataset_out);

/**
 * pairs_set_contexts(dataset): the tastes of pairs_two_tastes() become two contexts, "even"
 * and "odd", each with a router text of its own: features 0 and 1 of psi.
 */
void pairs_set_contexts(struct dataset *dataset);

/** pairs_model(n_heads, kind, n_hidden, model_out): an untrained model for it. */
void pairs_model(size_t n_heads, enum router_kind kind, size_t n_hidden, struct model *model_out);

/**
 * pairs_opposed_model(kind, n_hidden, model_out): three heads for it: what even users like,
 * what odd ones like, and one that likes nothing. The mlp's router begins at random.
 */
void pairs_opposed_model(enum router_kind kind, size_t n_hidden, struct model *model_out);

#endif
