/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/diagnose_report.h"

#include <string.h>

#include "core/tool/table.h"

#define BAR_WIDTH   30
#define MIN_REPEATS 20 /* of one person, to say what part is noise */

static void print_title(const struct terminal *terminal, const char *title)
{
	fprintf(terminal->out, "\n%s%s%s\n", terminal_style(terminal, STYLE_BOLD), title,
		terminal_style(terminal, STYLE_PLAIN));
}

/* ---- pairs that were judged more than once ---- */

static void print_within(const struct repeats *r, FILE *out)
{
	if (r->n_same_person == 0)
		fputs("Nobody judged a pair twice: how much of that is noise, repeats do not tell "
		      "here.\n",
		      out);
	else if (r->n_same_person < MIN_REPEATS)
		fprintf(out,
			"How much of that is noise: only %zu repeat%s of one person, too few to "
			"tell (%.3f to %.3f).\n",
			r->n_same_person, r->n_same_person == 1 ? "" : "s", r->within.low,
			r->within.high);
	else
		fprintf(out,
			"One person, asked again, differs with probability %.3f (%.3f to %.3f; %zu "
			"repeats): that is noise, the rest is taste.\n",
			r->within.mean, r->within.low, r->within.high, r->n_same_person);
}

static void print_found(const struct repeats *r, FILE *out)
{
	fprintf(out,
		"%zu of %zu distinct pairs were judged by several people (%zu judgements), %.1f %% "
		"of them both ways.\n",
		r->n_shared, r->n_distinct, r->n_judgements,
		100 * (double)r->n_both_ways / (double)r->n_shared);
	fprintf(out,
		"Two people disagree about such a pair with probability %.3f (%.3f to %.3f).\n",
		r->between.mean, r->between.low, r->between.high);
	print_within(r, out);
	fprintf(out,
		"No model that is the same for everyone gets below %.3f nats (%.3f to %.3f) on "
		"them.\n",
		r->loss_bound.mean, r->loss_bound.low, r->loss_bound.high);
}

static void print_repeats(const struct repeats *r, const struct terminal *terminal)
{
	print_title(terminal, "Do people disagree about the same pair?");
	switch (r->state) {
	case REPEATS_NO_USERS:
		fputs("No pair has a user: repeated pairs would not tell taste from noise.\n",
		      terminal->out);
		return;
	case REPEATS_NONE:
		fprintf(
		    terminal->out,
		    "None of %zu distinct pairs was judged by two people: nothing to compare.\n",
		    r->n_distinct);
		return;
	default:
		print_found(r, terminal->out);
	}
}

/* ---- the curve over K ---- */

/* As much as the NLL is below the worst one's; the best one's bar is full. */
static void add_bar(struct table *table, const struct diagnosis *d, size_t i)
{
	char bar[BAR_WIDTH + 1];
	double worst = d->curve[0].nll.mean, best = d->curve[d->best].nll.mean;
	size_t filled;

	for (size_t j = 1; j < d->n_curve; j++)
		worst = d->curve[j].nll.mean > worst ? d->curve[j].nll.mean : worst;
	filled = worst > best
		     ? (size_t)(BAR_WIDTH * (worst - d->curve[i].nll.mean) / (worst - best) + 0.5)
		     : 0;
	memset(bar, '.', BAR_WIDTH);
	memset(bar, '#', filled);
	bar[BAR_WIDTH] = '\0';
	table_add(table, "%s", bar);
}

static enum status print_curve(const struct diagnosis *d, const struct terminal *terminal,
			       struct err *err)
{
	static const struct table_column columns[] = {
	    {"heads", ALIGN_RIGHT},
	    {"held-out NLL", ALIGN_RIGHT},
	    {"standard error", ALIGN_RIGHT},
	    {"below the worst", ALIGN_LEFT},
	};
	struct table table;
	enum status status;

	print_title(terminal, "How many subpopulations does the likelihood support?");
	table_init(&table, columns, terminal->interactive ? 4 : 3);
	for (size_t i = 0; i < d->n_curve; i++) {
		table_add(&table, "%zu", d->curve[i].n_heads);
		table_add(&table, "%.4f", d->curve[i].nll.mean);
		table_add(&table, "%.4f", d->curve[i].nll.se);
		if (terminal->interactive)
			add_bar(&table, d, i);
	}
	status = table_print(&table, terminal, err);
	table_free(&table);
	if (status == STATUS_OK)
		fprintf(terminal->out,
			"%zu: the fewest heads within one standard error of the best (%zu)%s.\n",
			d->curve[d->supported].n_heads, d->curve[d->best].n_heads,
			d->supported + 1 == d->n_curve ? "; more were not tried" : "");
	return status;
}

/* ---- Theorem 3.2's terms ---- */

static void add_estimate(struct table *table, const char *name, const struct estimate *e)
{
	table_add(table, "%s", name);
	table_add(table, "%.4f", e->mean);
	table_add(table, "%.4f to %.4f", e->low, e->high);
}

static enum status print_error(const struct diagnosis *d, const struct terminal *terminal,
			       struct err *err)
{
	static const struct table_column columns[] = {
	    {"nats a pair", ALIGN_LEFT}, {"mean", ALIGN_RIGHT}, {"95 %", ALIGN_RIGHT}};
	const struct diagnosis_error *e = &d->error;
	struct estimate twice = e->variance;
	struct table table;
	enum status status;

	twice.mean *= 2;
	twice.low *= 2;
	twice.high *= 2;
	print_title(terminal, "What can no single model get below?");
	fprintf(terminal->out,
		"The terms of MiCRo's Theorem 3.2, estimated by a mixture of %zu heads on %s it "
		"has not seen, as good as it is; what it "
		"does not explain counts as noise.\n",
		d->curve[d->mixture].n_heads, d->way == DIAGNOSIS_BY_USER ? "people" : "pairs");
	table_init(&table, columns, 3);
	add_estimate(&table, "noise within subpopulations", &e->noise);
	add_estimate(&table, "2 x variance between them", &twice);
	add_estimate(&table, "lower bound: their sum", &e->bound);
	add_estimate(&table, "entropy of the mixture's predictions", &e->entropy);
	add_estimate(&table, "reached: mixture without feedback", &e->mixture_nll);
	add_estimate(&table, "reached: single model", &e->single_nll);
	add_estimate(&table, "knowing the subpopulation would save", &e->disagreement);
	status = table_print(&table, terminal, err);
	table_free(&table);
	return status;
}

/* ---- feedback ---- */

static void add_gain(struct table *table, const struct diagnosis_gain *gain)
{
	const struct estimate *accuracy = &gain->accuracy_gain, *saving = &gain->nll_saving;

	table_add(table, "%zu", gain->shots);
	table_add(table, "%.4f", gain->accuracy);
	if (gain->shots == 0)
		table_add(table, " ");
	else
		table_add(table, "%+.4f (%+.4f to %+.4f)", accuracy->mean, accuracy->low,
			  accuracy->high);
	table_add(table, "%.4f", gain->nll);
	if (gain->shots == 0)
		table_add(table, " ");
	else
		table_add(table, "%.4f (%.4f to %.4f)", saving->mean, saving->low, saving->high);
}

static enum status print_gains(const struct diagnosis *d, const struct terminal *terminal,
			       struct err *err)
{
	static const struct table_column columns[] = {
	    {"feedbacks", ALIGN_RIGHT},	    {"accuracy", ALIGN_RIGHT},
	    {"gained (95 %)", ALIGN_RIGHT}, {"NLL", ALIGN_RIGHT},
	    {"saved (95 %)", ALIGN_RIGHT},
	};
	struct table table;
	enum status status;

	print_title(terminal, "What would feedback bring?");
	table_init(&table, columns, 5);
	for (size_t j = 0; j < d->n_gains; j++)
		add_gain(&table, &d->gains[j]);
	table_add(&table, "single model");
	table_add(&table, "%.4f", d->single_accuracy);
	table_add(&table, " ");
	table_add(&table, "%.4f", d->single_nll);
	table_add(&table, " ");
	status = table_print(&table, terminal, err);
	table_free(&table);
	if (status == STATUS_OK)
		fprintf(terminal->out,
			"%zu people, their pairs after the first %zu; %zu have too few pairs.\n",
			d->gain_users, d->gains[d->n_gains - 1].shots, d->gain_left_out);
	return status;
}

/* ---- the whole ---- */

static void print_size(const struct diagnosis *d, enum diagnosis_part part, const char *what,
		       FILE *out)
{
	const struct diagnosis_size *size = &d->parts[part];

	if (d->way == DIAGNOSIS_BY_USER)
		fprintf(out, "%s %zu users (%zu pairs)", what, size->users, size->pairs);
	else
		fprintf(out, "%s %zu pairs", what, size->pairs);
}

static void print_parts(const struct diagnose_report *report, FILE *out)
{
	const struct diagnosis *d = &report->diagnosis;

	fprintf(out, "%s: %zu pairs, %zu users; encoder %s\n", report->data, d->n_pairs, d->n_users,
		report->encoder);
	if (d->way == DIAGNOSIS_TOO_LITTLE)
		return;
	print_size(d, DIAGNOSIS_FIT, "fitted on", out);
	print_size(d, DIAGNOSIS_CHOOSE, ", chosen by", out);
	print_size(d, DIAGNOSIS_MEASURE, ", measured on", out);
	fputs(d->sampled ? "; a sample of the data\n" : "\n", out);
}

enum status diagnose_report_text(const struct diagnose_report *report,
				 const struct terminal *terminal, struct err *err)
{
	const struct diagnosis *d = &report->diagnosis;
	enum status status = STATUS_OK;

	print_parts(report, terminal->out);
	print_repeats(&report->repeats, terminal);
	if (d->n_curve > 0) {
		status = print_error(d, terminal, err);
		if (status == STATUS_OK)
			status = print_curve(d, terminal, err);
	}
	if (status == STATUS_OK && d->n_gains > 0)
		status = print_gains(d, terminal, err);
	if (status != STATUS_OK)
		return status;
	print_title(terminal, "Is it worth it?");
	diagnose_report_verdict(report, terminal->out);
	return STATUS_OK;
}
