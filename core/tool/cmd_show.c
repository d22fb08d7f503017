/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_show.c - micro-model show: what a model file is. */
#include <stdbool.h>
#include <stddef.h>

#include "core/base/options.h"
#include "core/tool/command.h"
#include "core/tool/model_report.h"
#include "core/tool/shared_options.h"

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

struct show_config {
	const char *model;
	bool json;
};

static const struct option_spec options[] = {
    REQUIRED_FILE("model", offsetof(struct show_config, model), "Model file."),
    FLAG_ROW("json", offsetof(struct show_config, json),
	     "Print one JSON object, numbers unrounded."),
};

static const struct help help = {
    .usage = "micro-model show --model FILE [--json]",
    .about = "Prints what a model file is: shapes, encoder, router, training facts, heads, and\n"
	     "how alike these are.",
    .groups = {&(const struct help_group){.specs = options, .n_specs = N_OPTIONS}},
};

static enum status run(int argc, char **argv, struct err *err)
{
	struct show_config config;
	struct model model;
	struct head_likeness likeness;
	struct terminal terminal;
	enum status status =
	    options_parse(options, N_OPTIONS, argc, argv, &config, NULL, NULL, err);

	if (status != STATUS_OK)
		return status;
	status = model_load(config.model, &model, err);
	if (status != STATUS_OK)
		return status;
	status = head_likeness_init(&likeness, &model.heads, err);
	if (status != STATUS_OK)
		goto err_after_model;
	terminal_init(&terminal, stdout);
	if (config.json)
		status = model_report_json(&model, &likeness, stdout, err);
	else
		status = model_report_text(config.model, &model, &likeness, &terminal, err);
	head_likeness_free(&likeness);
err_after_model:
	model_free(&model);
	return status;
}

const struct command show_command = {
    .name = "show",
    .summary = "prints what a model file is",
    .help = &help,
    .run = run,
};
