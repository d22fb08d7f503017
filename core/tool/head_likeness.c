/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/head_likeness.h"

#include "core/base/mem.h"

/* Into the list of the most alike, if it belongs there; of equals the first stays first. */
static void insert_pair(struct head_likeness *likeness, struct head_pair pair)
{
	size_t i = likeness->n_pairs;

	while (i > 0 && pair.cosine > likeness->pairs[i - 1].cosine) {
		if (i < LIKENESS_MAX_PAIRS)
			likeness->pairs[i] = likeness->pairs[i - 1];
		i--;
	}
	if (i < LIKENESS_MAX_PAIRS)
		likeness->pairs[i] = pair;
	if (likeness->n_pairs < LIKENESS_MAX_PAIRS)
		likeness->n_pairs++;
}

void head_likeness_of(struct head_likeness *likeness, size_t n_heads, double *cosine)
{
	double sum = 0;

	*likeness = (struct head_likeness){.n_heads = n_heads, .cosine = cosine};
	for (size_t a = 0; a < n_heads; a++) {
		for (size_t b = a + 1; b < n_heads; b++) {
			double value = cosine[a * n_heads + b];

			sum += value;
			insert_pair(likeness, (struct head_pair){a, b, value});
		}
	}
	if (likeness->n_pairs > 0) {
		likeness->mean = 2 * sum / (double)(n_heads * (n_heads - 1));
		likeness->max = likeness->pairs[0].cosine;
	}
}

enum status head_likeness_init(struct head_likeness *likeness, const struct heads *heads,
			       struct err *err)
{
	double *cosine = mem_array(heads->n_heads, heads->n_heads * sizeof(*cosine));

	*likeness = (struct head_likeness){0};
	if (cosine == NULL)
		return err_no_memory(err, "the similarity of the heads");
	heads_similarity(heads, cosine);
	head_likeness_of(likeness, heads->n_heads, cosine);
	return STATUS_OK;
}

void head_likeness_free(struct head_likeness *likeness)
{
	mem_free(likeness->cosine);
	*likeness = (struct head_likeness){0};
}
