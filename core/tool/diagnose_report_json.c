/* SPDX-License-Identifier: Apache-2.0 */
/* diagnose_report_json.c - a diagnosis for machines (schema/diagnosis.md); NULL anywhere: no memory
 */
#include "core/tool/diagnose_report.h"
#include "core/tool/json_line.h"

/* -0 is 0 */
static double positive_zero(double x)
{
	return x == 0 ? 0 : x;
}

static json_t *estimate_json(const struct estimate *e)
{
	return json_pack("{s:f, s:f, s:f, s:f}", "mean", positive_zero(e->mean), "se",
			 positive_zero(e->se), "low", positive_zero(e->low), "high",
			 positive_zero(e->high));
}

/* null where there was nothing to estimate from */
static json_t *estimate_or_null(const struct estimate *e)
{
	return e->n_clusters == 0 ? json_null() : estimate_json(e);
}

static json_t *repeats_json(const struct repeats *r)
{
	static const char *const states[] = {"no_users", "none", "found"};

	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "state",
			 states[r->state], "n_distinct", (json_int_t)r->n_distinct, "n_shared",
			 (json_int_t)r->n_shared, "n_judgements", (json_int_t)r->n_judgements,
			 "n_both_ways", (json_int_t)r->n_both_ways, "n_ties", (json_int_t)r->n_ties,
			 "n_same_person", (json_int_t)r->n_same_person, "between",
			 estimate_or_null(&r->between), "within", estimate_or_null(&r->within),
			 "loss_bound", estimate_or_null(&r->loss_bound));
}

static json_t *size_json(const struct diagnosis_size *size)
{
	return json_pack("{s:I, s:I}", "users", (json_int_t)size->users, "pairs",
			 (json_int_t)size->pairs);
}

static json_t *split_json(const struct diagnosis *d)
{
	static const char *const ways[] = {"user", "pair"};

	if (d->way == DIAGNOSIS_TOO_LITTLE)
		return json_null();
	return json_pack("{s:s, s:b, s:o, s:o, s:o}", "by", ways[d->way], "sampled", d->sampled,
			 "fit", size_json(&d->parts[DIAGNOSIS_FIT]), "choose",
			 size_json(&d->parts[DIAGNOSIS_CHOOSE]), "measure",
			 size_json(&d->parts[DIAGNOSIS_MEASURE]));
}

static json_t *curve_json(const struct diagnosis *d)
{
	json_t *curve = json_array();

	for (size_t i = 0; i < d->n_curve; i++)
		json_line_append(&curve,
				 json_pack("{s:I, s:o}", "heads", (json_int_t)d->curve[i].n_heads,
					   "nll", estimate_json(&d->curve[i].nll)));
	return curve;
}

static json_t *subpopulations_json(const struct diagnosis *d)
{
	if (d->n_curve == 0)
		return json_null();
	return json_pack("{s:I, s:I, s:o}", "supported", (json_int_t)d->curve[d->supported].n_heads,
			 "best", (json_int_t)d->curve[d->best].n_heads, "curve", curve_json(d));
}

static json_t *error_json(const struct diagnosis *d)
{
	const struct diagnosis_error *e = &d->error;

	if (d->n_curve == 0)
		return json_null();
	return json_pack(
	    "{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "heads",
	    (json_int_t)d->curve[d->mixture].n_heads, "noise", estimate_json(&e->noise), "variance",
	    estimate_json(&e->variance), "bound", estimate_json(&e->bound), "entropy",
	    estimate_json(&e->entropy), "disagreement", estimate_json(&e->disagreement),
	    "single_nll", estimate_json(&e->single_nll), "mixture_nll",
	    estimate_json(&e->mixture_nll), "miscalibration", estimate_json(&e->miscalibration),
	    "single_excess", estimate_json(&e->single_excess));
}

static json_t *shots_json(const struct diagnosis *d)
{
	json_t *shots = json_array();

	for (size_t j = 0; j < d->n_gains; j++) {
		const struct diagnosis_gain *gain = &d->gains[j];

		json_line_append(
		    &shots, json_pack("{s:I, s:f, s:f, s:o, s:o}", "shots", (json_int_t)gain->shots,
				      "accuracy", gain->accuracy, "nll", gain->nll, "accuracy_gain",
				      estimate_json(&gain->accuracy_gain), "nll_saving",
				      estimate_json(&gain->nll_saving)));
	}
	return shots;
}

static json_t *feedback_json(const struct diagnosis *d)
{
	if (d->n_gains == 0)
		return json_null();
	return json_pack("{s:I, s:I, s:o, s:{s:f, s:f, s:o}}", "users", (json_int_t)d->gain_users,
			 "users_left_out", (json_int_t)d->gain_left_out, "shots", shots_json(d),
			 "single", "accuracy", d->single_accuracy, "nll", d->single_nll,
			 "nll_saving", estimate_json(&d->single_saving));
}

enum status diagnose_report_json(const struct diagnose_report *report, FILE *out, struct err *err)
{
	const struct diagnosis *d = &report->diagnosis;

	return json_line_print(
	    json_pack("{s:I, s:I, s:I, s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:{s:s, s:s}}", "n_pairs",
		      (json_int_t)d->n_pairs, "n_users", (json_int_t)d->n_users, "n_users_many",
		      (json_int_t)d->n_users_many, "seed", (json_int_t)report->seed, "encoder",
		      report->encoder, "repeats", repeats_json(&report->repeats), "split",
		      split_json(d), "subpopulations", subpopulations_json(d), "single_model",
		      error_json(d), "feedback", feedback_json(d), "verdict", "answer",
		      diagnosis_answer_name(d->answer), "reason", diagnosis_reason_name(d->reason)),
	    out, err);
}
