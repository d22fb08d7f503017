/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_eval.c - micro-model eval: how well a model, or several methods, predict pairs. */
#include "core/tool/command.h"
#include "core/tool/command_files.h"
#include "core/tool/eval_compare.h"
#include "core/tool/eval_config.h"
#include "core/tool/eval_report.h"

static struct eval_options options_of(const struct eval_config *config)
{
	struct eval_options options = {
	    .n_shots = config->shots.n,
	    .adapt = (enum adapt_method)config->adapt,
	    .temperature = config->tau,
	    .drift = config->drift,
	};

	for (size_t j = 0; j < options.n_shots; j++)
		options.shots[j] = config->shots.number[j];
	return options;
}

static enum status evaluate(const struct eval_config *config, const struct model *model,
			    const struct dataset *dataset, struct err *err)
{
	struct eval_report report = {.data = config->data, .model = model, .dataset = dataset};
	struct eval_options options = options_of(config);
	struct terminal terminal;
	enum status status = eval_run(model, dataset, &options, &report.result, err);

	if (status != STATUS_OK)
		return err_wrap(err, "%s", config->data);
	terminal_init(&terminal, stdout);
	if (config->json)
		status = eval_report_json(&report, stdout, err);
	else
		status = eval_report_text(&report, &terminal, err);
	eval_result_free(&report.result);
	return status;
}

static enum status eval_one_model(const struct eval_config *config, struct err *err)
{
	struct model model;
	struct dataset dataset;
	struct encoder *encoder;
	enum status status =
	    command_open_model(config->model, config->encoder_url, &model, &encoder, err);

	if (status != STATUS_OK)
		return status;
	status = dataset_read(config->data, encoder, model.template_phi, model.template_psi,
			      &dataset, err);
	if (status != STATUS_OK)
		goto err_after_open;
	status = evaluate(config, &model, &dataset, err);
	dataset_free(&dataset);
err_after_open:
	encoder_close(encoder);
	model_free(&model);
	return status;
}

static enum status run(int argc, char **argv, struct err *err)
{
	struct eval_config config;
	enum status status = eval_config_parse(argc, argv, &config, err);

	if (status != STATUS_OK)
		return status;
	if (config.compare != NULL)
		return eval_compare(&config, err);
	return eval_one_model(&config, err);
}

const struct command eval_command = {
    .name = "eval",
    .summary = "prints how well a model, or several methods, predict preference pairs",
    .help = &eval_config_help,
    .run = run,
};
