/* SPDX-License-Identifier: Apache-2.0 */
#include "core/report/page_summary.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "core/report/measure.h"
#include "core/report/text.h"

#define SINGLE "bt" /* objective of a single Bradley-Terry model */

const struct compare_score *page_summary_score(const struct comparison *comparison,
					       const struct compare_result *result)
{
	return comparison->n_shots > 0 ? &result->shots[comparison->n_shots - 1] : &result->overall;
}

static struct spread reached(const struct comparison *comparison,
			     const struct compare_result *result, enum measure measure)
{
	return measure_of(measure, page_summary_score(comparison, result));
}

/* The best one but for except, which may be NULL; NULL if there is no other. */
static const struct compare_result *best_but(const struct comparison *comparison,
					     enum measure measure,
					     const struct compare_result *except)
{
	const struct compare_result *best = NULL;

	for (size_t r = 0; r < comparison->n_results; r++) {
		const struct compare_result *result = &comparison->results[r];

		if (result != except &&
		    (best == NULL ||
		     measure_is_better(measure, reached(comparison, result, measure).mean,
				       reached(comparison, best, measure).mean)))
			best = result;
	}
	return best;
}

static const struct compare_result *single_model(const struct comparison *comparison)
{
	for (size_t r = 0; r < comparison->n_results; r++) {
		if (strcmp(comparison->results[r].objective, SINGLE) == 0)
			return &comparison->results[r];
	}
	return NULL;
}

static void print_name(const struct compare_result *result, FILE *out)
{
	fputs("<strong><bdi>", out);
	text_print_cut(out, result->name, 30);
	fputs("</bdi></strong>", out);
}

/* "s" of a plural */
static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void print_winner(const struct comparison *comparison, const struct compare_result *best,
			 FILE *out)
{
	struct spread accuracy = reached(comparison, best, MEASURE_ACCURACY);

	if (comparison->n_shots > 0) {
		size_t m = comparison->shots[comparison->n_shots - 1];

		fprintf(out, "After %zu feedback%s of a user, ", m, plural(m));
		print_name(best, out);
		fputs(" is right most often: about ", out);
	} else {
		fputs("Without feedback, ", out);
		print_name(best, out);
		fputs(" is right most often: about ", out);
	}
	measure_print(out, MEASURE_ACCURACY, accuracy.mean);
	fputs(" % of the pairs", out);
	fputs(comparison->n_shots > 0 ? " that follow, with an NLL of " : ", with an NLL of ", out);
	measure_print(out, MEASURE_NLL, reached(comparison, best, MEASURE_NLL).mean);
	fputs(". ", out);
}

/* Whether the bands of one standard deviation around both are apart. */
static bool is_beyond_spread(const struct spread *a, const struct spread *b)
{
	return fabs(a->mean - b->mean) > a->sd + b->sd;
}

/* "84.0 %, 2.1 points less, ..." */
static void print_distance(const struct comparison *comparison, const struct compare_result *best,
			   const struct compare_result *other, FILE *out)
{
	struct spread most = reached(comparison, best, MEASURE_ACCURACY);
	struct spread less = reached(comparison, other, MEASURE_ACCURACY);

	measure_print(out, MEASURE_ACCURACY, less.mean);
	fputs(" %, ", out);
	measure_print(out, MEASURE_ACCURACY, most.mean - less.mean);
	fputs(" points less", out);
	if (comparison->n_seeds < 2)
		fputs(". ", out);
	else if (is_beyond_spread(&most, &less))
		fputs(", which is more than the seeds differ. ", out);
	else
		fputs(", which is no more than the seeds differ: this comparison does not tell "
		      "the two apart. ",
		      out);
}

static void print_others(const struct comparison *comparison, const struct compare_result *best,
			 FILE *out)
{
	const struct compare_result *single = single_model(comparison);
	const struct compare_result *next = best_but(comparison, MEASURE_ACCURACY, best);

	if (best == single && next != NULL)
		fputs("It is a single Bradley\u2013Terry model: on this data, no other method does "
		      "better. ",
		      out);
	if (best != single && single != NULL) {
		fputs("A single Bradley\u2013Terry model (", out);
		print_name(single, out);
		fputs(") reaches ", out);
		print_distance(comparison, best, single, out);
	}
	if (next != NULL && next != single) {
		fputs("The next best, ", out);
		print_name(next, out);
		fputs(", reaches ", out);
		print_distance(comparison, best, next, out);
	}
}

static void print_gain(const struct comparison *comparison, const struct compare_result *best,
		       FILE *out)
{
	double first, last;

	if (comparison->n_shots < 2 || comparison->shots[0] != 0)
		return;
	first = best->shots[0].accuracy.mean;
	last = best->shots[comparison->n_shots - 1].accuracy.mean;
	print_name(best, out);
	fputs(" begins at ", out);
	measure_print(out, MEASURE_ACCURACY, first);
	fputs(" %: a user&#39;s feedback ", out);
	if (last > first) {
		fputs("is worth ", out);
		measure_print(out, MEASURE_ACCURACY, last - first);
		fputs(" points. ", out);
	} else {
		fputs("does not help it here. ", out);
	}
}

void page_summary_write(const struct comparison *comparison, FILE *out)
{
	const struct compare_result *best = best_but(comparison, MEASURE_ACCURACY, NULL);
	const struct compare_result *likeliest = best_but(comparison, MEASURE_NLL, NULL);

	if (best == NULL)
		return;
	fputs("<p class=\"lead\">", out);
	print_winner(comparison, best, out);
	print_others(comparison, best, out);
	if (likeliest != best) {
		fputs("The lowest NLL is that of ", out);
		print_name(likeliest, out);
		fputs(": ", out);
		measure_print(out, MEASURE_NLL, reached(comparison, likeliest, MEASURE_NLL).mean);
		fputs(". ", out);
	}
	print_gain(comparison, best, out);
	if (comparison->n_seeds < 2)
		fputs("There was one seed: how much of a difference is chance is not known.", out);
	fputs("</p>\n", out);
}
