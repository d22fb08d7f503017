/* SPDX-License-Identifier: Apache-2.0 */
#include "core/report/figure.h"

#include "core/report/svg.h"
#include "core/report/text.h"

void figure_begin(FILE *out, const char *title, const char *note)
{
	fprintf(out, "<figure>\n<figcaption><h3>%s</h3><p>%s</p></figcaption>\n", title, note);
}

void figure_end(FILE *out)
{
	fputs("</figure>\n", out);
}

void figure_drawing_begin(FILE *out, double height, const char *title)
{
	fprintf(out, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s. ", SVG_WIDTH,
		height, title);
}

void figure_drawing_described(FILE *out)
{
	fputs("\">\n", out);
}

void figure_drawing_end(FILE *out)
{
	fputs("</svg>\n", out);
}

void figure_scroll_begin(FILE *out, const char *title)
{
	fprintf(out,
		"<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
		"aria-label=\"%s\"><table>\n",
		title);
}

void figure_scroll_end(FILE *out)
{
	fputs("</table></div>\n", out);
}

void figure_table_begin(FILE *out, const char *title)
{
	fputs("<details><summary>Numbers</summary>\n", out);
	figure_scroll_begin(out, title);
}

void figure_table_end(FILE *out)
{
	figure_scroll_end(out);
	fputs("</details>\n", out);
}

void figure_row_name(FILE *out, const char *name)
{
	fputs("<tr><th scope=\"row\"><bdi>", out);
	text_print(out, name);
	fputs("</bdi></th>", out);
}

void figure_column_name(FILE *out, const char *name)
{
	fputs("<th scope=\"col\"><bdi>", out);
	text_print(out, name);
	fputs("</bdi></th>", out);
}
