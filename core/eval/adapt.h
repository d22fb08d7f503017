/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adapt.h - how a user's feedback changes what is predicted for them. s [n_heads] is
 * what has been learnt of the user, g the router's logits for a prompt,
 * m_k = r_k(chosen) - r_k(rejected); masked heads have weight 0 throughout.
 *
 *   hedge  s_k = log-weights of the Hedge step (hedge.h), w = softmax(g + s),
 *          P = sum_k w_k sigmoid(m_k)
 *   none   P = sum_k f_k sigmoid(m_k), f = softmax(g): feedback changes nothing
 *   hyre   s_k = -(pairs that head k gets wrong; a tie is half a pair),
 *          w = softmax(g + s), P = sigmoid(sum_k w_k m_k)
 *          HyRe (Lee et al., arXiv 2412.08812): w_k = exp(-L(f_k, D)) / sum_i
 *          exp(-L(f_i, D)) and f_w = sum_k w_k f_k, with L the 0-1 errors on the user's
 *          pairs D, as generalized Bayes from the prior f, uniform in the paper
 *   lore   s fitted to the pairs (lore_fit.h), w = softmax(g + s), P = sigmoid(sum_k w_k m_k)
 */
#ifndef MICRO_EVAL_ADAPT_H
#define MICRO_EVAL_ADAPT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"
#include "core/eval/lore_fit.h"

enum adapt_method { ADAPT_HEDGE, ADAPT_NONE, ADAPT_HYRE, ADAPT_LORE, N_ADAPT_METHODS };

struct adapt_options {
	enum adapt_method method;
	double temperature; /* hedge: tau */
	double drift;	    /* hedge: fixed share, 0: none */
};

/* What is known of a pair: all [n_heads] and finite. */
struct adapt_pair {
	const float *logits; /* g: the router's, of the prompt */
	const float *chosen; /* every head's reward */
	const float *rejected;
};

/* One user at a time. */
struct adapt {
	struct adapt_options options;
	size_t n_heads;
	const bool *mask;     /* [n_heads], the caller's */
	double *state;	      /* [n_heads]: s */
	double *loss;	      /* [n_heads], scratch */
	double *log_weight;   /* [n_heads], scratch */
	struct lore_fit lore; /* the user's pairs; lore only */
};

/** adapt_name(method): "hedge", "none", "hyre" or "lore". */
const char *adapt_name(enum adapt_method method);

/**
 * adapt_init(adapt, options, n_heads, mask, max_pairs, err): for users of at most max_pairs
 * feedbacks; mask [n_heads] leaves a head and outlives adapt. STATUS_NO_MEMORY. adapt_free()
 * releases, also on error.
 */
enum status adapt_init(struct adapt *adapt, const struct adapt_options *options, size_t n_heads,
		       const bool *mask, size_t max_pairs, struct err *err);

/** adapt_free(adapt): a zeroed one is allowed. */
void adapt_free(struct adapt *adapt);

/** adapt_start(adapt): another user, of whom nothing is known. */
void adapt_start(struct adapt *adapt);

/**
 * adapt_learn(adapt, pair, err): the user preferred chosen to rejected. At most max_pairs
 * times a user. Errors: STATUS_INVALID_VALUE (the temperature), STATUS_NOT_FINITE.
 */
enum status adapt_learn(struct adapt *adapt, struct adapt_pair pair, struct err *err);

/** adapt_log_preference(adapt, pair): log P(chosen > rejected) for the user. */
double adapt_log_preference(struct adapt *adapt, struct adapt_pair pair);

/** adapt_log_prior(adapt, pair): the same for nobody in particular, by the router alone. */
double adapt_log_prior(struct adapt *adapt, struct adapt_pair pair);

#endif
