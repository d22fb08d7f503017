/* SPDX-License-Identifier: Apache-2.0 */
#include "core/report/svg.h"

#include <math.h>

#include "core/report/text.h"

static const char *const anchors[] = {
    [ANCHOR_START] = "start",
    [ANCHOR_MIDDLE] = "middle",
    [ANCHOR_END] = "end",
};

/* Around the origin, of about the same area. */
static const char *const markers[SVG_N_SERIES] = {
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",	     /* disc */
    "M-3.6-3.6h7.2v7.2h-7.2z",			     /* square */
    "M0-4.8L4.6 3.6H-4.6z",			     /* triangle */
    "M0-5L5 0L0 5L-5 0z",			     /* diamond */
    "M0 4.8L4.6-3.6H-4.6z",			     /* triangle, pointing down */
    "M-1.6-4.6h3.2v3h3v3.2h-3v3h-3.2v-3h-3v-3.2h3z", /* plus */
    "M0-5.2L1.5-1.7L5-1.6L2.3 .8L3.2 4.4L0 2.4L-3.2 4.4L-2.3 .8L-5-1.6L-1.5-1.7z", /* star */
    "M-4.4-2.6v5.2L0 5L4.4 2.6v-5.2L0-5z",					   /* hexagon */
};

static const char *const dashes[] = {"none", "7 3", "2.5 2.5", "9 3 2.5 3"};

void svg_line(FILE *out, const char *class, double x1, double y1, double x2, double y2)
{
	fprintf(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
		class, x1, y1, x2, y2);
}

void svg_text_begin(FILE *out, const char *class, double x, double y, enum svg_anchor anchor)
{
	fprintf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", class, x, y,
		anchors[anchor]);
}

void svg_text_end(FILE *out)
{
	fputs("</text>\n", out);
}

void svg_label(FILE *out, double x, double y, enum svg_anchor anchor, const char *text, double room)
{
	svg_text_begin(out, "name", x, y, anchor);
	if (!text_fits(text, room / SVG_FONT)) {
		svg_title_begin(out);
		text_print(out, text);
		svg_title_end(out);
	}
	text_print_cut(out, text, room / SVG_FONT);
	svg_text_end(out);
}

double svg_label_width(const char *text)
{
	return text_width(text) * SVG_FONT;
}

double svg_number_width(double value, int decimals)
{
	double digits = floor(log10(fmax(1, fabs(value)))) + 1;
	double point = decimals > 0 ? 0.4 : 0, sign = value < 0 ? 0.6 : 0;

	return SVG_FONT * (0.7 * (digits + decimals) + point + sign);
}

void svg_marker(FILE *out, size_t series, double x, double y)
{
	fprintf(out, "<path class=\"marker s%zu\" transform=\"translate(%.1f %.1f)\" d=\"%s\"/>",
		series % SVG_N_SERIES, x, y, markers[series % SVG_N_SERIES]);
}

/* The second round of colours has other dashes. */
const char *svg_dashes(size_t series)
{
	return dashes[(series + series / SVG_N_SERIES) % (sizeof(dashes) / sizeof(dashes[0]))];
}

void svg_title_begin(FILE *out)
{
	fputs("<title>", out);
}

void svg_title_end(FILE *out)
{
	fputs("</title>", out);
}
