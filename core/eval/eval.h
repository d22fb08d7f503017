/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eval.h - accuracy and negative log-likelihood of a model on pairs, as in tally.h.
 */
#ifndef MICRO_EVAL_EVAL_H
#define MICRO_EVAL_EVAL_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/data/dataset.h"
#include "core/eval/adapt.h"
#include "core/eval/tally.h"
#include "core/model/model.h"

#define EVAL_MAX_SHOTS 32

struct eval_options {
	size_t shots[EVAL_MAX_SHOTS]; /* ascending numbers of feedbacks */
	size_t n_shots;		      /* 0: no personalization protocol */
	enum adapt_method adapt;      /* what a feedback does */
	double temperature;	      /* of the Hedge step */
	double drift;		      /* fixed share, 0: none */
};

/*
 * Personalization after m feedbacks: of each user's pairs, in file order, the
 * first max(shots) are feedback (the first m are given) and all later ones are
 * scored; accuracy and NLL averaged per user, then over users. Users with no
 * later pair are left out.
 */
struct eval_shot {
	size_t shots;
	size_t users;
	double accuracy;
	double nll;
};

struct eval_result {
	struct eval_score overall;
	struct eval_score *contexts; /* [n_contexts] of the dataset, NULL if it has none */
	size_t n_contexts;
	struct eval_score context_mean; /* n_pairs: of all contexts; zeros without contexts */
	struct eval_shot shots[EVAL_MAX_SHOTS];
	size_t n_shots;
	size_t users_left_out; /* too few pairs for the protocol */
};

/**
 * eval_run(model, dataset, options, result_out, err): eval_result_free() releases; on error
 * nothing is owned. Errors: STATUS_WRONG_DIMENSION, STATUS_INVALID_VALUE (options that do not
 * fit), STATUS_NOT_FINITE (names the pair), STATUS_NO_MEMORY.
 */
enum status eval_run(const struct model *model, const struct dataset *dataset,
		     const struct eval_options *options, struct eval_result *result_out,
		     struct err *err);

/** eval_result_free(result): a zeroed result is allowed. */
void eval_result_free(struct eval_result *result);

#endif
