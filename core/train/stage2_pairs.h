/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage2_pairs.h - the pairs that stage 2 works with: since the heads are frozen,
 * all that is left of two responses are the heads' losses. Private to core/train.
 *
 * The router is trained on the features that the pairs have: all others get no
 * gradient, and a hashed text has few of its thousands. Their weights stay. The vectors of
 * a features file are not copied, and the router is trained on all of their features.
 */
#ifndef MICRO_TRAIN_STAGE2_PAIRS_H
#define MICRO_TRAIN_STAGE2_PAIRS_H

#include "core/base/rng.h"
#include "core/data/dataset.h"
#include "core/model/model.h"

struct stage2_pairs {
	size_t n_pairs;
	size_t n_heads;
	double *loss;	 /* [n_pairs, n_heads]: L_k = -log p_k */
	uint32_t *row;	 /* [n_pairs]: row of the router texts, stage2_pairs_psi() */
	uint32_t *group; /* [n_pairs]: context, or router text where there is none */
	size_t n_groups;
	uint32_t *fold;	     /* [n_pairs]: which part it is held out with */
	size_t dim;	     /* features that the router is trained on */
	uint32_t *feature;   /* [dim]: ascending, which of the router's features */
	struct features psi; /* [n rows, dim]; of a features file empty: its rows stay there */
	const struct dataset *dataset; /* the caller's */
	uint32_t *pair;		       /* [n_pairs]: which pair of the dataset it is */
	uint32_t *by_file; /* [n_pairs]: all of ours; of a features file in the order of the file */
};

/**
 * stage2_pairs_init(pairs, dataset, model, n_pairs, n_folds, rng, err): n_pairs of the
 * dataset's in random order; each group's pairs are dealt out over n_folds, users
 * kept together. The dataset outlives pairs.
 * stage2_pairs_free() releases. Errors: features_view()'s, STATUS_NOT_FINITE, STATUS_NO_MEMORY.
 */
enum status stage2_pairs_init(struct stage2_pairs *pairs, const struct dataset *dataset,
			      const struct model *model, size_t n_pairs, size_t n_folds,
			      struct rng *rng, struct err *err);

/** stage2_pairs_free(pairs): a zeroed one is allowed. */
void stage2_pairs_free(struct stage2_pairs *pairs);

/**
 * stage2_pairs_psi(pairs, i, buffer, row_out, err): the router features of pair i; buffer:
 * [dataset->psi.dim], room for those that are not in memory. Errors: features_view()'s.
 */
enum status stage2_pairs_psi(const struct stage2_pairs *pairs, size_t i, float *buffer,
			     struct feature_row *row_out, struct err *err);

/** stage2_pairs_router(pairs, router, part_out, err): a new router (router_free()) with the
 * parameters of router that pairs' features reach. */
enum status stage2_pairs_router(const struct stage2_pairs *pairs, const struct router *router,
				struct router *part_out, struct err *err);

/** stage2_pairs_put_back(pairs, part, router): the other way round; other weights stay. */
void stage2_pairs_put_back(const struct stage2_pairs *pairs, const struct router *part,
			   struct router *router);

#endif
