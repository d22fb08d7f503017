/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verdict.c - from figures to an answer. s: NLL saved by the most feedbacks that the data
 * allows, with its 95 % interval; M: DIAGNOSIS_MATERIAL of the NLL without feedback.
 *
 *   worth it       s is significant (low > 0) and material (mean >= M), and the single
 *                  model's NLL is beaten significantly as well
 *   not worth it   a material saving is excluded (high < M); or s is significant and
 *                  material, but the single model is not beaten by a material saving (high < M)
 *   cannot tell    otherwise: the interval is too wide for either
 *
 * NLL and not accuracy: it is a proper score, and sharper on the same people.
 */
#include <assert.h>

#include "core/diagnose/diagnosis.h"

size_t diagnosis_supported(const struct diagnosis_point *curve, size_t n, size_t *best_out)
{
	size_t best = 0, supported = 0;

	for (size_t i = 1; i < n; i++) {
		if (curve[i].nll.mean < curve[best].nll.mean)
			best = i;
	}
	while (curve[supported].nll.mean > curve[best].nll.mean + curve[best].nll.se)
		supported++;
	*best_out = best;
	return supported;
}

static enum diagnosis_reason open_reason(const struct diagnosis *d)
{
	if (d->way == DIAGNOSIS_TOO_LITTLE)
		return REASON_TOO_LITTLE;
	if (d->way == DIAGNOSIS_BY_PAIR)
		return d->n_users == 0 ? REASON_NO_USERS : REASON_FEW_USERS;
	return REASON_FEW_PAIRS;
}

static void set(struct diagnosis *d, enum diagnosis_answer answer, enum diagnosis_reason reason)
{
	d->answer = answer;
	d->reason = reason;
}

void diagnosis_conclude(struct diagnosis *d)
{
	const struct estimate *saving, *single = &d->single_saving;
	double material;

	if (d->n_gains == 0) {
		set(d, ANSWER_CANNOT_TELL, open_reason(d));
		return;
	}
	saving = &d->gains[d->n_gains - 1].nll_saving;
	material = DIAGNOSIS_MATERIAL * d->gains[0].nll;
	if (saving->high < material)
		set(d, ANSWER_NOT_WORTH_IT, REASON_NO_SAVING);
	else if (!(saving->low > 0 && saving->mean >= material))
		/* NOLINTNEXTLINE(bugprone-branch-clone): in the order of the questions */
		set(d, ANSWER_CANNOT_TELL, REASON_UNCERTAIN);
	else if (single->low > 0)
		set(d, ANSWER_WORTH_IT, REASON_SAVING);
	else if (single->high < material)
		set(d, ANSWER_NOT_WORTH_IT, REASON_SINGLE);
	else
		set(d, ANSWER_CANNOT_TELL, REASON_UNCERTAIN);
}

const char *diagnosis_answer_name(enum diagnosis_answer answer)
{
	static const char *const names[] = {"worth_it", "not_worth_it", "cannot_tell"};

	assert((unsigned)answer < N_ANSWERS);
	return names[answer];
}

const char *diagnosis_reason_name(enum diagnosis_reason reason)
{
	static const char *const names[] = {
	    [REASON_TOO_LITTLE] = "too_little_data", [REASON_NO_USERS] = "no_users",
	    [REASON_FEW_USERS] = "too_few_users",    [REASON_FEW_PAIRS] = "too_few_pairs_a_user",
	    [REASON_UNCERTAIN] = "uncertain",	     [REASON_NO_SAVING] = "no_material_saving",
	    [REASON_SINGLE] = "single_as_good",	     [REASON_SAVING] = "saving",
	};

	assert((unsigned)reason < N_REASONS);
	return names[reason];
}
