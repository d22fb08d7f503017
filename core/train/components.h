/* SPDX-License-Identifier: Apache-2.0 */
/*
 * components.h - principal components of the differences phi(chosen) - phi(rejected),
 * by randomized subspace iteration (Halko, Martinsson and Tropp 2011, algorithm 4.4):
 * passes over the pairs, and never a matrix of dim x dim. Private to core/train.
 */
#ifndef MICRO_TRAIN_COMPONENTS_H
#define MICRO_TRAIN_COMPONENTS_H

#include <stdbool.h>

#include "core/base/rng.h"
#include "core/data/dataset.h"

#define COMPONENTS_MAX_PASSES 24

/* columns beyond the components: the usual number (Halko et al., section 4.2) */
#define COMPONENTS_OVERSAMPLING 10

/** components_pass_fn(context, n_passes): after each pass over the pairs; false stops. */
typedef bool components_pass_fn(void *context, size_t n_passes);

struct components {
	/* the inputs */
	const struct dataset *dataset;
	const uint32_t
	    *pairs; /* [n_pairs]: which of the dataset's; ascending reads files in order */
	size_t n_pairs;
	size_t n_components;
	components_pass_fn *pass;
	void *pass_context;

	float *mean;	  /* [dim]: mean difference */
	double *variance; /* [width]: along the components, largest first */
	float *basis;	  /* [dim, width]: unit columns, orthogonal; the components come first */
	size_t width;	  /* components and some more, which make the last ones converge */
	size_t n_found;	  /* directions in which the differences vary, at most width */

	float *next;			   /* [dim, width]: covariance * basis */
	double *small;			   /* [width, width] */
	double *value, *vector, *rotation; /* [width], [width, width] twice */
	float *projected, *offset; /* [32, width]: of some differences; [width]: of the mean */
	double *row;		   /* [width] */
	float *block;		   /* dense: [2, 32, dim], differences and what is taken off */
	float *part;		   /* dense: [384, width], products of a block */
};

/**
 * components_find(c, rng, err): the components of largest variance, into c's results;
 * components_free() releases, also on error. Differences are centered, as PCA means it.
 * It ends when the variance found grows no more, or after COMPONENTS_MAX_PASSES. Memory: two
 * matrices [dim, n_components + 10] of float, of dense vectors 64 more [dim]. Errors:
 * STATUS_INTERRUPTED, STATUS_NOT_FINITE, STATUS_NO_MEMORY, and those of features_gather().
 */
enum status components_find(struct components *c, struct rng *rng, struct err *err);

/** components_free(c): frees what components_find() made. */
void components_free(struct components *c);

#endif
