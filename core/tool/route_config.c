/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/route_config.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/options.h"
#include "core/tool/encoder_address.h"
#include "core/tool/shared_options.h"
#include "core/tool/usage.h"

#define AT(field) offsetof(struct route_config, field)
#define N_OPTIONS (sizeof(options) / sizeof(options[0]))
#define MIN_TAU	  1e-6
#define MAX_TAU	  1e6

/* in the order of enum stage2_method */
static const char *const methods[] = {"iterate", "closed-form", "auto", NULL};

static const struct option_spec options[] = {
    REQUIRED_FILE("model", AT(model), "Model file, with a linear or mlp router."),
    ENCODER_ADDRESS_OPTION(AT(encoder_url)),
    REQUIRED_FILE(
	"data", AT(data),
	"Preference pairs with a context, JSON lines, also gzip-compressed, or a features file."),
    OPTIONAL_FILE(
	"out", AT(out),
	"Model file to write, by default the one of --model. Replaced as a whole or not at all."),
    {.name = "method",
     .type = OPTION_CHOICE,
     .choices = methods,
     .default_text = "auto",
     .value_name = "NAME",
     .help = "The paper's Algorithm 1, one posterior for each context, or the one that predicts "
	     "held-out pairs better. With auto nothing is written, and the exit status is 1, if "
	     "neither predicts them better than the router as it is.",
     .offset = AT(method)},
    FLAG_ROW("closed-form", AT(closed_form), "The same as --method closed-form."),
    {.name = "tau",
     .type = OPTION_STRING,
     .min = 1,
     .max = 64,
     .default_text = "auto",
     .value_name = "T",
     .help = "Temperature of the heads' losses, 1e-06 to 1e+06: less trusts a pair more. auto: "
	     "what predicts held-out pairs best.",
     .offset = AT(tau)},
    {.name = "budget",
     .type = OPTION_INT,
     .min = 0,
     .max = UINT32_MAX - 1,
     .default_text = "0",
     .value_name = "N",
     .help = "Pairs used at most, chosen at random; 0 uses all.",
     .offset = AT(budget)},
    {.name = "epochs",
     .type = OPTION_INT,
     .min = 1,
     .max = 100000,
     .default_text = "10",
     .value_name = "N",
     .help = "Passes over the pairs.",
     .offset = AT(epochs)},
    {.name = "batch",
     .type = OPTION_INT,
     .min = 1,
     .max = 1048576,
     .default_text = "32",
     .value_name = "N",
     .help = "Pairs a step.",
     .offset = AT(batch)},
    {.name = "learning-rate",
     .type = OPTION_REAL,
     .min = 1e-9,
     .max = 100,
     .value_name = "X",
     .help = "Of AdamW, falling linearly to 0. By default a step moves a logit of the router by "
	     "at most about 1.",
     .offset = AT(learning_rate)},
    {.name = "weight-decay",
     .type = OPTION_REAL,
     .min = 0,
     .max = 100,
     .default_text = "0",
     .value_name = "X",
     .help = "Of AdamW; it forgets what the router knew before.",
     .offset = AT(weight_decay)},
    {.name = "holdout",
     .type = OPTION_REAL,
     .min = 0,
     .max = 0.5,
     .default_text = "0.2",
     .value_name = "F",
     .help = "Part of each context's pairs that is predicted from the others, in turns, to choose "
	     "method and temperature; 0 holds none out.",
     .offset = AT(holdout)},
    SEED_ROW(MAX_SEED, "1", AT(seed),
	     "Of all random choices; same model, data, options and seed make the same file."),
    THREADS_ROW(AT(threads),
		"Threads of the linear algebra; another number may change the last bits."),
    FLAG_ROW("json", AT(json),
	     "Print a JSON object for each trial, for each epoch and for the model."),
    FLAG_ROW("quiet", AT(quiet), "Print no progress; with --json the model's object remains."),
};

static enum status read_tau(const char *text, double *tau_out, struct err *err)
{
	char *end;

	*tau_out = NAN;
	if (strcmp(text, "auto") == 0)
		return STATUS_OK;
	*tau_out = strtod(text, &end);
	if (*end != '\0' || !(*tau_out >= MIN_TAU && *tau_out <= MAX_TAU))
		return err_set(err, STATUS_USAGE, "--tau %s: want auto or a number, %g to %g", text,
			       MIN_TAU, MAX_TAU);
	return STATUS_OK;
}

/* What is given by another option, or by none. */
static enum status complete(struct route_config *config, struct err *err)
{
	if (config->out == NULL)
		config->out = config->model;
	if (!config->closed_form)
		return STATUS_OK;
	if (config->method == STAGE2_ITERATE)
		return err_set(err, STATUS_USAGE,
			       "--closed-form and --method iterate: want one of them");
	config->method = STAGE2_CLOSED_FORM;
	return STATUS_OK;
}

static enum status check(const struct route_config *config, double tau, struct err *err)
{
	bool open = config->method == STAGE2_AUTO || isnan(tau);

	if (open && config->holdout == 0)
		return err_set(err, STATUS_USAGE,
			       "--holdout 0: %s is chosen on held-out pairs; give a --method and a "
			       "--tau, or hold pairs out",
			       config->method == STAGE2_AUTO ? "the method" : "tau");
	return config->json ? usage_utf8(config->out, "out", err) : STATUS_OK;
}

enum status route_config_parse(int argc, char **argv, struct route_config *config_out,
			       struct stage2_options *options_out, struct err *err)
{
	enum status status;
	double tau;

	*config_out = (struct route_config){.learning_rate = NAN};
	status = options_parse(options, N_OPTIONS, argc, argv, config_out, NULL, NULL, err);
	if (status == STATUS_OK)
		status = complete(config_out, err);
	if (status == STATUS_OK)
		status = read_tau(config_out->tau, &tau, err);
	if (status == STATUS_OK)
		status = check(config_out, tau, err);
	if (status != STATUS_OK)
		return status;
	*options_out = (struct stage2_options){
	    .method = (enum stage2_method)config_out->method,
	    .tau = tau,
	    .budget = (size_t)config_out->budget,
	    .epochs = (size_t)config_out->epochs,
	    .batch = (size_t)config_out->batch,
	    .learning_rate = config_out->learning_rate,
	    .weight_decay = config_out->weight_decay,
	    .holdout = config_out->holdout,
	    .seed = (uint64_t)config_out->seed,
	    .n_threads = (size_t)config_out->threads,
	};
	return STATUS_OK;
}

const struct help route_config_help = {
    .usage = "micro-model route --model FILE --data FILE [options]",
    .about = "Teaches a model's router which heads matter in which context. The heads and the\n"
	     "model's id stay, so users' weights stay valid. Ctrl-C stops and writes nothing.",
    .groups = {&(const struct help_group){.specs = options, .n_specs = N_OPTIONS}},
};
