/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare.h - train and evaluate several methods on one split, over several seeds.
 *
 * Each method, each seed: stage 1 on the training pairs; accuracy and NLL on the test
 * pairs, also after m feedbacks of each user; stage 2 on the pairs for it, if the
 * method has a router that can learn; then the contexts, by the router alone.
 */
#ifndef MICRO_COMPARE_COMPARE_H
#define MICRO_COMPARE_COMPARE_H

#include "core/compare/comparison.h"
#include "core/compare/method.h"
#include "core/data/dataset.h"
#include "core/encode/encoder.h"

/* Pairs and the file they are from; dataset NULL: none. */
struct compare_split {
	const char *path;
	const struct dataset *dataset;
};

/* Ascending numbers; n 0: the curve is not asked for. */
struct compare_points {
	const size_t *x;
	size_t n;
};

/*
 * All pointers are the caller's. The last method is the one that curves and maps
 * are made of.
 */
struct compare_options {
	const struct encoder *encoder; /* of all splits */
	const char *libraries;	       /* that figures depend on, for the record; NULL: not told */
	struct compare_split train, test;
	struct compare_split route;    /* pairs for stage 2 */
	struct compare_split contexts; /* what contexts are measured on; none: the test pairs */
	const struct compare_methods *methods;
	size_t n_heads;	  /* of methods whose number is free */
	size_t epochs;	  /* of stage 1; 0: as each method is best trained */
	size_t n_threads; /* of stage 1; their number changes no figure */
	size_t shots[EVAL_MAX_SHOTS];
	size_t n_shots; /* at least 1 */
	uint64_t first_seed;
	size_t n_seeds;
	struct compare_points heads_curve;
	struct compare_points budgets;
	/* rows of the map of router weights: pairs of the split that contexts are measured on, and
	 * their names, UTF-8; 0: no map */
	const uint32_t *map_pairs; /* [n_map_rows] */
	char *const *map_names;	   /* [n_map_rows] */
	size_t n_map_rows;
	double (*clock)(void); /* seconds since some beginning */
};

enum compare_step { COMPARE_TRAIN, COMPARE_ROUTE };

/* What a progress callback sees. */
struct compare_progress {
	enum compare_step kind;
	const char *method;
	uint64_t seed;
	size_t n_heads;
	size_t budget;		   /* COMPARE_ROUTE: pairs, 0: all */
	size_t step, n_steps;	   /* trainings of either stage; step: 1.. */
	struct train_progress fit; /* the training that runs */
	bool step_end;		   /* it has come to its end */
};

/** compare_progress_fn(context, progress): false asks to stop (STATUS_INTERRUPTED). */
typedef bool compare_progress_fn(void *context, const struct compare_progress *progress);

/**
 * compare_map_rows(dataset, pairs_out, n_max, n_out, err): pairs [n_max] whose prompts are
 * worth a row of the router's map: the first of each distinct router text, context by
 * context, three of a context at most, fewer if n_max is too few for all; STATUS_NO_MEMORY.
 */
enum status compare_map_rows(const struct dataset *dataset, uint32_t *pairs_out, size_t n_max,
			     size_t *n_out, struct err *err);

/**
 * compare_run(options, progress, context, comparison_out, err): comparison_free() releases; on
 * error nothing is owned. All options are checked before the first training. Deterministic but
 * for the seconds, like train_run(). progress may be NULL. Errors: STATUS_INVALID_VALUE (what
 * does not go together, naming the method), and those of train_run(), stage2_run() and
 * eval_run().
 */
enum status compare_run(const struct compare_options *options, compare_progress_fn *progress,
			void *context, struct comparison *comparison_out, struct err *err);

#endif
