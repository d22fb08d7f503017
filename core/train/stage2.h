/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage2.h - stage 2: the heads stay, the router learns which of them matter in
 * which context, from pairs that carry one (MiCRo, section 4).
 *
 *   iterate      Algorithm 1: every pair's own Hedge weights, once an epoch
 *   closed-form  one Hedge posterior for all pairs of a context      (ours)
 *
 * Pairs without a context are taken together by their router text.
 */
#ifndef MICRO_TRAIN_STAGE2_H
#define MICRO_TRAIN_STAGE2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/data/dataset.h"
#include "core/eval/tally.h"
#include "core/model/model.h"
#include "core/train/train.h"

#define STAGE2_MAX_TRIALS   16
#define STAGE2_HELDOUT_TEXT 512

/* AUTO: the one that predicts held-out pairs better, or none: then the router stays. */
enum stage2_method { STAGE2_ITERATE, STAGE2_CLOSED_FORM, STAGE2_AUTO, N_STAGE2_METHODS };

struct stage2_options {
	enum stage2_method method;
	double tau;    /* of eq. (5); NaN: the one that predicts held-out pairs best */
	size_t budget; /* pairs used at most, chosen at random; 0: all */
	size_t epochs;
	size_t batch;	      /* pairs a step */
	double learning_rate; /* NaN: by the router and the data's scale */
	double weight_decay;
	double holdout; /* part of the pairs held out at a time; 0: none, nothing is chosen */
	uint64_t seed;
	size_t n_threads; /* of the linear algebra, which the caller sets; a fact of the model */
};

/* A method and temperature, and how well they predict pairs that were held out. */
struct stage2_trial {
	enum stage2_method method;
	double tau;
	struct eval_score heldout; /* n_pairs 0: nothing was held out */
};

/*
 * What a progress callback sees. fit: the training that runs, its pairs counted over
 * the whole command; its held-out figures are never set. trial: the one that has
 * just ended, NULL otherwise.
 */
struct stage2_progress {
	struct train_progress fit;
	const struct stage2_trial *trial;
};

/** stage2_progress_fn(context, progress): false asks to stop (STATUS_INTERRUPTED). */
typedef bool stage2_progress_fn(void *context, const struct stage2_progress *progress);

struct stage2_result {
	size_t n_pairs;	 /* used, after the budget */
	size_t n_groups; /* contexts, or router texts where there is none */
	struct stage2_trial trials[STAGE2_MAX_TRIALS];
	size_t n_trials;
	size_t chosen;		  /* index in trials */
	bool kept;		  /* AUTO, and no trial predicts better: the router is as it was */
	double learning_rate;	  /* used */
	struct eval_score before; /* of the router as it was, on the same held-out pairs */
};

/** stage2_method_name(method): "iterate", "closed-form" or "auto". */
const char *stage2_method_name(enum stage2_method method);

/** stage2_defaults(options_out): the paper's epochs and batch; method and tau are chosen. */
void stage2_defaults(struct stage2_options *options_out);

/**
 * stage2_heldout_text(result, out, size): the fact "train.route.heldout", JSON:
 * {"n_pairs","before":{"accuracy","nll"},"iterate":{"tau","accuracy","nll"},"closed-form":{...}},
 * null what was not tried, and all if nothing was held out. STAGE2_HELDOUT_TEXT bytes suffice.
 */
void stage2_heldout_text(const struct stage2_result *result, char *out, size_t size);

/** stage2_best(result, method): the best trial of a method, NULL if there is none. */
const struct stage2_trial *stage2_best(const struct stage2_result *result,
				       enum stage2_method method);

/**
 * stage2_run(dataset, options, progress, context, model, result_out, err): train
 * model's router in place and set the facts "train.route.…"; heads and id stay.
 * Masked heads get no weight and no gradient. Deterministic like train_run().
 * Choosing is cross-validation: the pairs of each context are dealt out over
 * 1 / holdout parts, users kept together, each part is predicted from the others,
 * and the winner is then trained on all pairs. With STAGE2_AUTO the router as it is takes part:
 * if no trial's NLL is below its own, result_out->kept is set and model stays as it is, without
 * facts. progress may be NULL. On error the router is as it was. Errors: STATUS_INVALID_VALUE (a
 * static router; options that do not fit), STATUS_WRONG_DIMENSION, STATUS_NOT_FINITE (diverged),
 * STATUS_INTERRUPTED, STATUS_NO_MEMORY.
 */
enum status stage2_run(const struct dataset *dataset, const struct stage2_options *options,
		       stage2_progress_fn *progress, void *context, struct model *model,
		       struct stage2_result *result_out, struct err *err);

#endif
