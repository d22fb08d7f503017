/* SPDX-License-Identifier: Apache-2.0 */
#include "core/report/chart_lines.h"

#include <math.h>

#include "core/base/mem.h"
#include "core/report/figure.h"
#include "core/report/scale.h"
#include "core/report/svg.h"
#include "core/report/text.h"

#define TOP	   26.0
#define BELOW	   44.0 /* the plot: ticks and title */
#define PLOT	   210.0
#define LABEL_GAP  15.0
#define LABEL_ROOM 104.0
#define MARK	   9.0 /* from a label's marker to its number */

/* Where everything of one drawing lies. */
struct layout {
	struct ticks ticks;
	struct scale x, y;
	double height, left;
	double label_x, name_x; /* of the labels at the lines' ends: marker, number; name */
};

/* The end of a line, by its height. */
struct end_label {
	const struct chart_line *line;
	double wanted;
};

static struct spread shown(const struct line_chart *chart, const struct chart_line *line,
			   size_t point)
{
	struct spread spread = measure_of(chart->measure, &line->y[point]);

	return (struct spread){measure_shown(chart->measure, spread.mean),
			       measure_shown(chart->measure, spread.sd)};
}

static struct ticks value_ticks(const struct line_chart *chart)
{
	double low = INFINITY, high = -INFINITY;

	for (size_t l = 0; l < chart->n_lines; l++) {
		for (size_t i = 0; i < chart->n_points; i++) {
			struct spread y = shown(chart, &chart->lines[l], i);

			low = fmin(low, y.mean - y.sd);
			high = fmax(high, y.mean + y.sd);
		}
	}
	return ticks_around(low, high, 8);
}

/* How much room the names and the numbers at the lines' ends take. */
static void measure_labels(const struct line_chart *chart, double *names, double *numbers)
{
	*names = *numbers = 0;
	for (size_t l = 0; l < chart->n_lines; l++) {
		const struct chart_line *line = &chart->lines[l];
		struct spread last = measure_of(chart->measure, &line->y[chart->n_points - 1]);

		*names = fmax(*names, svg_label_width(line->name));
		*numbers = fmax(*numbers, measure_width(chart->measure, last.mean));
	}
	*names = fmin(*names, LABEL_ROOM);
}

static struct layout lay_out(const struct line_chart *chart)
{
	double first = (double)chart->x[0], last = (double)chart->x[chart->n_points - 1];
	double plot = fmax(PLOT, (double)chart->n_lines * LABEL_GAP), low, high, names, numbers;
	struct layout layout = {.ticks = value_ticks(chart), .height = TOP + plot + BELOW};

	low = ticks_at(&layout.ticks, 0);
	high = ticks_at(&layout.ticks, layout.ticks.n - 1);
	measure_labels(chart, &names, &numbers);
	layout.name_x = SVG_WIDTH - names - 2;
	layout.label_x = layout.name_x - 5 - numbers - MARK;
	layout.left = 10 + fmax(svg_number_width(low, layout.ticks.decimals),
				svg_number_width(high, layout.ticks.decimals));
	layout.x =
	    (struct scale){first, last, layout.left + 8, layout.label_x - 16, last > 4 * first};
	layout.y = (struct scale){low, high, TOP + plot, TOP, false};
	return layout;
}

static void draw_value_axis(const struct line_chart *chart, const struct layout *layout, FILE *out)
{
	svg_text_begin(out, "axis", 2, 12, ANCHOR_START);
	fputs(measure_title(chart->measure), out);
	svg_text_end(out);
	for (size_t i = 0; i < layout->ticks.n; i++) {
		double value = ticks_at(&layout->ticks, i), y = scale_place(&layout->y, value);

		svg_line(out, "grid", layout->left, y, layout->label_x - 8, y);
		svg_text_begin(out, "tick", layout->left - 6, y + 4, ANCHOR_END);
		measure_print_fixed(out, value, layout->ticks.decimals);
		svg_text_end(out);
	}
}

static double tick_width(size_t x)
{
	return svg_number_width((double)x, 0) + 6;
}

/* Every measured x has a tick; its number is there where it has room, at the last one always. */
static void draw_x_axis(const struct line_chart *chart, const struct layout *layout, FILE *out)
{
	size_t last = chart->n_points - 1;
	double end =
	    scale_place(&layout->x, (double)chart->x[last]) - tick_width(chart->x[last]) / 2;
	double taken = 0, bottom = layout->y.from;

	for (size_t i = 0; i <= last; i++) {
		double x = scale_place(&layout->x, (double)chart->x[i]);
		double half = tick_width(chart->x[i]) / 2;

		svg_line(out, "rule", x, bottom, x, bottom + 4);
		if (i < last && (x - half < taken || x + half > end))
			continue;
		svg_text_begin(out, "tick", x, bottom + 17, ANCHOR_MIDDLE);
		fprintf(out, "%zu", chart->x[i]);
		svg_text_end(out);
		taken = x + half;
	}
	svg_line(out, "rule", layout->left, bottom, layout->label_x - 8, bottom);
	svg_text_begin(out, "axis", (layout->x.from + layout->x.to) / 2, bottom + 36,
		       ANCHOR_MIDDLE);
	fprintf(out, "%s%s", chart->x_title, layout->x.is_log ? ", log scale" : "");
	svg_text_end(out);
}

static void point(const struct line_chart *chart, const struct layout *layout,
		  const struct chart_line *line, size_t i, double sds, FILE *out)
{
	struct spread y = shown(chart, line, i);

	fprintf(out, "%.1f,%.1f ", scale_place(&layout->x, (double)chart->x[i]),
		scale_place(&layout->y, y.mean + sds * y.sd));
}

static void draw_band(const struct line_chart *chart, const struct layout *layout,
		      const struct chart_line *line, FILE *out)
{
	if (chart->n_seeds < 2 || chart->n_points < 2)
		return;
	fprintf(out, "<polygon class=\"band s%zu\" points=\"", line->series % SVG_N_SERIES);
	for (size_t i = 0; i < chart->n_points; i++)
		point(chart, layout, line, i, 1, out);
	for (size_t i = chart->n_points; i > 0; i--)
		point(chart, layout, line, i - 1, -1, out);
	fputs("\"/>\n", out);
}

static void draw_curve(const struct line_chart *chart, const struct layout *layout,
		       const struct chart_line *line, FILE *out)
{
	fprintf(out, "<polyline class=\"curve s%zu\" stroke-dasharray=\"%s\" points=\"",
		line->series % SVG_N_SERIES, svg_dashes(line->series));
	for (size_t i = 0; i < chart->n_points; i++)
		point(chart, layout, line, i, 0, out);
	fputs("\"/>\n", out);
}

static void draw_point(const struct line_chart *chart, const struct layout *layout,
		       const struct chart_line *line, size_t i, FILE *out)
{
	struct spread spread = measure_of(chart->measure, &line->y[i]);
	double x = scale_place(&layout->x, (double)chart->x[i]);
	double y = scale_place(&layout->y, shown(chart, line, i).mean);

	fputs("<g>", out);
	svg_title_begin(out);
	text_print_cut(out, line->name, 40);
	fprintf(out, ", %s %zu: ", chart->x_title, chart->x[i]);
	measure_print_spread(out, chart->measure, &spread, chart->n_seeds);
	fputs(measure_unit(chart->measure), out);
	svg_title_end(out);
	fprintf(out, "<circle class=\"hit\" cx=\"%.1f\" cy=\"%.1f\" r=\"9\"/>", x, y);
	svg_marker(out, line->series, x, y);
	fputs("</g>\n", out);
}

/* Ascending by place; lines that end together stay in their order. */
static void sort_ends(const struct line_chart *chart, const struct layout *layout,
		      struct end_label *ends)
{
	for (size_t l = 0; l < chart->n_lines; l++) {
		const struct chart_line *line = &chart->lines[l];
		double value = shown(chart, line, chart->n_points - 1).mean;
		struct end_label end = {line, scale_place(&layout->y, value)};
		size_t i = l;

		for (; i > 0 && ends[i - 1].wanted > end.wanted; i--)
			ends[i] = ends[i - 1];
		ends[i] = end;
	}
}

static void draw_end(const struct line_chart *chart, const struct layout *layout,
		     const struct end_label *end, double place, FILE *out)
{
	const struct chart_line *line = end->line;
	struct spread last = measure_of(chart->measure, &line->y[chart->n_points - 1]);

	svg_line(out, "leader", layout->x.to + 6, end->wanted, layout->label_x - 6, place);
	svg_marker(out, line->series, layout->label_x, place);
	svg_text_begin(out, "value", layout->label_x + MARK, place + 4, ANCHOR_START);
	measure_print(out, chart->measure, last.mean);
	svg_text_end(out);
	svg_label(out, layout->name_x, place + 4, ANCHOR_START, line->name, LABEL_ROOM);
}

static enum status draw_ends(const struct line_chart *chart, const struct layout *layout, FILE *out,
			     struct err *err)
{
	struct end_label *ends = mem_array(chart->n_lines, sizeof(*ends));
	double *wanted = mem_array(2 * chart->n_lines, sizeof(*wanted)), *places;
	enum status status = STATUS_OK;

	if (ends == NULL || wanted == NULL) {
		status = err_no_memory(err, "the labels of a chart");
		goto out;
	}
	places = wanted + chart->n_lines;
	sort_ends(chart, layout, ends);
	for (size_t l = 0; l < chart->n_lines; l++)
		wanted[l] = ends[l].wanted;
	scale_keep_apart(wanted, chart->n_lines, LABEL_GAP, TOP, layout->y.from, places);
	for (size_t l = 0; l < chart->n_lines; l++)
		draw_end(chart, layout, &ends[l], places[l], out);
out:
	mem_free(ends);
	mem_free(wanted);
	return status;
}

static void describe(const struct line_chart *chart, FILE *out)
{
	size_t last = chart->n_points - 1;

	fprintf(out, "At %s %zu: ", chart->x_title, chart->x[last]);
	for (size_t l = 0; l < chart->n_lines; l++) {
		fputs(l > 0 ? ", " : "", out);
		text_print_cut(out, chart->lines[l].name, 40);
		fputc(' ', out);
		measure_print(out, chart->measure,
			      measure_of(chart->measure, &chart->lines[l].y[last]).mean);
	}
	fputc('.', out);
}

static void print_table(const struct line_chart *chart, FILE *out)
{
	figure_table_begin(out, chart->title);
	fprintf(out, "<caption>%s</caption>\n<tr><th scope=\"col\">%s</th>",
		measure_title(chart->measure), chart->x_title);
	for (size_t i = 0; i < chart->n_points; i++)
		fprintf(out, "<th scope=\"col\" class=\"n\">%zu</th>", chart->x[i]);
	fputs("</tr>\n", out);
	for (size_t l = 0; l < chart->n_lines; l++) {
		figure_row_name(out, chart->lines[l].name);
		for (size_t i = 0; i < chart->n_points; i++) {
			struct spread y = measure_of(chart->measure, &chart->lines[l].y[i]);

			fputs("<td>", out);
			measure_print_spread(out, chart->measure, &y, chart->n_seeds);
			fputs("</td>", out);
		}
		fputs("</tr>\n", out);
	}
	figure_table_end(out);
}

enum status chart_lines_write(const struct line_chart *chart, FILE *out, struct err *err)
{
	struct layout layout = lay_out(chart);
	enum status status;

	figure_begin(out, chart->title, chart->note);
	figure_drawing_begin(out, layout.height, chart->title);
	describe(chart, out);
	figure_drawing_described(out);
	draw_value_axis(chart, &layout, out);
	draw_x_axis(chart, &layout, out);
	for (size_t l = 0; l < chart->n_lines; l++)
		draw_band(chart, &layout, &chart->lines[l], out);
	for (size_t l = 0; l < chart->n_lines; l++) {
		draw_curve(chart, &layout, &chart->lines[l], out);
		for (size_t i = 0; i < chart->n_points; i++)
			draw_point(chart, &layout, &chart->lines[l], i, out);
	}
	status = draw_ends(chart, &layout, out, err);
	figure_drawing_end(out);
	print_table(chart, out);
	figure_end(out);
	return status;
}
