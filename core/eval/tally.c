/* SPDX-License-Identifier: Apache-2.0 */
#include "core/eval/tally.h"

#include <math.h>

void tally_add(struct tally *tally, double log_preference)
{
	double lead = log_preference + M_LN2; /* log of P over 1/2 */

	tally->n_pairs++;
	tally->nll -= log_preference;
	if (lead > TALLY_TIE)
		tally->right += 1;
	else if (lead >= -TALLY_TIE)
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
