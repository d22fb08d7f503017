/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/eval_compare.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/atomic_file.h"
#include "core/base/mem.h"
#include "core/compare/compare.h"
#include "core/data/pair_titles.h"
#include "core/report/comparison_page.h"
#include "core/tool/command_files.h"
#include "core/tool/compare_progress.h"
#include "core/tool/compare_report.h"
#include "core/tool/interrupt.h"
#include "core/tool/libraries.h"
#include "core/tool/stopwatch.h"
#include "core/tool/usage.h"

#define MAX_MAP_ROWS 40
#define N_FILES	     4

/* Everything one comparison works with. */
struct run {
	const struct eval_config *config;
	struct command_source source;		     /* of the training pairs, and of all others */
	struct dataset train, test, route, contexts; /* the last two empty without a file */
	struct compare_methods methods;
	struct number_list shots;
	uint32_t map_pairs[MAX_MAP_ROWS];
	char *map_names[MAX_MAP_ROWS];
	size_t n_map_rows;
	struct terminal terminal; /* of the progress */
	struct compare_display display;
	struct compare_report report;
};

static bool on_progress(void *context, const struct compare_progress *state)
{
	struct run *run = context;

	compare_display_show(&run->display, state, stopwatch_seconds());
	return !interrupt_seen();
}

static void run_free(struct run *run)
{
	comparison_free(&run->report.comparison);
	for (size_t i = 0; i < run->n_map_rows; i++)
		mem_free(run->map_names[i]);
	dataset_free(&run->train);
	dataset_free(&run->test);
	dataset_free(&run->route);
	dataset_free(&run->contexts);
	command_source_free(&run->source);
}

/* Each file once, for all methods and seeds. */
static enum status read_files(struct run *run, struct err *err)
{
	const struct {
		const char *path;
		struct dataset *dataset;
	} files[N_FILES] = {{run->config->data, &run->train},
			    {run->config->test, &run->test},
			    {run->config->route, &run->route},
			    {run->config->contexts, &run->contexts}};
	enum status status = STATUS_OK;

	for (size_t i = 0; i < N_FILES && status == STATUS_OK; i++) {
		if (files[i].path != NULL)
			status = dataset_read(files[i].path, run->source.encoder,
					      run->source.template_phi, run->source.template_psi,
					      files[i].dataset, err);
	}
	return status;
}

static enum status check_test(const struct run *run, struct err *err)
{
	const struct eval_config *config = run->config;

	if (run->test.sha256[0] == '\0' || strcmp(run->test.sha256, run->train.sha256) != 0)
		return STATUS_OK;
	return err_set(err, STATUS_USAGE,
		       "--test %s: these are the pairs of --data %s; want pairs of other people",
		       config->test, config->data);
}

static enum status count_most_pairs(const struct dataset *dataset, size_t *most_out,
				    struct err *err)
{
	uint32_t *order;
	size_t *start, n_users;
	enum status status = dataset_by_user(dataset, &order, &start, &n_users, err);

	*most_out = 0;
	if (status != STATUS_OK)
		return status;
	for (size_t u = 0; u < n_users; u++) {
		if (start[u + 1] - start[u] > *most_out)
			*most_out = start[u + 1] - start[u];
	}
	mem_free(order);
	mem_free(start);
	return STATUS_OK;
}

/* Somebody has to have a pair to score after the most feedbacks. */
static enum status settle_shots(struct run *run, struct err *err)
{
	const struct eval_config *config = run->config;
	size_t wanted = config->shots.number[config->shots.n - 1], most;
	enum status status = count_most_pairs(&run->test, &most, err);

	run->shots = config->shots;
	if (status != STATUS_OK || most > wanted)
		return status;
	if (config->shots_text != NULL)
		return err_set(err, STATUS_USAGE,
			       "--shots %.64s: no user of %s has more than %zu pairs, which %zu "
			       "feedbacks and a pair to score need; the most that one has is %zu",
			       config->shots_text, config->test, wanted, wanted, most);
	run->shots = (struct number_list){.number = {0}, .n = 1};
	run->report.shots_missed = wanted;
	return STATUS_OK;
}

/* Of "all" what the data allows, of a list everything: compare_run() refuses what cannot be. */
static void choose_methods(struct run *run)
{
	const struct eval_config *config = run->config;

	run->methods.n = 0;
	for (size_t i = 0; i < config->methods.n; i++) {
		const struct compare_method *method = &config->methods.method[i];
		struct train_options options;
		struct err reason;
		struct compare_left_out *out = &run->report.left_out[run->report.n_left_out];

		if (!config->methods.all ||
		    compare_method_options(method, &run->train, (size_t)config->heads,
					   (size_t)config->epochs, &options,
					   &reason) == STATUS_OK) {
			run->methods.method[run->methods.n++] = *method;
			continue;
		}
		out->name = method->name;
		snprintf(out->reason, sizeof(out->reason), "%s", reason.msg);
		run->report.n_left_out++;
	}
}

static enum status name_map_rows(struct run *run, struct err *err)
{
	const struct eval_config *config = run->config;
	bool named = config->contexts != NULL;
	const struct dataset *measured = named ? &run->contexts : &run->test;
	size_t n;
	enum status status = compare_map_rows(measured, run->map_pairs, MAX_MAP_ROWS, &n, err);

	if (status == STATUS_OK)
		status =
		    pair_titles_read(named ? config->contexts : config->test, run->source.encoder,
				     measured, run->map_pairs, n, run->map_names, err);
	if (status == STATUS_OK)
		run->n_map_rows = n;
	return status;
}

static enum status prepare(struct run *run, struct err *err)
{
	const struct eval_config *config = run->config;
	const struct command_source_options options = {.encoder = config->encoder,
						       .encoder_url = config->encoder_url};
	enum status status = command_open_source(config->data, &options, &run->source, err);

	if (status == STATUS_OK && config->report != NULL)
		status = command_check_out(config->report, config->data, err);
	if (status == STATUS_OK)
		status = read_files(run, err);
	if (status == STATUS_OK)
		status = check_test(run, err);
	if (status == STATUS_OK)
		status = settle_shots(run, err);
	if (status != STATUS_OK)
		return status;
	choose_methods(run);
	return name_map_rows(run, err);
}

static struct compare_split split_of(const char *path, const struct dataset *dataset)
{
	return (struct compare_split){path, path == NULL ? NULL : dataset};
}

static enum status compare(struct run *run, struct err *err)
{
	const struct eval_config *config = run->config;
	char libraries[LIBRARIES_TEXT];
	struct compare_options options = {
	    .encoder = run->source.encoder,
	    .libraries = libraries,
	    .train = split_of(config->data, &run->train),
	    .test = split_of(config->test, &run->test),
	    .route = split_of(config->route, &run->route),
	    .contexts = split_of(config->contexts, &run->contexts),
	    .methods = &run->methods,
	    .n_heads = (size_t)config->heads,
	    .epochs = (size_t)config->epochs,
	    .n_threads = (size_t)config->threads,
	    .n_shots = run->shots.n,
	    .first_seed = (uint64_t)config->seed,
	    .n_seeds = (size_t)config->seeds,
	    .heads_curve = {config->heads_curve.number, config->heads_curve.n},
	    .budgets = {config->budgets.number, config->budgets.n},
	    .map_pairs = run->map_pairs,
	    .map_names = run->map_names,
	    .n_map_rows = run->n_map_rows,
	    .clock = stopwatch_seconds,
	};
	enum status status;

	for (size_t j = 0; j < run->shots.n; j++)
		options.shots[j] = run->shots.number[j];
	libraries_text(libraries);
	interrupt_catch();
	terminal_init(&run->terminal, stderr);
	compare_display_start(&run->display, config->quiet ? NULL : &run->terminal,
			      stopwatch_seconds());
	status = compare_run(&options, on_progress, run, &run->report.comparison, err);
	compare_display_end(&run->display);
	return status;
}

static enum status write_page(const struct comparison *comparison, int fd, struct err *err)
{
	int copy = dup(fd); /* fclose() must leave fd to the atomic file */
	FILE *out = copy < 0 ? NULL : fdopen(copy, "w");
	enum status status;

	if (out == NULL) {
		status = err_errno(err, STATUS_IO, "the report");
		if (copy >= 0)
			close(copy);
		return status;
	}
	status = comparison_page_write(comparison, out, err);
	if (fclose(out) != 0 && status == STATUS_OK)
		status = err_errno(err, STATUS_IO, "the report");
	return status;
}

static enum status save_page(const struct comparison *comparison, const char *path, struct err *err)
{
	struct atomic_file file;
	enum status status = atomic_file_open(&file, path, err);

	if (status == STATUS_OK) {
		status = write_page(comparison, file.fd, err);
		if (status == STATUS_OK)
			status = atomic_file_commit(&file, err);
		else
			atomic_file_abort(&file);
	}
	if (status != STATUS_OK)
		err_wrap(err, "%s", path);
	return status;
}

/* What took long is shown first, whatever becomes of the page. */
static enum status show(const struct run *run, struct err *err)
{
	const struct eval_config *config = run->config;
	struct terminal terminal;
	enum status status;

	terminal_init(&terminal, stdout);
	if (config->json)
		status = compare_report_json(&run->report, stdout, err);
	else
		status = compare_report_text(&run->report, &terminal, err);
	if (status != STATUS_OK || config->report == NULL)
		return status;
	fflush(stdout);
	status = save_page(&run->report.comparison, config->report, err);
	if (status == STATUS_OK && !config->json)
		printf("\nwritten: %s\n", config->report);
	return status;
}

enum status eval_compare(const struct eval_config *config, struct err *err)
{
	struct run *run = mem_array(1, sizeof(*run));
	enum status status;

	if (run == NULL)
		return err_no_memory(err, "a comparison");
	run->config = config;
	status = prepare(run, err);
	if (status == STATUS_OK)
		status = compare(run, err);
	if (status == STATUS_OK)
		status = show(run, err);
	run_free(run);
	mem_free(run);
	return status;
}
