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

enum status head_likeness_init(struct head_likeness *likeness, const struct heads *heads,
			       struct err *err)
{
	size_t n = heads->n_heads;
	double sum = 0;

	*likeness = (struct head_likeness){.n_heads = n};
	likeness->cosine = mem_array(n, n * sizeof(double));
	if (likeness->cosine == NULL)
		return err_no_memory(err, "the similarity of the heads");
	heads_similarity(heads, likeness->cosine);
	for (size_t a = 0; a < n; a++) {
		for (size_t b = a + 1; b < n; b++) {
			double cosine = likeness->cosine[a * n + b];

			sum += cosine;
			insert_pair(likeness, (struct head_pair){a, b, cosine});
		}
	}
	if (likeness->n_pairs > 0) {
		likeness->mean = sum / (double)(n * (n - 1) / 2);
		likeness->max = likeness->pairs[0].cosine;
	}
	return STATUS_OK;
}

void head_likeness_free(struct head_likeness *likeness)
{
	mem_free(likeness->cosine);
	*likeness = (struct head_likeness){0};
}
