/* SPDX-License-Identifier: Apache-2.0 */
/* diagnose_verdict.c - the answer of a diagnosis in plain words */
#include "core/tool/diagnose_report.h"

static const char *of_people(size_t n)
{
	return n == 1 ? "person" : "people";
}

/* "8 feedbacks change accuracy from 0.780 to 0.845 (+0.065, 95 %: +0.060 to +0.070) ..." */
static void say_gain(const struct diagnosis *d, FILE *out)
{
	const struct diagnosis_gain *none = &d->gains[0], *most = &d->gains[d->n_gains - 1];
	const struct estimate *accuracy = &most->accuracy_gain, *saving = &most->nll_saving;

	fprintf(out,
		"%zu feedback%s of a person change%s the accuracy of predictions from %.3f to %.3f "
		"(%+.3f, 95 %%: %+.3f to %+.3f) and the NLL from %.3f to %.3f (saved: %.4f, 95 %%: "
		"%.4f to %.4f)",
		most->shots, most->shots == 1 ? "" : "s", most->shots == 1 ? "s" : "",
		none->accuracy, most->accuracy, accuracy->mean, accuracy->low, accuracy->high,
		none->nll, most->nll, saving->mean, saving->low, saving->high);
}

static void say_disagreement(const struct repeats *repeats, FILE *out)
{
	if (repeats->state == REPEATS_FOUND)
		fprintf(out,
			"two people disagree about %.0f %% of the pairs that several judged, and ",
			100 * repeats->between.mean);
}

static void say_worth_it(const struct diagnose_report *report, FILE *out)
{
	const struct diagnosis *d = &report->diagnosis;

	fputs("Worth it: ", out);
	say_disagreement(&report->repeats, out);
	say_gain(d, out);
	fprintf(out, ". A single model has %.3f and %.3f on the same pairs.", d->single_accuracy,
		d->single_nll);
}

static void say_not_worth_it(const struct diagnose_report *report, FILE *out)
{
	const struct diagnosis *d = &report->diagnosis;

	fputs("Not worth it: ", out);
	say_gain(d, out);
	if (d->reason == REASON_SINGLE)
		fprintf(out,
			", but a single model has %.3f and %.3f on the same pairs without any. "
			"One reward model serves everyone.",
			d->single_accuracy, d->single_nll);
	else
		fprintf(out,
			"; a saving of %.0f %% of the NLL is excluded. One reward model serves "
			"everyone%s.",
			100 * DIAGNOSIS_MATERIAL,
			report->repeats.state == REPEATS_FOUND && report->repeats.between.low > 0
			    ? ": where people disagree, it is not a taste that their feedback shows"
			    : "");
}

/* What can be said of single pairs, where people cannot be asked. */
static void say_pair_evidence(const struct diagnosis *d, FILE *out)
{
	const struct diagnosis_error *e = &d->error;

	if (e->single_excess.low > 0)
		fprintf(
		    out,
		    " Pair by pair, a mixture of %zu heads predicts better than a single model "
		    "(%.4f nats, 95 %%: %.4f to %.4f): several tastes would explain that, and so "
		    "would a single one that is not linear in the vectors.",
		    d->curve[d->mixture].n_heads, e->single_excess.mean, e->single_excess.low,
		    e->single_excess.high);
	else
		fputs(" Pair by pair, a mixture predicts no better than a single model.", out);
}

static void say_cannot_tell(const struct diagnose_report *report, FILE *out)
{
	const struct diagnosis *d = &report->diagnosis;

	switch (d->reason) {
	case REASON_TOO_LITTLE:
		fprintf(
		    out,
		    "Cannot tell: too little data: %zu pairs and %zu %s with several pairs; want "
		    "%d such people to look at people, or %d pairs to look at pairs.",
		    d->n_pairs, d->n_users_many, of_people(d->n_users_many), DIAGNOSIS_MIN_USERS,
		    DIAGNOSIS_MIN_PAIRS);
		return;
	case REASON_NO_USERS:
		fputs("Cannot tell whether personalization is worth it: no users in this data; a "
		      "field \"user\" would tell taste from noise.",
		      out);
		say_pair_evidence(d, out);
		return;
	case REASON_FEW_USERS:
		fprintf(
		    out,
		    "Cannot tell whether personalization is worth it: %zu %s with several pairs, "
		    "want %d.",
		    d->n_users_many, of_people(d->n_users_many), DIAGNOSIS_MIN_USERS);
		say_pair_evidence(d, out);
		return;
	case REASON_FEW_PAIRS:
		fprintf(
		    out,
		    "Cannot tell: fewer than %d of the %zu people measured have a pair to predict "
		    "after a single feedback; want more people or more pairs of each.",
		    DIAGNOSIS_MIN_MEASURED, d->parts[DIAGNOSIS_MEASURE].users);
		return;
	default:
		fputs("Cannot tell: ", out);
		say_gain(d, out);
		fprintf(out,
			". Both no saving and one of %.0f %% of the NLL fit this; %zu %s were "
			"measured, more would tell.",
			100 * DIAGNOSIS_MATERIAL, d->gain_users, of_people(d->gain_users));
	}
}

void diagnose_report_verdict(const struct diagnose_report *report, FILE *out)
{
	switch (report->diagnosis.answer) {
	case ANSWER_WORTH_IT:
		say_worth_it(report, out);
		break;
	case ANSWER_NOT_WORTH_IT:
		say_not_worth_it(report, out);
		break;
	default:
		say_cannot_tell(report, out);
	}
	fputc('\n', out);
}
