/* SPDX-License-Identifier: Apache-2.0 */
#include "core/report/results_table.h"

#include <stdbool.h>

#include "core/report/figure.h"
#include "core/report/measure.h"
#include "core/report/page_summary.h"
#include "core/report/svg.h"
#include "core/report/text.h"

/* From the left, what decides first. */
enum column_kind { COLUMN_FEEDBACK, COLUMN_CONTEXTS, COLUMN_OVERALL, N_COLUMN_KINDS };

static bool has_column(const struct comparison *comparison, enum column_kind kind)
{
	if (kind == COLUMN_FEEDBACK)
		return comparison->n_shots > 0;
	if (kind == COLUMN_CONTEXTS) {
		for (size_t r = 0; r < comparison->n_results; r++) {
			if (comparison->results[r].contexts != NULL)
				return true;
		}
		return false;
	}
	return true;
}

/* NULL: this method has no such score. */
static const struct compare_score *score_of(const struct comparison *comparison,
					    const struct compare_result *result,
					    enum column_kind kind)
{
	if (kind == COLUMN_OVERALL)
		return &result->overall;
	if (kind == COLUMN_FEEDBACK)
		return page_summary_score(comparison, result);
	return result->contexts != NULL ? &result->context_mean : NULL;
}

/* Of several methods, one that none is better than. */
static bool is_best(const struct comparison *comparison, enum column_kind kind,
		    enum measure measure, const struct compare_score *score)
{
	for (size_t r = 0; r < comparison->n_results; r++) {
		const struct compare_score *other =
		    score_of(comparison, &comparison->results[r], kind);

		if (other != NULL && measure_is_better(measure, measure_of(measure, other).mean,
						       measure_of(measure, score).mean))
			return false;
	}
	return comparison->n_results > 1;
}

static void print_score(const struct comparison *comparison, enum column_kind kind,
			enum measure measure, const struct compare_score *score, FILE *out)
{
	struct spread spread;

	if (score == NULL) {
		fputs("<td>\u2013</td>", out);
		return;
	}
	spread = measure_of(measure, score);
	if (is_best(comparison, kind, measure, score)) {
		fputs("<td class=\"best\"><span class=\"star\" role=\"img\" "
		      "aria-label=\"best\">\u2605</span> ",
		      out);
	} else {
		fputs("<td>", out);
	}
	measure_print_spread(out, measure, &spread, comparison->n_seeds);
	fputs("</td>", out);
}

static void print_column_group(const struct comparison *comparison, enum column_kind kind,
			       FILE *out)
{
	fputs("<th scope=\"colgroup\" colspan=\"2\">", out);
	switch (kind) {
	case COLUMN_FEEDBACK:
		fprintf(out, "after %zu feedback%s", comparison->shots[comparison->n_shots - 1],
			comparison->shots[comparison->n_shots - 1] == 1 ? "" : "s");
		break;
	case COLUMN_CONTEXTS:
		fputs("mean of contexts", out);
		break;
	default:
		fputs("all pairs, no feedback", out);
	}
	fputs("</th>", out);
}

static void print_head(const struct comparison *comparison, FILE *out)
{
	fputs("<thead><tr><th scope=\"col\" rowspan=\"2\">method</th>"
	      "<th scope=\"col\" rowspan=\"2\" class=\"n\">heads</th>",
	      out);
	for (enum column_kind kind = 0; kind < N_COLUMN_KINDS; kind++) {
		if (has_column(comparison, kind))
			print_column_group(comparison, kind, out);
	}
	fputs("<th scope=\"col\" rowspan=\"2\" class=\"n\">training, s</th></tr>\n<tr>", out);
	for (enum column_kind kind = 0; kind < N_COLUMN_KINDS; kind++) {
		if (has_column(comparison, kind))
			fputs("<th scope=\"col\" class=\"n\">accuracy, %</th>"
			      "<th scope=\"col\" class=\"n\">NLL</th>",
			      out);
	}
	fputs("</tr></thead>\n", out);
}

/* A method's sign in the charts. */
static void print_sign(size_t series, FILE *out)
{
	fprintf(out,
		"<svg class=\"sign\" viewBox=\"-15 -7 30 14\" role=\"img\" "
		"aria-label=\"sign %zu\"><path class=\"curve s%zu\" stroke-dasharray=\"%s\" "
		"d=\"M-15 0H15\"/>",
		series + 1, series % SVG_N_SERIES, svg_dashes(series));
	svg_marker(out, series, 0, 0);
	fputs("</svg>", out);
}

static void print_row(const struct comparison *comparison, size_t r, FILE *out)
{
	const struct compare_result *result = &comparison->results[r];

	fputs("<tr><th scope=\"row\"><span class=\"signed\">", out);
	print_sign(r, out);
	fputs("<bdi>", out);
	text_print(out, result->name);
	fprintf(out, "</bdi></span></th><td>%zu</td>", result->n_heads);
	for (enum column_kind kind = 0; kind < N_COLUMN_KINDS; kind++) {
		const struct compare_score *score = score_of(comparison, result, kind);

		if (!has_column(comparison, kind))
			continue;
		print_score(comparison, kind, MEASURE_ACCURACY, score, out);
		print_score(comparison, kind, MEASURE_NLL, score, out);
	}
	fputs("<td>", out);
	measure_print_fixed(out, result->seconds.mean, 1);
	fputs("</td></tr>\n", out);
}

void results_table_methods(const struct comparison *comparison, FILE *out)
{
	fputs("<dl class=\"methods\">\n", out);
	for (size_t r = 0; r < comparison->n_results; r++) {
		const struct compare_result *result = &comparison->results[r];

		fputs("<div><dt class=\"signed\">", out);
		print_sign(r, out);
		fputs("<bdi>", out);
		text_print(out, result->name);
		fputs("</bdi></dt><dd>", out);
		text_print(out, result->description);
		fputs(" <span class=\"how\">objective ", out);
		text_print(out, result->objective);
		fputs(", adapt ", out);
		text_print(out, result->adapt);
		fputs("</span></dd></div>\n", out);
	}
	fputs("</dl>\n", out);
}

void results_table_write(const struct comparison *comparison, FILE *out)
{
	figure_scroll_begin(out, "Results");
	print_head(comparison, out);
	for (size_t r = 0; r < comparison->n_results; r++)
		print_row(comparison, r, out);
	figure_scroll_end(out);
	fputs("<p class=\"note\">", out);
	if (comparison->n_results > 1)
		fputs("\u2605 the best of its column. ", out);
	if (comparison->n_seeds > 1)
		fprintf(out, "\u00b1 one standard deviation over %zu seeds. ", comparison->n_seeds);
	fputs("NLL: negative log-likelihood in nats a pair, lower is better; 0.693 is guessing.",
	      out);
	fputs("</p>\n", out);
}
