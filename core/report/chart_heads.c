/* SPDX-License-Identifier: Apache-2.0 */
#include "core/report/chart_heads.h"

#include <math.h>
#include <stdbool.h>

#include "core/base/mem.h"
#include "core/report/figure.h"
#include "core/report/measure.h"
#include "core/report/scale.h"
#include "core/report/svg.h"
#include "core/report/text.h"

#define TITLE	    "The head that knows each context best"
#define CHANCE	    50.0  /* percent, of either answer */
#define NAMES	    128.0 /* of contexts; if one is longer, all stand above their bars */
#define NAME_HEIGHT 19.0
#define HEADS	    84.0
#define ROW	    22.0
#define TOP	    8.0

struct best_head {
	size_t row, column;
	double accuracy;
};

struct layout {
	struct ticks ticks;
	struct scale x;
	bool names_above;
	double left, row_height, bottom;
	double number_x, head_x; /* of the best head, right of the bars */
};

static struct best_head best_of_row(const struct compare_map *map, size_t row)
{
	const double *value = &map->value[row * map->n_columns];
	struct best_head best = {row, 0, value[0]};

	for (size_t k = 1; k < map->n_columns; k++) {
		if (value[k] > best.accuracy)
			best = (struct best_head){row, k, value[k]};
	}
	return best;
}

/* best: [n_rows], descending. */
static void sort_rows(const struct compare_map *map, struct best_head *best)
{
	for (size_t row = 0; row < map->n_rows; row++) {
		struct best_head of_row = best_of_row(map, row);
		size_t i = row;

		for (; i > 0 && best[i - 1].accuracy < of_row.accuracy; i--)
			best[i] = best[i - 1];
		best[i] = of_row;
	}
}

static struct layout lay_out(const struct compare_map *map, const struct best_head *best)
{
	double least = measure_shown(MEASURE_ACCURACY, best[map->n_rows - 1].accuracy);
	double greatest = measure_shown(MEASURE_ACCURACY, best[0].accuracy);
	double names = 0, heads = 0;
	struct layout layout;

	for (size_t row = 0; row < map->n_rows; row++) {
		names = fmax(names, svg_label_width(map->row_names[row]));
		heads = fmax(heads, svg_label_width(map->column_names[best[row].column]));
	}
	layout.names_above = names > NAMES;
	layout.left = layout.names_above ? 4 : names + 10;
	layout.row_height = ROW + (layout.names_above ? NAME_HEIGHT : 0);
	layout.bottom = TOP + layout.row_height * (double)map->n_rows;
	layout.ticks = ticks_around(fmin(CHANCE, least), fmax(CHANCE, greatest), 6);
	layout.head_x = SVG_WIDTH - fmin(heads, HEADS) - 2;
	layout.number_x = layout.head_x - 6 - measure_width(MEASURE_ACCURACY, best[0].accuracy);
	layout.x =
	    (struct scale){ticks_at(&layout.ticks, 0), ticks_at(&layout.ticks, layout.ticks.n - 1),
			   layout.left + 4, layout.number_x - 10, false};
	return layout;
}

static void draw_axis(const struct layout *layout, FILE *out)
{
	double chance = scale_place(&layout->x, CHANCE);

	for (size_t i = 0; i < layout->ticks.n; i++) {
		double tick = ticks_at(&layout->ticks, i), x = scale_place(&layout->x, tick);

		svg_line(out, "grid", x, TOP, x, layout->bottom);
		svg_text_begin(out, "tick", x, layout->bottom + 16, ANCHOR_MIDDLE);
		measure_print_fixed(out, tick, layout->ticks.decimals);
		svg_text_end(out);
	}
	svg_line(out, "rule", chance, TOP, chance, layout->bottom + 4);
	svg_text_begin(out, "axis", (layout->x.from + layout->x.to) / 2, layout->bottom + 34,
		       ANCHOR_MIDDLE);
	fputs(measure_title(MEASURE_ACCURACY), out);
	svg_text_end(out);
}

static void draw_bar(const struct compare_map *map, const struct layout *layout,
		     const struct best_head *best, double top, FILE *out)
{
	double end = scale_place(&layout->x, measure_shown(MEASURE_ACCURACY, best->accuracy));
	double bar_top = top + layout->row_height - ROW, text_y = bar_top + ROW / 2 + 4;
	double chance = scale_place(&layout->x, CHANCE);
	const char *name = map->row_names[best->row];

	if (layout->names_above)
		svg_label(out, layout->left, top + NAME_HEIGHT - 4, ANCHOR_START, name,
			  SVG_WIDTH - layout->left - 4);
	else
		svg_label(out, layout->left - 4, text_y, ANCHOR_END, name, NAMES);
	fprintf(out,
		"<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
		"rx=\"2\">",
		fmin(chance, end), bar_top + 3, fabs(end - chance), ROW - 6);
	svg_title_begin(out);
	text_print_cut(out, map->row_names[best->row], 40);
	fputs(": ", out);
	text_print_cut(out, map->column_names[best->column], 40);
	fputs(", ", out);
	measure_print(out, MEASURE_ACCURACY, best->accuracy);
	fputs(measure_unit(MEASURE_ACCURACY), out);
	svg_title_end(out);
	fputs("</rect>\n", out);
	svg_text_begin(out, "value", layout->number_x, text_y, ANCHOR_START);
	measure_print(out, MEASURE_ACCURACY, best->accuracy);
	svg_text_end(out);
	svg_label(out, layout->head_x, text_y, ANCHOR_START, map->column_names[best->column],
		  HEADS);
}

static void describe(const struct compare_map *map, const struct best_head *best, FILE *out)
{
	fprintf(out, "%zu contexts, %zu heads; the best is ", map->n_rows, map->n_columns);
	text_print_cut(out, map->column_names[best[0].column], 40);
	fputs(" in ", out);
	text_print_cut(out, map->row_names[best[0].row], 40);
	fputs(" with ", out);
	measure_print(out, MEASURE_ACCURACY, best[0].accuracy);
	fputs(" %.", out);
}

static void print_table(const struct compare_map *map, const struct best_head *best, FILE *out)
{
	figure_table_begin(out, TITLE);
	fprintf(out,
		"<tr><th scope=\"col\">context</th><th scope=\"col\">head</th>"
		"<th scope=\"col\">%s</th></tr>\n",
		measure_title(MEASURE_ACCURACY));
	for (size_t i = 0; i < map->n_rows; i++) {
		struct spread accuracy = {best[i].accuracy, 0};

		figure_row_name(out, map->row_names[best[i].row]);
		fputs("<td><bdi>", out);
		text_print(out, map->column_names[best[i].column]);
		fputs("</bdi></td>", out);
		figure_cell(out, MEASURE_ACCURACY, &accuracy, 1, false);
		fputs("</tr>\n", out);
	}
	figure_table_end(out);
}

enum status chart_heads_write(const struct compare_map *map, FILE *out, struct err *err)
{
	struct best_head *best = mem_array(map->n_rows, sizeof(*best));
	struct layout layout;

	if (best == NULL)
		return err_no_memory(err, "the contexts of a chart");
	sort_rows(map, best);
	layout = lay_out(map, best);
	figure_begin(
	    out, TITLE,
	    "Accuracy of the best single head, from chance (50 %) on; its name at the right.");
	figure_drawing_begin(out, layout.bottom + 42, TITLE);
	describe(map, best, out);
	figure_drawing_described(out);
	draw_axis(&layout, out);
	for (size_t i = 0; i < map->n_rows; i++)
		draw_bar(map, &layout, &best[i], TOP + layout.row_height * (double)i, out);
	figure_drawing_end(out);
	print_table(map, best, out);
	figure_end(out);
	mem_free(best);
	return STATUS_OK;
}
