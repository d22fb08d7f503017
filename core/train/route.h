/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route.h - stage 2: the heads stay, the router learns which of them matter in
 * which context, from pairs that carry one (MiCRo, section 4).
 *
 *   iterate      Algorithm 1: every pair's own Hedge weights, once an epoch
 *   closed-form  one Hedge posterior for all pairs of a context      (ours)
 *
 * Pairs without a context are taken together by their router text.
 */
#ifndef MICRO_TRAIN_ROUTE_H
#define MICRO_TRAIN_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/data/dataset.h"
#include "core/eval/tally.h"
#include "core/model/model.h"
#include "core/train/train.h"

#define ROUTE_MAX_TRIALS 16

/* AUTO: the one that predicts held-out pairs better. */
enum route_method { ROUTE_ITERATE, ROUTE_CLOSED_FORM, ROUTE_AUTO, N_ROUTE_METHODS };

struct route_options {
	enum route_method method;
	double tau;    /* of eq. (5); NaN: the one that predicts held-out pairs best */
	size_t budget; /* pairs used at most, chosen at random; 0: all */
	size_t epochs;
	size_t batch;	      /* pairs a step */
	double learning_rate; /* NaN: by the router and the data's scale */
	double weight_decay;
	double holdout; /* part of the pairs held out at a time; 0: none, nothing is chosen */
	uint64_t seed;
};

/* A method and temperature, and how well they predict pairs that were held out. */
struct route_trial {
	enum route_method method;
	double tau;
	struct eval_score heldout; /* n_pairs 0: nothing was held out */
};

/*
 * What a progress callback sees. fit: the training that runs, its pairs counted over
 * the whole command; its held-out figures are never set. trial: the one that has
 * just ended, NULL otherwise.
 */
struct route_progress {
	struct train_progress fit;
	const struct route_trial *trial;
	size_t n_trials;
};

/** route_progress_fn(context, progress): false asks to stop (STATUS_INTERRUPTED). */
typedef bool route_progress_fn(void *context, const struct route_progress *progress);

struct route_result {
	size_t n_pairs;	 /* used, after the budget */
	size_t n_groups; /* contexts, or router texts where there is none */
	struct route_trial trials[ROUTE_MAX_TRIALS];
	size_t n_trials;
	size_t chosen;		  /* index in trials */
	double learning_rate;	  /* used */
	struct eval_score before; /* of the router as it was, on the same held-out pairs */
};

/** route_method_name(method): "iterate", "closed-form" or "auto". */
const char *route_method_name(enum route_method method);

/** route_defaults(options_out): the paper's epochs and batch; method and tau are chosen. */
void route_defaults(struct route_options *options_out);

/** route_best(result, method): the best trial of a method, NULL if there is none. */
const struct route_trial *route_best(const struct route_result *result, enum route_method method);

/**
 * route_run(dataset, options, progress, context, model, result_out, err): train
 * model's router in place and set the facts "train.route.…"; heads and id stay.
 * Masked heads get no weight and no gradient. Deterministic like train_run().
 * Choosing is cross-validation: the pairs of each context are dealt out over
 * 1 / holdout parts, users kept together, each part is predicted from the others,
 * and the winner is then trained on all pairs. progress may be NULL. On error the router is as it
 * was. Errors: STATUS_INVALID_VALUE (a static router; options that do not fit),
 * STATUS_WRONG_DIMENSION, STATUS_NOT_FINITE (diverged), STATUS_INTERRUPTED,
 * STATUS_NO_MEMORY.
 */
enum status route_run(const struct dataset *dataset, const struct route_options *options,
		      route_progress_fn *progress, void *context, struct model *model,
		      struct route_result *result_out, struct err *err);

#endif
