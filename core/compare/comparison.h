/* SPDX-License-Identifier: Apache-2.0 */
/*
 * comparison.h - what came of training and evaluating several methods on one
 * split, over several seeds. Made by compare_run(), shown by the reports.
 */
#ifndef MICRO_COMPARE_COMPARISON_H
#define MICRO_COMPARE_COMPARISON_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/digest.h"
#include "core/eval/eval.h"

/* Over the seeds. sd: of the sample (n - 1); 0 with a single seed. */
struct spread {
	double mean;
	double sd;
};

struct compare_score {
	struct spread accuracy;
	struct spread nll; /* nats a pair */
};

/* One method: how its model is trained and how it adapts to a user. */
struct compare_result {
	char *name;		      /* of the method, such as "panel" */
	char *description;	      /* one sentence for people */
	char *objective;	      /* of training */
	char *adapt;		      /* how feedback is used */
	size_t n_heads;		      /* as trained */
	struct spread seconds;	      /* of training */
	struct compare_score overall; /* all test pairs, no feedback */
	struct compare_score *shots;  /* [comparison.n_shots]: after m feedbacks */
	/* [n_contexts], by the router alone, and their mean; after stage 2 where the
	 * comparison has pairs for it and the method has a router; NULL without contexts */
	struct compare_score *contexts;
	struct compare_score context_mean;
};

/* y against x, such as the number of heads; for one method, named. */
struct compare_curve {
	char *method;		 /* NULL: the curve was not asked for */
	size_t n_points;	 /* ascending x */
	size_t *x;		 /* [n_points] */
	struct compare_score *y; /* [n_points] */
};

/* A matrix with names. */
struct compare_map {
	char *method; /* NULL: there is none */
	size_t n_rows, n_columns;
	char **row_names;    /* [n_rows]: prompts or contexts, UTF-8, as the data has them */
	char **column_names; /* [n_columns]: labels of the heads */
	double *value;	     /* [n_rows, n_columns] */
};

struct comparison {
	char *train_path, *test_path;
	char *route_path, *context_path; /* pairs for stage 2 and its test; NULL: none */
	/* of the files above; "": none */
	char train_sha256[DIGEST_HEX_LEN + 1], test_sha256[DIGEST_HEX_LEN + 1];
	char route_sha256[DIGEST_HEX_LEN + 1], context_sha256[DIGEST_HEX_LEN + 1];
	size_t n_train_pairs, n_train_users;
	size_t n_test_pairs, n_test_users; /* users: those with pairs left to score */
	char *encoder_spec;
	char *libraries; /* that figures depend on, with versions */
	size_t n_heads;	 /* of methods whose number is free */
	size_t epochs;	 /* of stage 1; 0: each method's own */
	uint64_t first_seed;
	size_t n_seeds; /* first_seed, first_seed + 1, ... */

	size_t n_shots;
	size_t shots[EVAL_MAX_SHOTS];
	size_t n_contexts;
	char **context_names;

	size_t n_results;
	struct compare_result *results; /* in the order asked for */

	struct compare_curve heads_curve;  /* paper, Fig. 5: x heads, y after the most feedbacks */
	struct compare_curve budget_curve; /* Fig. 4: x pairs for stage 2, y mean of contexts */
	struct compare_map router_map;	   /* Fig. 3: prompts x heads, mixture weights */
	struct compare_map head_map;	   /* Fig. 2: contexts x heads, each head's accuracy */
};

/** comparison_free(comparison): frees everything; a zeroed comparison is allowed. */
void comparison_free(struct comparison *comparison);

#endif
