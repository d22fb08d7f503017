/* SPDX-License-Identifier: Apache-2.0 */
#include "core/eval/head_scores.h"

#include "core/base/mem.h"
#include "core/math/logmath.h"

static void add_margin(struct head_score *score, double margin)
{
	score->n_pairs++;
	score->nll -= log_sigmoid(margin);
	if (margin > 0)
		score->accuracy += 1;
	else if (margin < 0)
		score->inverted += 1;
	else
		score->accuracy += 0.5;
}

/* From sums to means; a context that no pair has keeps its zeros. */
static void finish(struct head_score *score)
{
	double n = (double)score->n_pairs;

	if (score->n_pairs == 0)
		return;
	score->accuracy /= n;
	score->nll /= n;
	score->inverted /= n;
}

enum status head_scores_init(struct head_scores *scores, const struct head_margins *margins,
			     size_t begin, const struct dataset *dataset, struct err *err)
{
	size_t n_heads = margins->n_heads;
	size_t n_rows = 1 + dataset->n_contexts;

	*scores = (struct head_scores){
	    .n_heads = n_heads,
	    .n_contexts = dataset->n_contexts,
	    .score = mem_array(n_rows, n_heads * sizeof(*scores->score)),
	};
	if (scores->score == NULL)
		return err_no_memory(err, "the heads' scores");
	for (size_t k = 0; k < n_heads; k++) {
		const float *margin = margins->margin + k * margins->n_pairs + begin;

		for (size_t i = 0; i < dataset->n_pairs; i++) {
			uint32_t c = dataset->context[i];

			add_margin(&scores->score[k], (double)margin[i]);
			if (c != DATASET_NONE)
				add_margin(&scores->score[(1 + c) * n_heads + k],
					   (double)margin[i]);
		}
	}
	for (size_t i = 0; i < n_rows * n_heads; i++)
		finish(&scores->score[i]);
	return STATUS_OK;
}

void head_scores_free(struct head_scores *scores)
{
	mem_free(scores->score);
	*scores = (struct head_scores){0};
}

const struct head_score *head_scores_context(const struct head_scores *scores, size_t c)
{
	return scores->score + (1 + c) * scores->n_heads;
}

static bool is_better(const struct head_score *a, const struct head_score *b)
{
	return a->accuracy > b->accuracy || (a->accuracy == b->accuracy && a->nll < b->nll);
}

size_t head_scores_best(const struct head_score *score, const bool *mask, size_t n_heads)
{
	size_t best = n_heads;

	for (size_t k = 0; k < n_heads; k++) {
		if (!mask[k] && (best == n_heads || is_better(&score[k], &score[best])))
			best = k;
	}
	return best;
}
