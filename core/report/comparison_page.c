/* SPDX-License-Identifier: Apache-2.0 */
#include "core/report/comparison_page.h"

#include <locale.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/report/chart_dots.h"
#include "core/report/chart_heads.h"
#include "core/report/chart_lines.h"
#include "core/report/chart_map.h"
#include "core/report/page_check.h"
#include "core/report/page_summary.h"
#include "core/report/results_table.h"
#include "core/report/text.h"
#include "generated/report_css.h"

/* ---- what was compared ---- */

static void begin_page(const struct comparison *comparison, FILE *out)
{
	const char *noun = comparison->n_results == 1 ? "method" : "methods";

	fprintf(out,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta name=\"color-scheme\" content=\"light dark\">\n"
		/* a second lock: were anything of the data taken for a script, it would not run */
		"<meta http-equiv=\"Content-Security-Policy\" "
		"content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
		"<title>%zu %s on ",
		comparison->n_results, noun);
	text_print_cut(out, comparison->test_path, 40);
	fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n<header>\n",
		report_css);
	fprintf(out, "<p class=\"eyebrow\">micro-model eval --compare</p>\n<h1>%zu %s on <bdi>",
		comparison->n_results, noun);
	text_print_cut(out, comparison->test_path, 40);
	fputs("</bdi></h1>\n", out);
	page_summary_write(comparison, out);
	fputs("</header>\n", out);
}

static void print_path(const char *name, const char *path, FILE *out)
{
	fprintf(out, "<div><dt>%s</dt><dd><bdi>", name);
	text_print(out, path);
	fputs("</bdi></dd></div>\n", out);
}

static void print_pairs(const char *name, const char *path, size_t n_pairs, size_t n_users,
			FILE *out)
{
	fprintf(out, "<div><dt>%s</dt><dd><bdi>", name);
	text_print(out, path);
	fputs("</bdi><br>", out);
	measure_print_count(out, n_pairs);
	fputs(" pairs", out);
	if (n_users > 0) {
		fputs(", ", out);
		measure_print_count(out, n_users);
		fputs(" users", out);
	}
	fputs("</dd></div>\n", out);
}

static void print_facts(const struct comparison *comparison, FILE *out)
{
	fputs("<dl class=\"facts\">\n", out);
	print_pairs("Trained on", comparison->train_path, comparison->n_train_pairs,
		    comparison->n_train_users, out);
	print_pairs("Tested on", comparison->test_path, comparison->n_test_pairs,
		    comparison->n_test_users, out);
	if (comparison->route_path != NULL)
		print_path("Routers fitted on", comparison->route_path, out);
	if (comparison->context_path != NULL)
		print_path("Contexts tested on", comparison->context_path, out);
	print_path("Encoder", comparison->encoder_spec, out);
	fprintf(out, "<div><dt>Seeds</dt><dd>%zu, from %llu</dd></div>\n</dl>\n",
		comparison->n_seeds, (unsigned long long)comparison->first_seed);
}

static void print_digest(const char *name, const char *sha256, FILE *out)
{
	if (sha256[0] != '\0')
		fprintf(out, "; %s %s", name, sha256);
}

/* What it takes to do the same again. */
static void print_record(const struct comparison *comparison, FILE *out)
{
	fprintf(out, "<p class=\"note\">%zu heads where their number is free, ",
		comparison->n_heads);
	if (comparison->epochs == 0)
		fputs("each method&#39;s own epochs", out);
	else
		fprintf(out, "%zu epochs", comparison->epochs);
	fputs("; micro-model " MICRO_VERSION, out);
	if (comparison->libraries != NULL) {
		fputs(", ", out);
		text_print(out, comparison->libraries);
	}
	fputs(".</p>\n<p class=\"note\">SHA-256", out);
	print_digest("train", comparison->train_sha256, out);
	print_digest("test", comparison->test_sha256, out);
	print_digest("route", comparison->route_sha256, out);
	print_digest("contexts", comparison->context_sha256, out);
	fputs(".</p>\n", out);
}

/* ---- sections ---- */

static void begin_section(const char *id, const char *title, FILE *out)
{
	fprintf(out, "<section id=\"%s\">\n<h2>%s</h2>\n<div class=\"figures\">\n", id, title);
}

static void end_section(FILE *out)
{
	fputs("</div>\n</section>\n", out);
}

static enum status write_feedback(const struct comparison *comparison, FILE *out, struct err *err)
{
	struct chart_line *lines = mem_array(comparison->n_results, sizeof(*lines));
	struct line_chart chart = {
	    .title = "Accuracy against feedback",
	    .note = "On a user&#39;s later pairs, averaged over users. Higher is better.",
	    .x_title = "feedbacks of the user",
	    .measure = MEASURE_ACCURACY,
	    .n_seeds = comparison->n_seeds,
	    .n_points = comparison->n_shots,
	    .x = comparison->shots,
	    .n_lines = comparison->n_results,
	    .lines = lines,
	};
	enum status status;

	if (lines == NULL)
		return err_no_memory(err, "the lines of a chart");
	for (size_t r = 0; r < comparison->n_results; r++) {
		const struct compare_result *result = &comparison->results[r];

		lines[r] = (struct chart_line){result->name, r, result->shots};
	}
	begin_section("feedback", "What feedback brings", out);
	status = chart_lines_write(&chart, out, err);
	if (status == STATUS_OK) {
		chart.title = "NLL against feedback";
		chart.note = "How unexpected a user&#39;s later choices are. Lower is better.";
		chart.measure = MEASURE_NLL;
		status = chart_lines_write(&chart, out, err);
	}
	end_section(out);
	mem_free(lines);
	return status;
}

static bool has_contexts(const struct comparison *comparison)
{
	for (size_t r = 0; r < comparison->n_results; r++) {
		if (comparison->results[r].contexts != NULL)
			return comparison->n_contexts > 0;
	}
	return false;
}

static enum status write_contexts(const struct comparison *comparison, FILE *out, struct err *err)
{
	enum status status;

	begin_section("contexts", "Context by context", out);
	status = chart_dots_write(comparison, MEASURE_ACCURACY, out, err);
	if (status == STATUS_OK)
		status = chart_dots_write(comparison, MEASURE_NLL, out, err);
	end_section(out);
	return status;
}

static bool has_cells(const struct compare_map *map)
{
	return map->method != NULL && map->n_rows > 0 && map->n_columns > 0;
}

static enum status write_heads(const struct comparison *comparison, FILE *out, struct err *err)
{
	struct map_chart router = {
	    .title = "Which heads speak for which prompt",
	    .note = "Weights that the router gives to the heads before any feedback.",
	    .row_title = "prompt",
	    .measure = MEASURE_WEIGHT,
	    .map = &comparison->router_map,
	};
	struct map_chart heads = {
	    .title = "Every head in every context",
	    .note = "Accuracy of each head alone.",
	    .row_title = "context",
	    .measure = MEASURE_ACCURACY,
	    .map = &comparison->head_map,
	};
	enum status status = STATUS_OK;

	begin_section("heads", "What the heads know", out);
	if (has_cells(router.map))
		chart_map_write(&router, out);
	if (has_cells(heads.map)) {
		status = chart_heads_write(heads.map, out, err);
		chart_map_write(&heads, out);
	}
	end_section(out);
	return status;
}

static size_t series_of(const struct comparison *comparison, const char *method)
{
	for (size_t r = 0; r < comparison->n_results; r++) {
		if (strcmp(comparison->results[r].name, method) == 0)
			return r;
	}
	return 0;
}

static bool has_points(const struct compare_curve *curve)
{
	return curve->method != NULL && curve->n_points > 0;
}

static enum status write_curve(const struct comparison *comparison,
			       const struct compare_curve *curve, const char *title,
			       const char *note, const char *x_title, FILE *out, struct err *err)
{
	const struct chart_line line = {curve->method, series_of(comparison, curve->method),
					curve->y};
	const struct line_chart chart = {
	    .title = title,
	    .note = note,
	    .x_title = x_title,
	    .measure = MEASURE_ACCURACY,
	    .n_seeds = comparison->n_seeds,
	    .n_points = curve->n_points,
	    .x = curve->x,
	    .n_lines = 1,
	    .lines = &line,
	};

	if (!has_points(curve))
		return STATUS_OK;
	return chart_lines_write(&chart, out, err);
}

static enum status write_curves(const struct comparison *comparison, FILE *out, struct err *err)
{
	enum status status;

	begin_section("curves", "How much is enough", out);
	status = write_curve(comparison, &comparison->budget_curve, "Pairs for the router",
			     "Mean accuracy over the contexts after stage 2 with so many pairs.",
			     "pairs with a context", out, err);
	if (status == STATUS_OK)
		status = write_curve(comparison, &comparison->heads_curve, "Number of heads",
				     "Accuracy after the most feedbacks with so many heads.",
				     "heads", out, err);
	end_section(out);
	return status;
}

static enum status write_sections(const struct comparison *comparison, FILE *out, struct err *err)
{
	enum status status = STATUS_OK;

	fputs("<section>\n<h2>Results</h2>\n", out);
	results_table_write(comparison, out);
	fputs("</section>\n", out);
	if (comparison->n_shots > 0 && comparison->n_results > 0)
		status = write_feedback(comparison, out, err);
	if (status == STATUS_OK && has_contexts(comparison))
		status = write_contexts(comparison, out, err);
	if (status == STATUS_OK &&
	    (has_cells(&comparison->router_map) || has_cells(&comparison->head_map)))
		status = write_heads(comparison, out, err);
	if (status == STATUS_OK &&
	    (has_points(&comparison->budget_curve) || has_points(&comparison->heads_curve)))
		status = write_curves(comparison, out, err);
	return status;
}

/* Curves that were not asked for, and how to. */
static void print_not_drawn(const struct comparison *comparison, FILE *out)
{
	bool budgets = has_points(&comparison->budget_curve);
	bool heads = has_points(&comparison->heads_curve);

	if (budgets && heads)
		return;
	fprintf(out, "<p class=\"note\">Not drawn: %s%s%s.</p>\n",
		budgets ? "" : "accuracy against pairs for the router (--route, --budgets)",
		budgets || heads ? "" : "; ",
		heads ? "" : "accuracy against the number of heads (--heads-curve)");
}

static void write_setting(const struct comparison *comparison, FILE *out)
{
	fputs("<section>\n<h2>How this was measured</h2>\n", out);
	print_facts(comparison, out);
	print_record(comparison, out);
	print_not_drawn(comparison, out);
	results_table_methods(comparison, out);
	fputs("</section>\n", out);
}

static enum status write_page(const struct comparison *comparison, FILE *out, struct err *err)
{
	enum status status;

	begin_page(comparison, out);
	status = write_sections(comparison, out, err);
	if (status != STATUS_OK)
		return status;
	write_setting(comparison, out);
	fputs("</main>\n<footer>micro-model " MICRO_VERSION ". This page is complete: no script, "
	      "nothing loaded.</footer>\n</body>\n</html>\n",
	      out);
	if (fflush(out) != 0 || ferror(out))
		return err_errno(err, STATUS_IO, "the report");
	return STATUS_OK;
}

enum status comparison_page_write(const struct comparison *comparison, FILE *out, struct err *err)
{
	enum status status = page_check(comparison, err);
	locale_t c_locale, before;

	if (status != STATUS_OK)
		return status;
	/* a decimal comma would break every drawing */
	c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (c_locale == (locale_t)0)
		return err_no_memory(err, "the locale of the report");
	before = uselocale(c_locale);
	status = write_page(comparison, out, err);
	uselocale(before);
	freelocale(c_locale);
	return status;
}
