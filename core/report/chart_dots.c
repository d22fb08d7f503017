/* SPDX-License-Identifier: Apache-2.0 */
#include "core/report/chart_dots.h"

#include <math.h>
#include <stdbool.h>

#include "core/base/mem.h"
#include "core/report/figure.h"
#include "core/report/scale.h"
#include "core/report/svg.h"
#include "core/report/text.h"

#define NAMES	    128.0 /* of contexts; if one is longer, all stand above their rows */
#define NAME_HEIGHT 19.0
#define LEGEND_NAME 110.0 /* and for those of methods */
#define LEGEND_ROW  19.0
#define ROW	    20.0
#define TICK	    40.0 /* between two of the axis */

struct dots {
	const struct comparison *comparison;
	enum measure measure;
	size_t *order; /* [n_contexts], the best first */
	struct ticks ticks;
	struct scale x;
	bool names_above;
	double left, top, row_height, bottom;
};

static double value(const struct dots *dots, const struct compare_result *result, size_t context)
{
	return measure_of(dots->measure, &result->contexts[context]).mean;
}

/* Which method is best in a context; of equals the first. */
static const struct compare_result *best_of(const struct dots *dots, size_t context)
{
	const struct compare_result *best = NULL;

	for (size_t r = 0; r < dots->comparison->n_results; r++) {
		const struct compare_result *result = &dots->comparison->results[r];

		if (result->contexts == NULL)
			continue;
		if (best == NULL || measure_is_better(dots->measure, value(dots, result, context),
						      value(dots, best, context)))
			best = result;
	}
	return best;
}

static void sort_contexts(const struct dots *dots)
{
	for (size_t c = 0; c < dots->comparison->n_contexts; c++) {
		double score = value(dots, best_of(dots, c), c);
		size_t i = c;

		for (; i > 0; i--) {
			size_t before = dots->order[i - 1];

			if (!measure_is_better(dots->measure, score,
					       value(dots, best_of(dots, before), before)))
				break;
			dots->order[i] = before;
		}
		dots->order[i] = c;
	}
}

/* The least and the greatest of a context, in the unit shown. */
static void range_of(const struct dots *dots, size_t context, double *low, double *high)
{
	*low = INFINITY;
	*high = -INFINITY;
	for (size_t r = 0; r < dots->comparison->n_results; r++) {
		const struct compare_result *result = &dots->comparison->results[r];
		double shown;

		if (result->contexts == NULL)
			continue;
		shown = measure_shown(dots->measure, value(dots, result, context));
		*low = fmin(*low, shown);
		*high = fmax(*high, shown);
	}
}

static struct ticks value_ticks(const struct dots *dots, double room)
{
	double low = INFINITY, high = -INFINITY;

	for (size_t c = 0; c < dots->comparison->n_contexts; c++) {
		double least, greatest;

		range_of(dots, c, &least, &greatest);
		low = fmin(low, least);
		high = fmax(high, greatest);
	}
	return ticks_around(low, high, (size_t)fmax(2, floor(room / TICK)));
}

/* The methods' marks, in lines of their own; returns where the plot begins. out NULL: only that. */
static double legend(const struct dots *dots, FILE *out)
{
	double x = 6, y = 14;

	for (size_t r = 0; r < dots->comparison->n_results; r++) {
		const struct compare_result *result = &dots->comparison->results[r];
		double width = 26 + fmin(svg_label_width(result->name), LEGEND_NAME);

		if (result->contexts == NULL)
			continue;
		if (x > 6 && x + width > SVG_WIDTH) {
			x = 6;
			y += LEGEND_ROW;
		}
		if (out != NULL) {
			svg_marker(out, r, x, y - 4);
			svg_label(out, x + 9, y, ANCHOR_START, result->name, LEGEND_NAME);
		}
		x += width;
	}
	return y + 14;
}

static void lay_out(struct dots *dots)
{
	const struct comparison *comparison = dots->comparison;
	double names = 0, numbers = 0;

	for (size_t c = 0; c < comparison->n_contexts; c++) {
		double best = value(dots, best_of(dots, c), c);

		names = fmax(names, svg_label_width(comparison->context_names[c]));
		numbers = fmax(numbers, measure_width(dots->measure, best));
	}
	dots->names_above = names > NAMES;
	dots->left = dots->names_above ? 4 : names + 10;
	dots->row_height = ROW + (dots->names_above ? NAME_HEIGHT : 0);
	dots->top = legend(dots, NULL);
	dots->bottom = dots->top + dots->row_height * (double)comparison->n_contexts;
	dots->ticks = value_ticks(dots, SVG_WIDTH - dots->left - numbers - 22);
	dots->x =
	    (struct scale){ticks_at(&dots->ticks, 0), ticks_at(&dots->ticks, dots->ticks.n - 1),
			   dots->left + 8, SVG_WIDTH - numbers - 14, false};
}

static void draw_axis(const struct dots *dots, FILE *out)
{
	for (size_t i = 0; i < dots->ticks.n; i++) {
		double tick = ticks_at(&dots->ticks, i), x = scale_place(&dots->x, tick);

		svg_line(out, "grid", x, dots->top, x, dots->bottom);
		svg_text_begin(out, "tick", x, dots->bottom + 16, ANCHOR_MIDDLE);
		measure_print_fixed(out, tick, dots->ticks.decimals);
		svg_text_end(out);
	}
	svg_text_begin(out, "axis", (dots->x.from + dots->x.to) / 2, dots->bottom + 34,
		       ANCHOR_MIDDLE);
	fputs(measure_title(dots->measure), out);
	svg_text_end(out);
}

static void draw_dot(const struct dots *dots, size_t r, size_t context, double y, FILE *out)
{
	const struct compare_result *result = &dots->comparison->results[r];
	struct spread spread;
	double x;

	if (result->contexts == NULL)
		return;
	spread = measure_of(dots->measure, &result->contexts[context]);
	x = scale_place(&dots->x, measure_shown(dots->measure, spread.mean));
	fputs("<g>", out);
	svg_title_begin(out);
	text_print_cut(out, result->name, 40);
	fputs(", ", out);
	text_print_cut(out, dots->comparison->context_names[context], 40);
	fputs(": ", out);
	measure_print_spread(out, dots->measure, &spread, dots->comparison->n_seeds);
	svg_title_end(out);
	svg_marker(out, r, x, y);
	fputs("</g>\n", out);
}

/* The best dot comes last, above the others. */
static void draw_row(const struct dots *dots, size_t row, FILE *out)
{
	size_t context = dots->order[row];
	const struct compare_result *best = best_of(dots, context);
	size_t b = (size_t)(best - dots->comparison->results);
	double top = dots->top + dots->row_height * (double)row;
	double y = top + dots->row_height - ROW / 2, low, high;
	const char *name = dots->comparison->context_names[context];

	range_of(dots, context, &low, &high);
	if (dots->names_above)
		svg_label(out, dots->left, top + NAME_HEIGHT - 4, ANCHOR_START, name,
			  SVG_WIDTH - dots->left - 4);
	else
		svg_label(out, dots->left - 4, y + 4, ANCHOR_END, name, NAMES);
	svg_line(out, "span", scale_place(&dots->x, low), y, scale_place(&dots->x, high), y);
	for (size_t r = 0; r < dots->comparison->n_results; r++) {
		if (r != b)
			draw_dot(dots, r, context, y, out);
	}
	draw_dot(dots, b, context, y, out);
	svg_text_begin(out, "value", SVG_WIDTH - 2, y + 4, ANCHOR_END);
	measure_print(out, dots->measure, value(dots, best, context));
	svg_text_end(out);
}

static void describe(const struct dots *dots, FILE *out)
{
	size_t n = dots->comparison->n_contexts, first = dots->order[0], last = dots->order[n - 1];

	fprintf(out, "%zu contexts; the best method has ", n);
	measure_print(out, dots->measure, value(dots, best_of(dots, first), first));
	fputs(" in ", out);
	text_print_cut(out, dots->comparison->context_names[first], 40);
	fputs(" and ", out);
	measure_print(out, dots->measure, value(dots, best_of(dots, last), last));
	fputs(" in ", out);
	text_print_cut(out, dots->comparison->context_names[last], 40);
	fputc('.', out);
}

static void print_table(const struct dots *dots, const char *title, FILE *out)
{
	const struct comparison *comparison = dots->comparison;

	figure_table_begin(out, title);
	fprintf(out, "<caption>%s</caption>\n<tr><th scope=\"col\">context</th>",
		measure_title(dots->measure));
	for (size_t r = 0; r < comparison->n_results; r++) {
		if (comparison->results[r].contexts != NULL)
			figure_column_name(out, comparison->results[r].name);
	}
	fputs("</tr>\n", out);
	for (size_t row = 0; row < comparison->n_contexts; row++) {
		size_t c = dots->order[row];

		figure_row_name(out, comparison->context_names[c]);
		for (size_t r = 0; r < comparison->n_results; r++) {
			struct spread spread;

			if (comparison->results[r].contexts == NULL)
				continue;
			spread = measure_of(dots->measure, &comparison->results[r].contexts[c]);
			figure_cell(out, dots->measure, &spread, comparison->n_seeds, false);
		}
		fputs("</tr>\n", out);
	}
	figure_table_end(out);
}

enum status chart_dots_write(const struct comparison *comparison, enum measure measure, FILE *out,
			     struct err *err)
{
	const char *title =
	    measure == MEASURE_NLL ? "NLL in each context" : "Accuracy in each context";
	struct dots dots = {.comparison = comparison, .measure = measure};

	dots.order = mem_array(comparison->n_contexts, sizeof(*dots.order));
	if (dots.order == NULL)
		return err_no_memory(err, "the contexts of a chart");
	sort_contexts(&dots);
	lay_out(&dots);
	figure_begin(out, title,
		     "One row a context, one mark a method, by the router alone. The number is the "
		     "best method&#39;s.");
	figure_drawing_begin(out, dots.bottom + 42, title);
	describe(&dots, out);
	figure_drawing_described(out);
	legend(&dots, out);
	draw_axis(&dots, out);
	for (size_t row = 0; row < comparison->n_contexts; row++)
		draw_row(&dots, row, out);
	figure_drawing_end(out);
	print_table(&dots, title, out);
	figure_end(out);
	mem_free(dots.order);
	return STATUS_OK;
}
