/* SPDX-License-Identifier: Apache-2.0 */
/* head_likeness.h - how alike the heads of a model are: a mixture of equal heads is no mixture. */
#ifndef MICRO_TOOL_HEAD_LIKENESS_H
#define MICRO_TOOL_HEAD_LIKENESS_H

#include <stddef.h>

#include "core/base/err.h"
#include "core/model/heads.h"

#define LIKENESS_MAX_PAIRS 10

struct head_pair {
	size_t a, b; /* a < b */
	double cosine;
};

struct head_likeness {
	size_t n_heads;
	double *cosine;	  /* [n_heads, n_heads] */
	double mean, max; /* over pairs of different heads; 0 with one head */
	struct head_pair pairs[LIKENESS_MAX_PAIRS]; /* [n_pairs], the most alike first */
	size_t n_pairs;
};

/** head_likeness_init(likeness, heads, err): head_likeness_free() releases. */
enum status head_likeness_init(struct head_likeness *likeness, const struct heads *heads,
			       struct err *err);

/**
 * head_likeness_of(likeness, n_heads, cosine): the same of another similarity; cosine
 * [n_heads, n_heads], from mem.h, belongs to likeness from now on.
 */
void head_likeness_of(struct head_likeness *likeness, size_t n_heads, double *cosine);

/** head_likeness_free(likeness): frees the matrix. */
void head_likeness_free(struct head_likeness *likeness);

#endif
