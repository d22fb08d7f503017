/* SPDX-License-Identifier: Apache-2.0 */
#include "core/eval/tally.h"

void tally_add(struct tally *tally, double log_preference)
{
	const double log_half = -0.69314718055994530942;

	tally->n_pairs++;
	tally->nll -= log_preference;
	if (log_preference > log_half)
		tally->right += 1;
	else if (log_preference == log_half)
		tally->right += 0.5;
}

struct eval_score tally_score(const struct tally *tally)
{
	double n = (double)tally->n_pairs;

	if (tally->n_pairs == 0)
		return (struct eval_score){0};
	return (struct eval_score){
	    .n_pairs = tally->n_pairs,
	    .accuracy = tally->right / n,
	    .nll = tally->nll / n,
	};
}
