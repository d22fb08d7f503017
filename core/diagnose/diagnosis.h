/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diagnosis.h - is personalization worth it on this data? Three questions, asked of people
 * that the models have not seen (repeats.h asks a fourth one without any model):
 *
 * 1. How many subpopulations does the likelihood support? Mixtures of K = 1, 2, 4, ... heads
 *    are fitted on some people and predict the pairs of others one after the other, each
 *    from the earlier pairs of the same person. One-standard-error rule (Breiman et al.,
 *    Classification and Regression Trees, 1984, section 3.4.3): the smallest K whose NLL is
 *    within one standard error of the best one's. Before, one factor on all heads is fitted
 *    (sharpen.h) for every K alike, so that K does not make up for heads that are too blunt.
 *
 * 2. What can no single model get below? With a latent subpopulation z, P(z=k) = f_k and
 *    P(chosen > rejected | z=k) = p_k, every model q without z has, for each pair,
 *
 *      E[-log q]  =  h(pbar) + KL(pbar, q)  >=  h(pbar)          pbar = sum_k f_k p_k
 *      h(pbar)    =  sum_k f_k h(p_k) + I(y; z)                  noise + disagreement
 *      I(y; z)    =  sum_k f_k KL(p_k, pbar)  >=  2 Var_k(p_k)   Pinsker's inequality
 *
 *    These are the terms of MiCRo's Theorem 3.2, entropy and variance across subpopulations;
 *    the constant of the variance is the one derived here, for probabilities, not the paper's
 *    own. Estimated with the mixture of question 3, as means over pairs of people that it was
 *    not fitted on:
 *
 *      disagreement  = h(pbar) - sum_k f_k h(p_k)       of the mixture's own f and p
 *      variance      = sum_k f_k (p_k - pbar)^2         likewise
 *      noise         = mixture_nll - disagreement       mixture_nll: -log pbar, held out
 *      bound         = noise + 2 variance               the single model's loss in nats, at least
 *
 *    mixture_nll stands for the entropy h(pbar) because h(p) + h'(p)(y - p) is the log loss of
 *    the label y: the plug-in entropy with its first-order error taken away. So the bound is
 *    never above what the mixture reaches, and is off by what is wrong with disagreement - 2
 *    variance, the mixture's own view. Caveats: what the mixture does not explain counts as
 *    noise (mixture_nll >= entropy), which makes the bound too high by as much; subpopulations
 *    that it does not tell apart count as noise too, and make disagreement too low; heads that
 *    are too sure make it too high. `miscalibration` = mixture_nll - entropy, the mixture's
 *    own, is 0 for the true mixture and says how far to trust the split.
 *
 * 3. What would feedback bring? Protocol of eval.h, with the K >= 2 of the best likelihood: the
 *    same later pairs of each person before and after m feedbacks; and against the single
 *    model. Intervals are over people.
 *
 * Three disjoint parts of the people, so that no choice is measured on the people it was made
 * by: DIAGNOSIS_FIT fits, DIAGNOSIS_CHOOSE is question 1, DIAGNOSIS_MEASURE questions 2 and 3.
 * Pairs that are nobody's are left out. Without enough people the parts are of pairs, and
 * question 3 stays open.
 */
#ifndef MICRO_DIAGNOSE_DIAGNOSIS_H
#define MICRO_DIAGNOSE_DIAGNOSIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/data/dataset.h"
#include "core/diagnose/estimate.h"

#define DIAGNOSIS_MIN_USERS    50  /* with several pairs each, to look at people */
#define DIAGNOSIS_MIN_PAIRS    500 /* to look at pairs */
#define DIAGNOSIS_MIN_MEASURED 10  /* people with enough pairs for a number of feedbacks */
#define DIAGNOSIS_BUDGET       65536

#define DIAGNOSIS_MAX_CURVE 6 /* K = 1, 2, 4, 8, 16, 32 */
#define DIAGNOSIS_MAX_GAINS 4 /* m = 0, 1, 4, 8 */

/* part of the NLL without feedback that a saving must reach to be worth the trouble */
#define DIAGNOSIS_MATERIAL 0.02

enum diagnosis_way {
	DIAGNOSIS_BY_USER,    /* parts are of people, panel objective */
	DIAGNOSIS_BY_PAIR,    /* too few people: parts are of pairs, micro objective */
	DIAGNOSIS_TOO_LITTLE, /* no model is fitted */
};

enum diagnosis_part {
	DIAGNOSIS_FIT,
	DIAGNOSIS_CHOOSE,
	DIAGNOSIS_MEASURE,
	N_DIAGNOSIS_PARTS,
};

struct diagnosis_options {
	uint64_t seed;
	size_t budget;	  /* people are taken until they have this many pairs, at least 50 people */
	size_t n_threads; /* of the fits on dense vectors; their number changes no figure */
};

struct diagnosis_size {
	size_t users; /* by pair: 0 */
	size_t pairs;
};

/* One point of the curve over K, on DIAGNOSIS_CHOOSE. */
struct diagnosis_point {
	size_t n_heads;
	struct estimate nll; /* a pair, of sequential prediction */
	double sharpening;   /* what the fitted heads were multiplied by (sharpen.h) */
};

/* See the head of this file; nats a pair, on DIAGNOSIS_MEASURE. */
struct diagnosis_error {
	struct estimate noise, variance, disagreement, bound;
	struct estimate entropy;		 /* h(pbar), the mixture's own */
	struct estimate mixture_nll, single_nll; /* held out, without feedback */
	struct estimate miscalibration;		 /* mixture_nll - entropy */
	struct estimate single_excess;		 /* single_nll - mixture_nll, by pair */
};

/* After `shots` feedbacks; differences are to none, above 0 where feedback helps. */
struct diagnosis_gain {
	size_t shots;
	double accuracy, nll; /* means over people, as in eval.h */
	struct estimate accuracy_gain, nll_saving;
};

enum diagnosis_answer { ANSWER_WORTH_IT, ANSWER_NOT_WORTH_IT, ANSWER_CANNOT_TELL, N_ANSWERS };

/* Why; up to REASON_UNCERTAIN it is ANSWER_CANNOT_TELL. */
enum diagnosis_reason {
	REASON_TOO_LITTLE, /* data to fit and hold out */
	REASON_NO_USERS,   /* nobody is named */
	REASON_FEW_USERS,  /* with several pairs */
	REASON_FEW_PAIRS,  /* of each person: nothing left to predict after a feedback */
	REASON_UNCERTAIN,  /* the interval holds both no saving and a material one */
	REASON_NO_SAVING,  /* the saving is below what is material, with its interval */
	REASON_SINGLE,	   /* feedback only makes up for what the mixture is worse by */
	REASON_SAVING,	   /* significant, material, and below the single model's loss */
	N_REASONS,
};

struct diagnosis {
	size_t n_users;	     /* named in the data */
	size_t n_users_many; /* with several pairs */
	size_t n_pairs;
	enum diagnosis_way way;
	bool sampled; /* the budget did not reach for all */
	struct diagnosis_size parts[N_DIAGNOSIS_PARTS];

	struct diagnosis_point curve[DIAGNOSIS_MAX_CURVE]; /* [n_curve]; 0: too little */
	size_t n_curve;
	/* indices in curve: least NLL; one-standard-error rule; least NLL with K >= 2 */
	size_t best, supported, mixture;

	struct diagnosis_error error; /* of `mixture`; zeros if too little */

	struct diagnosis_gain gains[DIAGNOSIS_MAX_GAINS]; /* [n_gains], m = 0 first */
	size_t n_gains;					  /* 0: by pair, or too few pairs */
	size_t gain_users, gain_left_out;		  /* of DIAGNOSIS_MEASURE's people */
	double single_accuracy, single_nll;		  /* on the same pairs as gains */
	struct estimate single_saving; /* NLL of the single model - that after most feedbacks */

	enum diagnosis_answer answer;
	enum diagnosis_reason reason;
};

struct diagnosis_progress {
	size_t fit, n_fits; /* which training, from 1 */
	size_t n_heads;	    /* of it */
	double done;	    /* of everything, 0 to 1 */
};

/** diagnosis_progress_fn(context, progress): false asks to stop (STATUS_INTERRUPTED). */
typedef bool diagnosis_progress_fn(void *context, const struct diagnosis_progress *progress);

/**
 * diagnosis_run(dataset, encoder, options, progress, context, diagnosis_out, err): all of
 * the above. Same data, options and BLAS threads give the same bits. progress may be NULL.
 * Errors: STATUS_NOT_FINITE (training diverged), STATUS_INTERRUPTED, STATUS_NO_MEMORY.
 */
enum status diagnosis_run(const struct dataset *dataset, const struct encoder *encoder,
			  const struct diagnosis_options *options, diagnosis_progress_fn *progress,
			  void *context, struct diagnosis *diagnosis_out, struct err *err);

/** diagnosis_supported(curve, n, best_out): index by the one-standard-error rule; n >= 1. */
size_t diagnosis_supported(const struct diagnosis_point *curve, size_t n, size_t *best_out);

/** diagnosis_conclude(diagnosis): answer and reason from the rest; see verdict.c. */
void diagnosis_conclude(struct diagnosis *diagnosis);

/** diagnosis_answer_name(answer), diagnosis_reason_name(reason): for machines, such as "worth_it".
 */
const char *diagnosis_answer_name(enum diagnosis_answer answer);
const char *diagnosis_reason_name(enum diagnosis_reason reason);

#endif
