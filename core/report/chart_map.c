/* SPDX-License-Identifier: Apache-2.0 */
#include "core/report/chart_map.h"

#include <math.h>
#include <stdbool.h>

#include "core/report/figure.h"
#include "core/report/scale.h"
#include "core/report/svg.h"
#include "core/report/text.h"

#define NAMES	    128.0 /* of rows; longer ones stand above their cells */
#define HEADS	    96.0  /* of columns, upright */
#define WIDEST	    54.0  /* cell */
#define CELL_HEIGHT 22.0
#define NAME_HEIGHT 19.0
#define NUMBER	    24.0 /* a cell of this width has room for one */
#define COLUMN_GAP  14.0 /* between upright names */
#define KEY_HEIGHT  44.0

struct layout {
	bool names_above, columns_upright;
	double left, top, cell, row_height, bottom;
	size_t column_step; /* every how many columns there is room for a name */
	struct ticks range;
};

static struct ticks value_range(const struct map_chart *chart)
{
	const struct compare_map *map = chart->map;
	double low = INFINITY, high = -INFINITY;

	for (size_t i = 0; i < map->n_rows * map->n_columns; i++) {
		double value = measure_shown(chart->measure, map->value[i]);

		low = fmin(low, value);
		high = fmax(high, value);
	}
	return ticks_around(chart->measure == MEASURE_WEIGHT ? fmin(0, low) : low, high, 6);
}

static double widest(char **names, size_t n)
{
	double width = 0;

	for (size_t i = 0; i < n; i++)
		width = fmax(width, svg_label_width(names[i]));
	return width;
}

static struct layout lay_out(const struct map_chart *chart)
{
	const struct compare_map *map = chart->map;
	double rows = widest(map->row_names, map->n_rows);
	double columns = widest(map->column_names, map->n_columns);
	struct layout layout = {.names_above = rows > NAMES, .range = value_range(chart)};

	layout.left = layout.names_above ? 4 : rows + 10;
	layout.cell = fmin(WIDEST, (SVG_WIDTH - layout.left - 4) / (double)map->n_columns);
	layout.columns_upright = columns > layout.cell - 4;
	layout.top = layout.columns_upright ? fmin(columns, HEADS) + 8 : 20;
	layout.column_step = layout.columns_upright ? (size_t)ceil(COLUMN_GAP / layout.cell) : 1;
	layout.row_height = CELL_HEIGHT + (layout.names_above ? NAME_HEIGHT + 4 : 0);
	layout.bottom = layout.top + layout.row_height * (double)map->n_rows;
	return layout;
}

static void draw_columns(const struct compare_map *map, const struct layout *layout, FILE *out)
{
	for (size_t k = 0; k < map->n_columns; k += layout->column_step) {
		double x = layout->left + layout->cell * ((double)k + 0.5), y = layout->top - 6;

		if (!layout->columns_upright) {
			svg_label(out, x, y, ANCHOR_MIDDLE, map->column_names[k], layout->cell);
			continue;
		}
		fprintf(out, "<g transform=\"translate(%.1f %.1f) rotate(-90)\">", x + 4, y);
		svg_label(out, 0, 0, ANCHOR_START, map->column_names[k], HEADS);
		fputs("</g>\n", out);
	}
}

/*
 * Where the number on a shade must change from dark to light: report.css sets the
 * shades, and with them these parts of the range, one for each of its forms.
 */
static const char *number_class(double part)
{
	return part < 0.52 ? "cell weak" : part < 0.70 ? "cell middling" : "cell strong";
}

static double part_of(const struct layout *layout, double shown)
{
	double low = ticks_at(&layout->range, 0);
	double high = ticks_at(&layout->range, layout->range.n - 1);

	return (shown - low) / (high - low);
}

static void draw_cell(const struct map_chart *chart, const struct layout *layout, size_t row,
		      size_t column, double y, FILE *out)
{
	const struct compare_map *map = chart->map;
	double value = map->value[row * map->n_columns + column];
	double part = part_of(layout, measure_shown(chart->measure, value));
	double x = layout->left + layout->cell * (double)column;

	fputs("<g>", out);
	svg_title_begin(out);
	text_print_cut(out, map->row_names[row], 40);
	fputs(", ", out);
	text_print_cut(out, map->column_names[column], 20);
	fputs(": ", out);
	measure_print(out, chart->measure, value);
	fprintf(out, "%s", measure_unit(chart->measure));
	svg_title_end(out);
	fprintf(out,
		"<rect class=\"shade\" fill-opacity=\"%.3f\" x=\"%.1f\" y=\"%.1f\" "
		"width=\"%.1f\" height=\"%.1f\"/>",
		part, x, y, layout->cell, CELL_HEIGHT);
	if (layout->cell >= NUMBER) {
		svg_text_begin(out, number_class(part), x + layout->cell / 2,
			       y + CELL_HEIGHT / 2 + 4, ANCHOR_MIDDLE);
		measure_print_fixed(out, measure_shown(chart->measure, value), 0);
		svg_text_end(out);
	}
	fputs("</g>\n", out);
}

static void draw_row(const struct map_chart *chart, const struct layout *layout, size_t row,
		     FILE *out)
{
	const char *name = chart->map->row_names[row];
	double y = layout->top + layout->row_height * (double)row;

	if (layout->names_above) {
		svg_label(out, layout->left, y + NAME_HEIGHT - 5, ANCHOR_START, name,
			  SVG_WIDTH - layout->left - 4);
		y += NAME_HEIGHT;
	} else {
		svg_label(out, layout->left - 6, y + CELL_HEIGHT / 2 + 4, ANCHOR_END, name, NAMES);
	}
	for (size_t k = 0; k < chart->map->n_columns; k++)
		draw_cell(chart, layout, row, k, y, out);
}

/* Which shade is which value. */
static void draw_key(const struct map_chart *chart, const struct layout *layout, FILE *out)
{
	double top = layout->bottom + 10, width = 30;
	size_t n = layout->range.n;

	svg_text_begin(out, "axis", 4, top + 10, ANCHOR_START);
	fputs(measure_title(chart->measure), out);
	svg_text_end(out);
	for (size_t i = 0; i < n; i++) {
		double tick = ticks_at(&layout->range, i);
		double x = SVG_WIDTH - 4 - width * (double)(n - i);

		fprintf(out,
			"<rect class=\"shade key\" fill-opacity=\"%.3f\" x=\"%.1f\" "
			"y=\"%.1f\" width=\"%.1f\" height=\"10\"/>\n",
			part_of(layout, tick), x, top, width);
		svg_text_begin(out, "tick", x + width / 2, top + 24, ANCHOR_MIDDLE);
		measure_print_fixed(out, tick, layout->range.decimals);
		svg_text_end(out);
	}
}

static void print_table(const struct map_chart *chart, FILE *out)
{
	const struct compare_map *map = chart->map;

	figure_table_begin(out, chart->title);
	fprintf(out, "<caption>%s</caption>\n<tr><th scope=\"col\">%s</th>",
		measure_title(chart->measure), chart->row_title);
	for (size_t k = 0; k < map->n_columns; k++)
		figure_column_name(out, map->column_names[k]);
	fputs("</tr>\n", out);
	for (size_t row = 0; row < map->n_rows; row++) {
		figure_row_name(out, map->row_names[row]);
		for (size_t k = 0; k < map->n_columns; k++) {
			struct spread value = {map->value[row * map->n_columns + k], 0};

			figure_cell(out, chart->measure, &value, 1, false);
		}
		fputs("</tr>\n", out);
	}
	figure_table_end(out);
}

void chart_map_write(const struct map_chart *chart, FILE *out)
{
	const struct compare_map *map = chart->map;
	struct layout layout = lay_out(chart);

	figure_begin(out, chart->title, chart->note);
	figure_drawing_begin(out, layout.bottom + KEY_HEIGHT, chart->title);
	fprintf(out, "%zu rows, %zu heads; values from ", map->n_rows, map->n_columns);
	measure_print_fixed(out, ticks_at(&layout.range, 0), layout.range.decimals);
	fputs(" to ", out);
	measure_print_fixed(out, ticks_at(&layout.range, layout.range.n - 1),
			    layout.range.decimals);
	fputs(" %.", out);
	figure_drawing_described(out);
	draw_columns(map, &layout, out);
	for (size_t row = 0; row < map->n_rows; row++)
		draw_row(chart, &layout, row, out);
	draw_key(chart, &layout, out);
	figure_drawing_end(out);
	print_table(chart, out);
	figure_end(out);
}
