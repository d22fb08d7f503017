/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/compare_report.h"

#include <stdbool.h>
#include <string.h>

#include "core/tool/table.h"

#define GAP	   2
#define CELL_WIDTH 11 /* "*0.848±.001" */
#define CELL_SIZE  32

enum figure { FIGURE_ACCURACY, FIGURE_NLL };

static const struct spread *figure_of(const struct compare_score *score, enum figure figure)
{
	return figure == FIGURE_ACCURACY ? &score->accuracy : &score->nll;
}

/* "0.848±.001", or "0.8481" of a single seed */
static void figure_text(const struct comparison *comparison, const struct spread *spread, bool best,
			char out[CELL_SIZE])
{
	const char *mark = best ? "*" : "";
	char sd[16];

	if (comparison->n_seeds == 1) {
		snprintf(out, CELL_SIZE, "%s%.4f", mark, spread->mean);
		return;
	}
	snprintf(sd, sizeof(sd), "%.3f", spread->sd);
	snprintf(out, CELL_SIZE, "%s%.3f±%s", mark, spread->mean, sd[0] == '0' ? sd + 1 : sd);
}

/* score i of a column; NULL: it has none */
typedef const struct compare_score *score_at_fn(const struct comparison *comparison, size_t i,
						size_t column);

static const struct compare_score *shot_at(const struct comparison *comparison, size_t i,
					   size_t column)
{
	return &comparison->results[i].shots[column];
}

static const struct compare_score *context_mean_at(const struct comparison *comparison, size_t i,
						   size_t column)
{
	(void)column;
	return &comparison->results[i].context_mean;
}

static bool is_best(const struct comparison *comparison, score_at_fn *score_at, size_t column,
		    enum figure figure, size_t i)
{
	double value = figure_of(score_at(comparison, i, column), figure)->mean;

	for (size_t j = 0; j < comparison->n_results; j++) {
		double other = figure_of(score_at(comparison, j, column), figure)->mean;

		if (figure == FIGURE_ACCURACY ? other > value : other < value)
			return false;
	}
	return true;
}

static void add_figure(struct table *table, const struct comparison *comparison,
		       score_at_fn *score_at, size_t column, enum figure figure, size_t i)
{
	bool best = comparison->n_results > 1 && is_best(comparison, score_at, column, figure, i);
	char text[CELL_SIZE];

	figure_text(comparison, figure_of(score_at(comparison, i, column), figure), best, text);
	table_add(table, "%s", text);
}

/* ---- after m feedbacks ---- */

static enum status print_some_shots(const struct comparison *comparison, enum figure figure,
				    size_t begin, size_t end, const struct terminal *terminal,
				    struct err *err)
{
	struct table_column columns[1 + EVAL_MAX_SHOTS] = {{"method", ALIGN_LEFT}};
	char titles[EVAL_MAX_SHOTS][CELL_SIZE];
	struct table table;
	enum status status;

	for (size_t j = begin; j < end; j++) {
		snprintf(titles[j], CELL_SIZE, "m = %zu", comparison->shots[j]);
		columns[1 + j - begin] = (struct table_column){titles[j], ALIGN_RIGHT};
	}
	table_init(&table, columns, 1 + end - begin);
	for (size_t i = 0; i < comparison->n_results; i++) {
		table_add(&table, "%s", comparison->results[i].name);
		for (size_t j = begin; j < end; j++)
			add_figure(&table, comparison, shot_at, j, figure, i);
	}
	status = table_print(&table, terminal, err);
	table_free(&table);
	return status;
}

/* Columns of figures that fit the window beside the methods' names. */
static size_t columns_that_fit(const struct comparison *comparison, const struct terminal *terminal)
{
	int names = (int)strlen("method"), room;

	for (size_t i = 0; i < comparison->n_results; i++) {
		int width = (int)strlen(comparison->results[i].name);

		names = width > names ? width : names;
	}
	room = (terminal->width - names) / (CELL_WIDTH + GAP);
	return room > 1 ? (size_t)room : 1;
}

static enum status print_shots(const struct comparison *comparison, enum figure figure,
			       const struct terminal *terminal, struct err *err)
{
	size_t at_once = columns_that_fit(comparison, terminal);
	enum status status = STATUS_OK;

	fprintf(terminal->out, "\n%s after m feedbacks\n",
		figure == FIGURE_ACCURACY ? "Accuracy" : "NLL");
	for (size_t begin = 0; begin < comparison->n_shots && status == STATUS_OK;
	     begin += at_once) {
		size_t end = begin + at_once;

		if (end > comparison->n_shots)
			end = comparison->n_shots;
		status = print_some_shots(comparison, figure, begin, end, terminal, err);
	}
	return status;
}

/* ---- how, how long, and contexts ---- */

static enum status print_methods(const struct comparison *comparison,
				 const struct terminal *terminal, struct err *err)
{
	static const struct table_column columns[] = {
	    {"method", ALIGN_LEFT},	{"trained as", ALIGN_LEFT}, {"adapts by", ALIGN_LEFT},
	    {"heads", ALIGN_RIGHT},	{"training", ALIGN_RIGHT},  {"contexts", ALIGN_RIGHT},
	    {"their NLL", ALIGN_RIGHT},
	};
	bool contexts = comparison->n_contexts > 0;
	struct table table;
	enum status status;

	table_init(&table, columns, contexts ? 7 : 5);
	for (size_t i = 0; i < comparison->n_results; i++) {
		const struct compare_result *result = &comparison->results[i];

		table_add(&table, "%s", result->name);
		table_add(&table, "%s", result->objective);
		table_add(&table, "%s", result->adapt);
		table_add(&table, "%zu", result->n_heads);
		table_add(&table, "%.1f s", result->seconds.mean);
		if (!contexts)
			continue;
		add_figure(&table, comparison, context_mean_at, 0, FIGURE_ACCURACY, i);
		add_figure(&table, comparison, context_mean_at, 0, FIGURE_NLL, i);
	}
	fputc('\n', terminal->out);
	status = table_print(&table, terminal, err);
	table_free(&table);
	if (contexts)
		fprintf(terminal->out, "contexts: mean over %zu, by the router alone%s\n",
			comparison->n_contexts,
			comparison->route_path == NULL ? "" : "; after stage 2 unless static");
	return status;
}

/* ---- curves ---- */

static enum status print_curve(const struct comparison *comparison,
			       const struct compare_curve *curve, const char *x_title,
			       const char *what, const struct terminal *terminal, struct err *err)
{
	const struct table_column columns[] = {
	    {x_title, ALIGN_RIGHT}, {"accuracy", ALIGN_RIGHT}, {"NLL", ALIGN_RIGHT}};
	char text[CELL_SIZE];
	struct table table;
	enum status status;

	if (curve->method == NULL)
		return STATUS_OK;
	fprintf(terminal->out, "\n%s: %s\n", curve->method, what);
	table_init(&table, columns, 3);
	for (size_t i = 0; i < curve->n_points; i++) {
		table_add(&table, "%zu", curve->x[i]);
		figure_text(comparison, &curve->y[i].accuracy, false, text);
		table_add(&table, "%s", text);
		figure_text(comparison, &curve->y[i].nll, false, text);
		table_add(&table, "%s", text);
	}
	status = table_print(&table, terminal, err);
	table_free(&table);
	return status;
}

static enum status print_curves(const struct comparison *comparison,
				const struct terminal *terminal, struct err *err)
{
	char what[64];
	enum status status;

	snprintf(what, sizeof(what), "after %zu feedbacks",
		 comparison->shots[comparison->n_shots - 1]);
	status = print_curve(comparison, &comparison->heads_curve, "heads", what, terminal, err);
	if (status != STATUS_OK)
		return status;
	return print_curve(comparison, &comparison->budget_curve, "pairs",
			   "contexts, by the router alone after stage 2", terminal, err);
}

static void print_heading(const struct compare_report *report, FILE *out)
{
	const struct comparison *comparison = &report->comparison;
	unsigned long long seed = comparison->first_seed;

	fprintf(out, "trained on %s: %zu pairs, %zu users\n", comparison->train_path,
		comparison->n_train_pairs, comparison->n_train_users);
	fprintf(out, "tested on %s: %zu pairs, %zu users scored\n", comparison->test_path,
		comparison->n_test_pairs, comparison->n_test_users);
	fprintf(out, "encoder %s, ", comparison->encoder_spec);
	if (comparison->n_seeds == 1)
		fprintf(out, "seed %llu; * the best\n", seed);
	else
		fprintf(out, "seeds %llu to %llu: mean ± standard deviation; * the best\n", seed,
			seed + comparison->n_seeds - 1);
	for (size_t i = 0; i < report->n_left_out; i++)
		fprintf(out, "left out: %s\n", report->left_out[i].reason);
	if (report->shots_missed > 0)
		fprintf(out,
			"left out: feedback, because no user has more than %zu pairs (--shots)\n",
			report->shots_missed);
}

enum status compare_report_text(const struct compare_report *report,
				const struct terminal *terminal, struct err *err)
{
	const struct comparison *comparison = &report->comparison;
	enum status status;

	print_heading(report, terminal->out);
	status = print_shots(comparison, FIGURE_ACCURACY, terminal, err);
	if (status == STATUS_OK)
		status = print_shots(comparison, FIGURE_NLL, terminal, err);
	if (status == STATUS_OK)
		status = print_methods(comparison, terminal, err);
	return status == STATUS_OK ? print_curves(comparison, terminal, err) : status;
}
