/* SPDX-License-Identifier: Apache-2.0 */
#include "core/eval/redundancy.h"

#include <math.h>

#include "core/base/mem.h"

#define MIN_USAGE 1e-12 /* heads that the router never uses share what they get */

/*
 * Groups of heads; a group stands at the place of its first head.
 * Invariants: 1. alike[a, b] of two groups is the least correlation of a head of a with one of b.
 *             2. group[k] <= k is the place of head k's group.
 */
struct grouping {
	size_t n_heads;
	double *alike; /* [n_heads, n_heads] */
	bool *open;    /* [n_heads]: a group stands here that may grow */
	size_t *group; /* [n_heads], head_merge's */
};

/* The two groups most alike, a < b; of equals the first. False if no two reach threshold. */
static bool most_alike(const struct grouping *g, double threshold, size_t *a_out, size_t *b_out)
{
	double highest = -INFINITY;

	for (size_t a = 0; a < g->n_heads; a++) {
		for (size_t b = a + 1; b < g->n_heads; b++) {
			double value = g->alike[a * g->n_heads + b];

			if (!g->open[a] || !g->open[b] || !(value > highest))
				continue;
			highest = value;
			*a_out = a;
			*b_out = b;
		}
	}
	return highest >= threshold;
}

/* Group b goes into group a. */
static void join(struct grouping *g, size_t a, size_t b)
{
	size_t n = g->n_heads;

	for (size_t c = 0; c < n; c++) {
		double least = fmin(g->alike[a * n + c], g->alike[b * n + c]);

		g->alike[a * n + c] = least;
		g->alike[c * n + a] = least;
		if (g->group[c] == b)
			g->group[c] = a;
	}
	g->open[b] = false;
}

static void set_shares(struct head_merge *merge, const double *usage)
{
	for (size_t k = 0; k < merge->n_heads; k++) {
		double total = 0;

		for (size_t j = 0; j < merge->n_heads; j++) {
			if (merge->group[j] == merge->group[k])
				total += fmax(usage[j], MIN_USAGE);
		}
		merge->share[k] = fmax(usage[k], MIN_USAGE) / total;
	}
}

/* From places to numbers without holes. */
static void number_groups(struct head_merge *merge)
{
	size_t n = 0;

	/* the first head of a group comes before the others and has its number by then */
	for (size_t k = 0; k < merge->n_heads; k++)
		merge->group[k] = merge->group[k] == k ? n++ : merge->group[merge->group[k]];
	merge->n_groups = n;
}

static enum status group_heads(const struct head_margins *margins, const bool *mask,
			       double threshold, struct head_merge *merge, struct err *err)
{
	size_t n = margins->n_heads, a = 0, b = 0;
	struct grouping g = {
	    .n_heads = n,
	    .alike = mem_array(n, n * sizeof(*g.alike)),
	    .open = mem_array(n, sizeof(*g.open)),
	    .group = merge->group,
	};
	enum status status;

	if (g.alike == NULL || g.open == NULL)
		status = err_no_memory(err, "a merge of heads");
	else
		status = head_margins_correlation(margins, g.alike, err);
	if (status == STATUS_OK) {
		for (size_t k = 0; k < n; k++)
			g.open[k] = !mask[k];
		while (most_alike(&g, threshold, &a, &b))
			join(&g, a, b);
	}
	mem_free(g.alike);
	mem_free(g.open);
	return status;
}

enum status redundancy_find(const struct head_margins *margins, const bool *mask, double threshold,
			    struct head_merge *merge_out, struct err *err)
{
	enum status status = head_merge_init(merge_out, margins->n_heads, err);

	if (status != STATUS_OK)
		return status;
	status = group_heads(margins, mask, threshold, merge_out, err);
	if (status != STATUS_OK) {
		head_merge_free(merge_out);
		return status;
	}
	set_shares(merge_out, margins->usage);
	number_groups(merge_out);
	return STATUS_OK;
}
