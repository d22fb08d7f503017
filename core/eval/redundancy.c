/* SPDX-License-Identifier: Apache-2.0 */
#include "core/eval/redundancy.h"

#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/math/linalg.h"

#define MIN_USAGE 1e-12 /* heads that the router never uses share what they get */

/*
 * The heads that are left, each standing for those merged into it.
 * Invariant: of heads that are left, margin, prediction and correlation are up to date.
 */
struct survivors {
	size_t n_heads;
	size_t n_pairs;
	float *margin;	     /* [n_heads, n_pairs] */
	float *prediction;   /* [n_heads, n_pairs]: 2 p - 1 */
	double *correlation; /* [n_heads, n_heads] */
	double *usage;	     /* [n_heads], of all that are merged */
	bool *left;	     /* [n_heads]: still there, and not masked */
};

static void survivors_free(struct survivors *s)
{
	mem_free(s->margin);
	mem_free(s->prediction);
	mem_free(s->correlation);
	mem_free(s->usage);
	mem_free(s->left);
}

static enum status survivors_init(struct survivors *s, const struct head_margins *margins,
				  const bool *mask, struct err *err)
{
	size_t n = margins->n_heads, n_margins = n * margins->n_pairs;

	*s = (struct survivors){
	    .n_heads = n,
	    .n_pairs = margins->n_pairs,
	    .margin = mem_array(n_margins, sizeof(*s->margin)),
	    .prediction = mem_array(n_margins, sizeof(*s->prediction)),
	    .correlation = mem_array(n, n * sizeof(*s->correlation)),
	    .usage = mem_array(n, sizeof(*s->usage)),
	    .left = mem_array(n, sizeof(*s->left)),
	};
	if (s->margin == NULL || s->prediction == NULL || s->correlation == NULL ||
	    s->usage == NULL || s->left == NULL) {
		survivors_free(s);
		return err_no_memory(err, "a merge of heads");
	}
	memcpy(s->margin, margins->margin, n_margins * sizeof(*s->margin));
	head_margins_predict(s->margin, n_margins, s->prediction);
	for (size_t k = 0; k < n; k++) {
		s->usage[k] = fmax(margins->usage[k], MIN_USAGE);
		s->left[k] = !mask[k];
	}
	return STATUS_OK;
}

/* The correlations of head a with all others. */
static void correlate(struct survivors *s, size_t a)
{
	for (size_t b = 0; b < s->n_heads; b++) {
		double cosine;

		if (b == a || !s->left[b])
			continue;
		cosine = linalg_cosine(s->prediction + a * s->n_pairs,
				       s->prediction + b * s->n_pairs, s->n_pairs);
		s->correlation[a * s->n_heads + b] = cosine;
		s->correlation[b * s->n_heads + a] = cosine;
	}
}

/* The two most alike, a < b; false if no two reach threshold. */
static bool most_alike(const struct survivors *s, double threshold, size_t *a_out, size_t *b_out)
{
	double highest = threshold;
	bool found = false;

	for (size_t a = 0; a < s->n_heads; a++) {
		for (size_t b = a + 1; b < s->n_heads; b++) {
			double value = s->correlation[a * s->n_heads + b];

			if (!s->left[a] || !s->left[b] || !(value >= highest) ||
			    (found && value == highest))
				continue;
			highest = value;
			*a_out = a;
			*b_out = b;
			found = true;
		}
	}
	return found;
}

/* Head b goes into head a: rewards are linear, so margins average as weights do. */
static void absorb(struct survivors *s, size_t a, size_t b)
{
	float *margin = s->margin + a * s->n_pairs;
	const float *other = s->margin + b * s->n_pairs;
	double share = s->usage[a] / (s->usage[a] + s->usage[b]);

	for (size_t i = 0; i < s->n_pairs; i++)
		margin[i] = (float)(share * margin[i] + (1 - share) * other[i]);
	head_margins_predict(margin, s->n_pairs, s->prediction + a * s->n_pairs);
	s->usage[a] += s->usage[b];
	s->left[b] = false;
	correlate(s, a);
}

/* From heads that name the one they went into to groups without holes. */
static void number_groups(struct head_merge *merge)
{
	size_t n = 0;

	/* a head goes into an earlier one, whose new number is known by then */
	for (size_t k = 0; k < merge->n_heads; k++)
		merge->group[k] = merge->group[k] == k ? n++ : merge->group[merge->group[k]];
	merge->n_groups = n;
}

enum status redundancy_find(const struct head_margins *margins, const bool *mask, double threshold,
			    struct head_merge *merge_out, struct err *err)
{
	struct survivors s;
	size_t a = 0, b = 0;
	enum status status = survivors_init(&s, margins, mask, err);

	if (status != STATUS_OK)
		return status;
	status = head_merge_init(merge_out, margins->n_heads, err);
	if (status != STATUS_OK)
		goto err_after_survivors;
	for (size_t k = 0; k < s.n_heads; k++)
		correlate(&s, k);
	while (most_alike(&s, threshold, &a, &b)) {
		absorb(&s, a, b);
		for (size_t k = 0; k < s.n_heads; k++) {
			if (merge_out->group[k] == b)
				merge_out->group[k] = a;
		}
	}
	for (size_t k = 0; k < s.n_heads; k++)
		merge_out->share[k] =
		    fmax(margins->usage[k], MIN_USAGE) / s.usage[merge_out->group[k]];
	number_groups(merge_out);
err_after_survivors:
	survivors_free(&s);
	return status;
}
