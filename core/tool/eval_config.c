/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/eval_config.h"

#include <stddef.h>

#include "core/base/options.h"
#include "core/encode/encoder.h"
#include "core/model/heads.h"
#include "core/tool/encoder_address.h"
#include "core/tool/shared_options.h"
#include "core/tool/usage.h"

#define AT(field)      offsetof(struct eval_config, field)
#define LENGTH(array)  (sizeof(array) / sizeof((array)[0]))
#define N_OPTIONS      LENGTH(options)
#define MAX_SHOTS      1000000
#define MAX_LIST       4096
#define DEFAULT_SHOTS  "0,1,2,4,8"
#define OF_COMPARISONS 8 /* index of --compare, where the options of comparisons begin */

/* in the order of enum adapt_method */
static const char *const adapts[] = {"hedge", "none", "hyre", "lore", NULL};

static const struct option_spec options[] = {
    REQUIRED_FILE("data", AT(data),
		  "Preference pairs, JSON lines, also gzip-compressed, or a features file. With "
		  "--compare what methods are trained on."),
    {.name = "shots",
     .type = OPTION_STRING,
     .min = 1,
     .max = MAX_LIST,
     .value_name = "M,M,...",
     .help = "Evaluate personalization after each of these numbers of feedbacks: of each user's "
	     "pairs the first ones, as many as the largest number, are feedback, and all later "
	     "ones are predicted. With --compare " DEFAULT_SHOTS
	     " by default, or 0 if no user has pairs enough.",
     .offset = AT(shots_text)},
    FLAG_ROW("json", AT(json), "Print one JSON object, numbers unrounded."),
    ENCODER_ADDRESS_OPTION(AT(encoder_url)),
    /* one model */
    OPTIONAL_FILE("model", AT(model), "Model file; needed without --compare."),
    {.name = "adapt",
     .type = OPTION_CHOICE,
     .choices = adapts,
     .default_text = "hedge",
     .value_name = "NAME",
     .help = "What a feedback does: a Hedge step, nothing, a reweighting of the heads by the pairs "
	     "they get wrong (HyRe), or weights fitted to the pairs by gradient (LoRe).",
     .offset = AT(adapt)},
    {.name = "tau",
     .type = OPTION_REAL,
     .min = 1e-6,
     .max = 1e6,
     .default_text = "1",
     .value_name = "T",
     .help = "hedge: temperature of a feedback's step; 1 is Bayes' rule, less learns faster.",
     .offset = AT(tau)},
    {.name = "drift",
     .type = OPTION_REAL,
     .min = 0,
     .max = 0.999,
     .default_text = "0",
     .value_name = "D",
     .help = "hedge: share of the weights that returns to uniform after each feedback.",
     .offset = AT(drift)},
    /* comparisons */
    {.name = "compare",
     .type = OPTION_STRING,
     .min = 1,
     .max = MAX_LIST,
     .value_name = "LIST",
     .help = "Train and evaluate these methods: bt, static, ensemble, drm, attributes, micro, "
	     "lore, panel, or all that the data allows. Another way to adapt follows a +, as in "
	     "micro+lore. Curves and maps are made of the last one.",
     .offset = AT(compare)},
    OPTIONAL_FILE(
	"test", AT(test),
	"Pairs of other people, whose choices are predicted; needed, and not those of --data."),
    {.name = "seeds",
     .type = OPTION_INT,
     .min = 1,
     .max = 100,
     .default_text = "3",
     .value_name = "N",
     .help = "Trainings of each method; figures are their means and standard deviations.",
     .offset = AT(seeds)},
    SEED_ROW(MAX_SEED - 100, "1", AT(seed), "The first seed; the others follow."),
    {.name = "heads",
     .type = OPTION_INT,
     .min = 2,
     .max = HEADS_MAX,
     .default_text = "16",
     .value_name = "K",
     .help = "Heads of the methods that are free to have any number.",
     .offset = AT(heads)},
    {.name = "epochs",
     .type = OPTION_INT,
     .min = 1,
     .max = 100000,
     .value_name = "N",
     .help = "Passes over the pairs; by default each method's own.",
     .offset = AT(epochs)},
    ENCODER_ROW(NULL, AT(encoder),
		ENCODER_SPECS ". Not given: "
			      "what a features file was made with, " ENCODER_DEFAULT_SPEC
			      " for other data."),
    OPTIONAL_FILE("route", AT(route),
		  "Pairs with a context for stage 2, of methods whose router can learn."),
    OPTIONAL_FILE(
	"contexts", AT(contexts),
	"Pairs with a context, predicted by the router alone; by default those of --test."),
    {.name = "heads-curve",
     .type = OPTION_STRING,
     .min = 1,
     .max = MAX_LIST,
     .value_name = "K,K,...",
     .help = "Train the last method also with these numbers of heads.",
     .offset = AT(heads_curve_text)},
    {.name = "budgets",
     .type = OPTION_STRING,
     .min = 1,
     .max = MAX_LIST,
     .value_name = "N,N,...",
     .help = "Give stage 2 of the last method also these numbers of pairs.",
     .offset = AT(budgets_text)},
    OPTIONAL_FILE("report", AT(report),
		  "Write everything as one HTML page; replaced as a whole or not at all."),
    THREADS_ROW(AT(threads), "Threads of stage 1 on vectors; their number changes no figure."),
    FLAG_ROW("quiet", AT(quiet), "Print no progress, which goes to the standard error."),
};

static const char *const of_one_model[] = {"model", "adapt", "tau", "drift"};

/* ---- which way the command is used ---- */

static enum status check_one_model(int argc, char **argv, const struct eval_config *config,
				   struct err *err)
{
	const char *adapt = adapts[config->adapt];

	for (size_t i = OF_COMPARISONS + 1; i < N_OPTIONS; i++) {
		if (options_given(argc, argv, options[i].name))
			return err_set(err, STATUS_USAGE, "--%s goes with --compare only",
				       options[i].name);
	}
	if (config->model == NULL)
		return err_set(err, STATUS_USAGE,
			       "--model is missing; it is needed, but for --compare");
	for (size_t i = 1; i < LENGTH(of_one_model) && config->shots_text == NULL; i++) {
		if (options_given(argc, argv, of_one_model[i]))
			return err_set(err, STATUS_USAGE,
				       "--%s needs --shots, the numbers of feedbacks to adapt to",
				       of_one_model[i]);
	}
	for (size_t i = 2; i < LENGTH(of_one_model) && config->adapt != ADAPT_HEDGE; i++) {
		if (options_given(argc, argv, of_one_model[i]))
			return err_set(err, STATUS_USAGE,
				       "--%s goes with --adapt hedge, not with --adapt %s",
				       of_one_model[i], adapt);
	}
	return STATUS_OK;
}

/* The report must not replace an input, and inputs' paths go into output that is UTF-8 by
 * definition. */
static enum status check_paths(const struct eval_config *config, struct err *err)
{
	const struct {
		const char *option, *path;
	} inputs[] = {{"data", config->data},
		      {"test", config->test},
		      {"route", config->route},
		      {"contexts", config->contexts}};
	enum status status = STATUS_OK;

	for (size_t i = 0; i < 4 && status == STATUS_OK; i++) {
		const char *path = inputs[i].path;

		status = usage_utf8(path, inputs[i].option, err);
		if (status == STATUS_OK && path != NULL && config->report != NULL)
			status =
			    usage_keep_from("report", config->report, path, inputs[i].option, err);
	}
	return status;
}

static enum status check_comparison(int argc, char **argv, const struct eval_config *config,
				    struct err *err)
{
	for (size_t i = 0; i < LENGTH(of_one_model); i++) {
		if (options_given(argc, argv, of_one_model[i]))
			return err_set(
			    err, STATUS_USAGE,
			    "--%s does not go with --compare, which trains models of its "
			    "own and names their way to adapt after a +",
			    of_one_model[i]);
	}
	if (config->test == NULL)
		return err_set(err, STATUS_USAGE,
			       "--test is missing; --compare needs pairs of other people");
	if (config->route == NULL && config->budgets_text != NULL)
		return err_set(err, STATUS_USAGE, "--budgets needs the pairs of --route");
	return check_paths(config, err);
}

/* ---- lists ---- */

static enum status read_list(const char *option, const char *text, size_t min, size_t max,
			     struct number_list *list, struct err *err)
{
	if (text == NULL)
		return STATUS_OK;
	return number_list_read(option, text, min, max, list, err);
}

static enum status read_lists(struct eval_config *config, struct err *err)
{
	enum status status;

	const char *shots = config->shots_text;

	if (config->compare != NULL && shots == NULL)
		shots = DEFAULT_SHOTS;
	status = read_list("shots", shots, 0, MAX_SHOTS, &config->shots, err);
	if (status == STATUS_OK)
		status = read_list("heads-curve", config->heads_curve_text, 2, HEADS_MAX,
				   &config->heads_curve, err);
	if (status == STATUS_OK)
		status = read_list("budgets", config->budgets_text, 2, UINT32_MAX - 1,
				   &config->budgets, err);
	if (status == STATUS_OK && config->compare != NULL)
		status = usage_of_option(
		    compare_methods_parse(config->compare, &config->methods, err), "compare", err);
	return status;
}

enum status eval_config_parse(int argc, char **argv, struct eval_config *config_out,
			      struct err *err)
{
	enum status status;

	*config_out = (struct eval_config){0};
	status = options_parse(options, N_OPTIONS, argc, argv, config_out, NULL, NULL, err);
	if (status != STATUS_OK)
		return status;
	if (config_out->compare == NULL)
		status = check_one_model(argc, argv, config_out, err);
	else
		status = check_comparison(argc, argv, config_out, err);
	return status == STATUS_OK ? read_lists(config_out, err) : status;
}

const struct help eval_config_help = {
    .usage = "micro-model eval --model FILE --data FILE [options]\n"
	     "micro-model eval --compare LIST --data FILE --test FILE [options]",
    .about = "Prints the accuracy and the negative log-likelihood (NLL, nats a pair) of a\n"
	     "model on preference pairs: overall, for each context, and the mean of the\n"
	     "contexts. With --compare it trains several methods on one file and shows side by\n"
	     "side how well they predict another.",
    .groups = {&(const struct help_group){.specs = options, .n_specs = OF_COMPARISONS},
	       &(const struct help_group){.title = "to compare methods",
					  .specs = options + OF_COMPARISONS,
					  .n_specs = N_OPTIONS - OF_COMPARISONS}},
};
