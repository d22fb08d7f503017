/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_route.c - micro-model route: a model and pairs with contexts in, an adapted model out. */
#include "core/math/linalg.h"
#include "core/tool/command.h"
#include "core/tool/command_files.h"
#include "core/tool/interrupt.h"
#include "core/tool/libraries.h"
#include "core/tool/route_config.h"
#include "core/tool/route_report.h"
#include "core/tool/stopwatch.h"

/* Everything one adaptation works with. */
struct adaptation {
	struct route_config config;
	struct stage2_options options;
	struct terminal terminal;
	struct progress progress;
	struct encoder *encoder;
	struct dataset dataset;
	struct model model;
	struct stage2_result result;
	double started; /* clock, seconds */
};

static bool on_progress(void *context, const struct stage2_progress *state)
{
	struct adaptation *a = context;

	if (state->trial != NULL)
		route_report_trial(&a->progress, state->trial);
	else
		progress_show(&a->progress, &state->fit, stopwatch_seconds());
	return !interrupt_seen();
}

static enum status read_inputs(struct adaptation *a, struct err *err)
{
	enum status status =
	    command_open_model(a->config.model, a->config.encoder_url, &a->model, &a->encoder, err);

	if (status != STATUS_OK)
		return status;
	return dataset_read(a->config.data, a->encoder, a->model.template_phi,
			    a->model.template_psi, &a->dataset, err);
}

static enum status keep(const struct adaptation *a, struct err *err)
{
	const struct stage2_trial *best = stage2_best(&a->result, STAGE2_AUTO);

	return err_set(
	    err, STATUS_INVALID_VALUE,
	    "%s is not written: the router as it is predicts held-out pairs as well (NLL "
	    "%.4f) as %s, tau %g (%.4f); a --method that is named is written all the "
	    "same",
	    a->config.out, a->result.before.nll, stage2_method_name(best->method), best->tau,
	    best->heldout.nll);
}

static enum status set_data_facts(struct model *model, const struct dataset *dataset,
				  struct err *err)
{
	char libraries[LIBRARIES_TEXT];
	enum status status = model_set_fact(model, "train.route.data.sha256", dataset->sha256, err);

	libraries_text(libraries);
	if (status == STATUS_OK && dataset->dtype != NULL)
		status = model_set_fact(model, "train.route.data.dtype", dataset->dtype, err);
	if (status == STATUS_OK)
		status = model_set_fact(model, "train.route.version", MICRO_VERSION, err);
	if (status == STATUS_OK)
		status = model_set_fact(model, "train.route.libraries", libraries, err);
	return status;
}

/* Nothing is written unless the adaptation came to its end and is worth it. */
static enum status learn_and_save(struct adaptation *a, struct err *err)
{
	enum status status;

	linalg_set_threads((int)a->config.threads);
	interrupt_catch();
	progress_start(&a->progress, &a->terminal, progress_form(a->config.quiet, a->config.json),
		       stopwatch_seconds());
	status = stage2_run(&a->dataset, &a->options, on_progress, a, &a->model, &a->result, err);
	progress_end(&a->progress);
	if (status == STATUS_OK && a->result.kept)
		return STATUS_OK;
	if (status == STATUS_OK && interrupt_seen())
		status = err_set(err, STATUS_INTERRUPTED, "interrupted after the training");
	if (status == STATUS_OK)
		status = set_data_facts(&a->model, &a->dataset, err);
	if (status != STATUS_OK)
		return err_wrap(err, "%s is not written", a->config.out);
	return model_save(&a->model, a->config.out, err);
}

static enum status report(const struct adaptation *a, struct err *err)
{
	struct route_report report = {
	    .model = &a->model,
	    .result = &a->result,
	    .out = a->config.out,
	    .seconds = stopwatch_seconds() - a->started,
	};

	if (a->config.json)
		return route_report_json(&report, stdout, err);
	return a->config.quiet ? STATUS_OK : route_report_text(&report, &a->terminal, err);
}

static enum status run(int argc, char **argv, struct err *err)
{
	struct adaptation a = {.started = stopwatch_seconds()};
	enum status status;

	terminal_init(&a.terminal, stdout);
	status = route_config_parse(argc, argv, &a.config, &a.options, err);
	if (status == STATUS_OK)
		status = command_check_out(a.config.out, a.config.data, err);
	if (status == STATUS_OK)
		status = read_inputs(&a, err);
	if (status == STATUS_OK && !a.config.json && !a.config.quiet)
		route_report_start(a.config.data, &a.dataset, &a.model, stdout);
	if (status == STATUS_OK)
		status = learn_and_save(&a, err);
	if (status == STATUS_OK)
		status = report(&a, err);
	if (status == STATUS_OK && a.result.kept)
		status = keep(&a, err);
	model_free(&a.model);
	dataset_free(&a.dataset);
	encoder_close(a.encoder);
	return status;
}

const struct command route_command = {
    .name = "route",
    .summary = "teaches a model's router which heads matter in which context",
    .help = &route_config_help,
    .run = run,
};
