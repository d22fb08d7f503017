/* SPDX-License-Identifier: Apache-2.0 */
/*
 * repeats.h - do people disagree about the same pair, and does a person about itself? No
 * model is asked, only pairs that were judged more than once: same prompt (and context),
 * same two responses in either order.
 *
 * With a judgement of user u preferring the first response with probability p_u, and two
 * people drawn from those who judge a pair:
 *
 *   between  D = E 2 pbar (1 - pbar)       two judgements of two people differ
 *   within   W = E 2 p_u (1 - p_u)         two judgements of one person differ: noise
 *   taste    D - W = 2 Var_u(p_u)          what is left is that people differ
 *
 * D is the mean over the pairs judged by several people of the share of discordant
 * judgements among all of two different people, unbiased for each pair (a U-statistic);
 * W is the same over the pairs that a person judged repeatedly. Standard errors count
 * both pairs and people as clusters (two-way: V_pair + V_user - V_pair,user; Cameron,
 * Gelbach and Miller 2011), because one person judges many pairs.
 *
 * What D says of every model without users: its expected log loss on these pairs, each
 * counting the same, is at least E h(pbar) >= 2 ln 2 D, because the entropy of a coin is
 * at least 4 ln 2 p (1 - p) nats. This bound needs no fitted model; it contains the noise.
 */
#ifndef MICRO_DIAGNOSE_REPEATS_H
#define MICRO_DIAGNOSE_REPEATS_H

#include "core/base/err.h"
#include "core/data/dataset.h"
#include "core/diagnose/estimate.h"

enum repeats_state {
	REPEATS_NO_USERS, /* nobody is named: differences may be taste or noise */
	REPEATS_NONE,	  /* no pair was judged by two people */
	REPEATS_FOUND,
};

struct repeats {
	enum repeats_state state;
	size_t n_distinct;	    /* pairs that are not the same */
	size_t n_shared;	    /* of these, judged by at least two people */
	size_t n_judgements;	    /* of the shared ones, by named people */
	size_t n_both_ways;	    /* shared ones that people judged both ways */
	size_t n_ties;		    /* pairs of two equal responses: nobody judged anything */
	size_t n_same_person;	    /* (person, pair) with several judgements */
	struct estimate between;    /* D; zeros unless n_shared > 0 */
	struct estimate within;	    /* W; zeros unless n_same_person > 0 */
	struct estimate loss_bound; /* 2 ln 2 D, nats */
};

/**
 * repeats_measure(dataset, repeats_out, err): pairs of unnamed people only count as
 * n_distinct. Error: STATUS_NO_MEMORY.
 */
enum status repeats_measure(const struct dataset *dataset, struct repeats *repeats_out,
			    struct err *err);

#endif
