/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_eval.c - micro-model eval: how well a model predicts preference pairs. */
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/options.h"
#include "core/tool/command.h"
#include "core/tool/command_files.h"
#include "core/tool/eval_report.h"

#define AT(field) offsetof(struct eval_config, field)
#define N_OPTIONS (sizeof(options) / sizeof(options[0]))
#define MAX_SHOTS 1000000

/* Strings point into argv. */
struct eval_config {
	const char *model;
	const char *data;
	const char *shots; /* NULL: no personalization protocol */
	double tau;
	double drift;
	bool json;
};

static const struct option_spec options[] = {
    {.name = "model",
     .type = OPTION_STRING,
     .min = 1,
     .max = PATH_MAX,
     .required = true,
     .value_name = "FILE",
     .help = "Model file.",
     .offset = AT(model)},
    {.name = "data",
     .type = OPTION_STRING,
     .min = 1,
     .max = PATH_MAX,
     .required = true,
     .value_name = "FILE",
     .help = "Preference pairs, JSON lines, also gzip-compressed, or a features file.",
     .offset = AT(data)},
    {.name = "shots",
     .type = OPTION_STRING,
     .min = 1,
     .max = 4096,
     .value_name = "M,M,...",
     .help = "Evaluate personalization after each of these numbers of feedbacks, such as "
	     "0,1,2,4,8: of each user's pairs the first ones, as many as the largest number, are "
	     "feedback, and all later ones are predicted.",
     .offset = AT(shots)},
    {.name = "tau",
     .type = OPTION_REAL,
     .min = 1e-6,
     .max = 1e6,
     .default_text = "1",
     .value_name = "T",
     .help = "Temperature of a feedback's step; 1 is Bayes' rule, less learns faster.",
     .offset = AT(tau)},
    {.name = "drift",
     .type = OPTION_REAL,
     .min = 0,
     .max = 0.999,
     .default_text = "0",
     .value_name = "D",
     .help = "Share of the weights that returns to uniform after each feedback.",
     .offset = AT(drift)},
    {.name = "json",
     .type = OPTION_FLAG,
     .help = "Print one JSON object, numbers unrounded.",
     .offset = AT(json)},
};

static void help(FILE *out)
{
	fputs("usage: micro-model eval --model FILE --data FILE [options]\n\n"
	      "Prints the accuracy and the negative log-likelihood (NLL, nats a pair) of a\n"
	      "model on preference pairs: overall, for each context, and the mean of the\n"
	      "contexts.\n\n",
	      out);
	options_help(options, N_OPTIONS, out);
	fputs("  --help\n      Show this text.\n", out);
}

/* The number at *text, which goes behind it; false if there is none. */
static bool read_shot(const char **text, size_t *shot_out)
{
	char *end;
	unsigned long value;

	if (!isdigit((unsigned char)**text))
		return false;
	value = strtoul(*text, &end, 10);
	*text = end;
	*shot_out = value;
	return value <= MAX_SHOTS;
}

/* "0,1,2": ascending numbers */
static enum status read_shots(const char *text, struct eval_options *eval, struct err *err)
{
	const char *rest = text;
	size_t n = 0;

	do {
		bool ascends;

		if (n == EVAL_MAX_SHOTS)
			return err_set(err, STATUS_USAGE, "--shots: want at most %d numbers",
				       EVAL_MAX_SHOTS);
		ascends = read_shot(&rest, &eval->shots[n]) &&
			  (n == 0 || eval->shots[n] > eval->shots[n - 1]);
		if (!ascends || (*rest != ',' && *rest != '\0'))
			return err_set(err, STATUS_USAGE,
				       "--shots %s: want ascending whole numbers up to %d, "
				       "separated by commas, such as 0,1,2,4,8",
				       text, MAX_SHOTS);
		n++;
	} while (*rest++ == ',');
	eval->n_shots = n;
	return STATUS_OK;
}

static enum status read_options(int argc, char **argv, struct eval_config *config,
				struct eval_options *eval, struct err *err)
{
	enum status status = options_parse(options, N_OPTIONS, argc, argv, config, NULL, NULL, err);

	if (status != STATUS_OK)
		return status;
	*eval = (struct eval_options){.temperature = config->tau, .drift = config->drift};
	return config->shots == NULL ? STATUS_OK : read_shots(config->shots, eval, err);
}

static enum status evaluate(const struct eval_config *config, const struct eval_options *eval,
			    const struct model *model, const struct dataset *dataset,
			    struct err *err)
{
	struct eval_report report = {.data = config->data, .model = model, .dataset = dataset};
	struct terminal terminal;
	enum status status = eval_run(model, dataset, eval, &report.result, err);

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

static enum status run(int argc, char **argv, struct err *err)
{
	struct eval_config config;
	struct eval_options eval;
	struct model model;
	struct dataset dataset;
	struct encoder *encoder;
	enum status status = read_options(argc, argv, &config, &eval, err);

	if (status != STATUS_OK)
		return status;
	status = command_open_model(config.model, &model, &encoder, err);
	if (status != STATUS_OK)
		return status;
	status = dataset_read(config.data, encoder, model.template_phi, model.template_psi,
			      &dataset, err);
	if (status != STATUS_OK)
		goto err_after_open;
	status = evaluate(&config, &eval, &model, &dataset, err);
	dataset_free(&dataset);
err_after_open:
	encoder_close(encoder);
	model_free(&model);
	return status;
}

const struct command eval_command = {
    .name = "eval",
    .summary = "prints how well a model predicts preference pairs",
    .help = help,
    .run = run,
};
