/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_train.c - micro-model train: preference pairs in, a model file out. */
#include "core/tool/command.h"
#include "core/tool/command_files.h"
#include "core/tool/interrupt.h"
#include "core/tool/libraries.h"
#include "core/tool/progress.h"
#include "core/tool/stopwatch.h"
#include "core/tool/train_config.h"
#include "core/tool/train_report.h"
#include "core/tool/usage.h"

/* Everything one training works with. */
struct training {
	struct train_config config;
	struct train_options options;
	struct terminal terminal;
	struct progress progress;
	struct command_source source;
	struct dataset dataset;
	struct model model;
	double started; /* clock, seconds */
};

static bool on_progress(void *context, const struct train_progress *state)
{
	struct training *t = context;

	progress_show(&t->progress, state, stopwatch_seconds());
	return !interrupt_seen();
}

static enum status check_config(struct training *t, struct err *err)
{
	const struct train_config *config = &t->config;
	enum status status;

	const struct command_source_options options = {config->encoder, config->encoder_url,
						       config->template_phi, config->template_psi};

	status = command_open_source(config->data, &options, &t->source, err);
	if (status == STATUS_OK)
		status = command_check_out(config->out, config->data, err);
	return status;
}

/* Read the data, which may decide the objective, and the options left open by it. */
static enum status read_data(struct training *t, int argc, char **argv, struct err *err)
{
	struct train_config *config = &t->config;
	enum objective objective;
	enum status status;

	status = dataset_read(config->data, t->source.encoder, t->source.template_phi,
			      t->source.template_psi, &t->dataset, err);
	if (status != STATUS_OK)
		return status;
	objective = (enum objective)config->objective;
	if (objective == OBJECTIVE_AUTO)
		objective = train_objective_for(&t->dataset);
	status = train_config_parse(argc, argv, objective, config, err);
	if (status != STATUS_OK)
		return status;
	train_config_options(config, objective, &t->options);
	return train_settle(&t->dataset, &t->options, err);
}

static enum status set_data_facts(struct model *model, const struct dataset *dataset,
				  struct err *err)
{
	char pairs[24], users[24], libraries[LIBRARIES_TEXT];
	enum status status;

	snprintf(pairs, sizeof(pairs), "%zu", dataset->n_pairs);
	snprintf(users, sizeof(users), "%zu", dataset->n_users);
	libraries_text(libraries);
	status = model_set_fact(model, "train.data.sha256", dataset->sha256, err);
	if (status == STATUS_OK)
		status = model_set_fact(model, "train.data.pairs", pairs, err);
	if (status == STATUS_OK)
		status = model_set_fact(model, "train.data.users", users, err);
	if (status == STATUS_OK && dataset->dtype != NULL)
		status = model_set_fact(model, "train.data.dtype", dataset->dtype, err);
	if (status == STATUS_OK)
		status = model_set_fact(model, "train.version", MICRO_VERSION, err);
	if (status == STATUS_OK)
		status = model_set_fact(model, "train.libraries", libraries, err);
	return status;
}

static enum status make_model(struct training *t, struct err *err)
{
	enum status status;

	status = model_init(&t->model, t->options.n_heads, t->options.router, t->options.n_hidden,
			    t->source.encoder, err);
	if (status == STATUS_OK)
		status = model_set_templates(&t->model, t->source.template_phi,
					     t->source.template_psi, err);
	if (status == STATUS_OK)
		status = set_data_facts(&t->model, &t->dataset, err);
	return status;
}

/* Nothing is written unless the training came to its end. */
static enum status learn_and_save(struct training *t, struct err *err)
{
	enum status status;

	interrupt_catch();
	progress_start(&t->progress, &t->terminal, progress_form(t->config.quiet, t->config.json),
		       stopwatch_seconds());
	status = train_run(&t->dataset, &t->options, on_progress, t, &t->model, err);
	progress_end(&t->progress);
	if (status == STATUS_OK && interrupt_seen())
		status = err_set(err, STATUS_INTERRUPTED, "interrupted after the training");
	if (status != STATUS_OK)
		return err_wrap(err, "%s is not written", t->config.out);
	return model_save(&t->model, t->config.out, err);
}

static enum status report(struct training *t, struct err *err)
{
	struct train_report report = {
	    .model = &t->model,
	    .dataset = &t->dataset,
	    .out = t->config.out,
	    .seconds = stopwatch_seconds() - t->started,
	};

	if (t->config.json)
		return train_report_json(&report, stdout, err);
	return t->config.quiet ? STATUS_OK : train_report_text(&report, stdout, err);
}

static enum status run(int argc, char **argv, struct err *err)
{
	struct training t = {.started = stopwatch_seconds()};
	enum status status;

	terminal_init(&t.terminal, stdout);
	status = train_config_parse(argc, argv, OBJECTIVE_AUTO, &t.config, err);
	if (status == STATUS_OK)
		status = check_config(&t, err);
	if (status == STATUS_OK)
		status = read_data(&t, argc, argv, err);
	if (status == STATUS_OK)
		status = make_model(&t, err);
	if (status == STATUS_OK && !t.config.json && !t.config.quiet)
		train_report_start(t.config.data, &t.dataset, &t.options, t.source.encoder, stdout);
	if (status == STATUS_OK)
		status = learn_and_save(&t, err);
	if (status == STATUS_OK)
		status = report(&t, err);
	model_free(&t.model);
	dataset_free(&t.dataset);
	command_source_free(&t.source);
	return status;
}

const struct command train_command = {
    .name = "train",
    .summary = "learns a model from preference pairs",
    .help = &train_config_help,
    .run = run,
};
