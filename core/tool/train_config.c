/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/train_config.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "core/base/options.h"
#include "core/encode/encoder.h"
#include "core/encode/template.h"
#include "core/tool/encoder_address.h"
#include "core/tool/shared_options.h"
#include "core/tool/usage.h"

#define AT(field) offsetof(struct train_config, field)
#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

/* in the order of enum objective and enum router_kind */
static const char *const objectives[] = {"auto",       "bt",   "static", "ensemble", "drm",
					 "attributes", "lore", "micro",	 "panel",    NULL};
static const char *const routers[] = {"static", "linear", "mlp", NULL};

static const struct option_spec options[] = {
    REQUIRED_FILE("data", AT(data),
		  "Preference pairs, JSON lines, also gzip-compressed, or a features file."),
    REQUIRED_FILE("out", AT(out), "Model file to write; replaced as a whole or not at all."),
    ENCODER_ROW(NULL, AT(encoder),
		ENCODER_SPECS ". Not given: "
			      "what a features file was made with, " ENCODER_DEFAULT_SPEC
			      " for other data."),
    ENCODER_ADDRESS_OPTION(AT(encoder_url)),
    TEMPLATE_ROW("template-phi", AT(template_phi),
		 "What the heads read, of {context}, {prompt} and {response}. Not given: what a "
		 "features file was made with, otherwise " TEMPLATE_DEFAULT_PHI "."),
    TEMPLATE_ROW(
	"template-psi", AT(template_psi),
	"What the router reads, of {context} and {prompt}. Not given: what a features file "
	"was made with, otherwise {context}, a new line, {prompt}."),
    {.name = "objective",
     .type = OPTION_CHOICE,
     .choices = objectives,
     .default_text = "auto",
     .value_name = "NAME",
     .help = "The method, of those below.",
     .offset = AT(objective)},
    {.name = "heads",
     .type = OPTION_INT,
     .min = 1,
     .max = HEADS_MAX,
     .value_name = "K",
     .help = "Number of reward heads; attributes has one for each context.",
     .offset = AT(heads)},
    {.name = "router",
     .type = OPTION_CHOICE,
     .choices = routers,
     .value_name = "KIND",
     .help = "How context and prompt choose among the heads; static: not at all.",
     .offset = AT(router)},
    {.name = "hidden",
     .type = OPTION_INT,
     .min = 1,
     .max = ROUTER_MAX_HIDDEN,
     .value_name = "H",
     .help = "Hidden units of the mlp router.",
     .offset = AT(hidden)},
    {.name = "epochs",
     .type = OPTION_INT,
     .min = 1,
     .max = 100000,
     .value_name = "N",
     .help = "Passes over the pairs; drm has none.",
     .offset = AT(epochs)},
    {.name = "batch",
     .type = OPTION_INT,
     .min = 1,
     .max = 1000000,
     .value_name = "N",
     .help = "Pairs a gradient step.",
     .offset = AT(batch)},
    {.name = "learning-rate",
     .type = OPTION_REAL,
     .min = 1e-9,
     .max = 10,
     .value_name = "R",
     .help = "Of AdamW, at the start; it falls to zero in a straight line.",
     .offset = AT(learning_rate)},
    {.name = "weight-decay",
     .type = OPTION_REAL,
     .min = 0,
     .max = 10,
     .value_name = "R",
     .help = "Of AdamW.",
     .offset = AT(weight_decay)},
    {.name = "alpha",
     .type = OPTION_REAL,
     .min = 0,
     .max = 100,
     .value_name = "A",
     .help = "micro: weight of the router's negative entropy in the loss.",
     .offset = AT(alpha)},
    {.name = "init-scale",
     .type = OPTION_REAL,
     .min = 0,
     .max = 100,
     .value_name = "S",
     .help = "Standard deviation of the heads' weights at the start.",
     .offset = AT(init_scale)},
    {.name = "anneal",
     .type = OPTION_REAL,
     .min = 1,
     .max = 1e6,
     .value_name = "T",
     .help = "panel: temperature of the users' responsibilities at the start.",
     .offset = AT(anneal)},
    {.name = "holdout",
     .type = OPTION_REAL,
     .min = 0,
     .max = 0.9,
     .value_name = "F",
     .help = "Part of the users (static, lore, panel) or pairs that only measures progress.",
     .offset = AT(holdout)},
    SEED_ROW(MAX_SEED, NULL, AT(seed),
	     "Of all random choices; same data, options and seed make the same file."),
    THREADS_ROW(AT(threads), "Threads for vectors; their number changes no bit of the model."),
    FLAG_ROW("json", AT(json), "Print a JSON object for each epoch and one for the model."),
    FLAG_ROW("quiet", AT(quiet), "Print no progress; with --json the model's object remains."),
};

static void set_defaults(struct train_config *config, enum objective objective)
{
	struct train_options defaults;

	train_defaults(objective, &defaults);
	*config = (struct train_config){
	    .heads = (int64_t)defaults.n_heads,
	    .router = (int)defaults.router,
	    .hidden = (int64_t)defaults.n_hidden,
	    .epochs = (int64_t)defaults.epochs,
	    .batch = (int64_t)defaults.batch,
	    .learning_rate = defaults.learning_rate,
	    .weight_decay = defaults.weight_decay,
	    .alpha = defaults.alpha,
	    .init_scale = defaults.init_scale,
	    .anneal = defaults.anneal,
	    .holdout = defaults.holdout,
	    .seed = (int64_t)defaults.seed,
	};
}

/* Template and path may go into files and output that are UTF-8 by definition. */
static enum status check_texts(const struct train_config *config, struct err *err)
{
	enum status status = usage_utf8(config->template_phi, "template-phi", err);

	if (status == STATUS_OK)
		status = usage_utf8(config->template_psi, "template-psi", err);
	if (status == STATUS_OK && config->json)
		status = usage_utf8(config->out, "out", err);
	return status;
}

enum status train_config_parse(int argc, char **argv, enum objective objective,
			       struct train_config *config_out, struct err *err)
{
	enum status status;

	set_defaults(config_out, objective);
	status = options_parse(options, N_OPTIONS, argc, argv, config_out, NULL, NULL, err);
	if (status != STATUS_OK)
		return status;
	return check_texts(config_out, err);
}

void train_config_options(const struct train_config *config, enum objective objective,
			  struct train_options *options_out)
{
	*options_out = (struct train_options){
	    .objective = objective,
	    .n_heads = (size_t)config->heads,
	    .router = (enum router_kind)config->router,
	    .n_hidden = (size_t)config->hidden,
	    .epochs = (size_t)config->epochs,
	    .batch = (size_t)config->batch,
	    .learning_rate = config->learning_rate,
	    .weight_decay = config->weight_decay,
	    .alpha = config->alpha,
	    .init_scale = config->init_scale,
	    .anneal = config->anneal,
	    .holdout = config->holdout,
	    .seed = (uint64_t)config->seed,
	    .n_threads = (size_t)config->threads,
	};
}

/* The value of an option whose default depends on the objective, as it would be typed. */
static void default_text(const struct option_spec *spec, enum objective objective, char *out,
			 size_t size)
{
	struct train_config config;
	const char *field = (const char *)&config + spec->offset;

	set_defaults(&config, objective);
	if (spec->offset == AT(heads) && *(const int64_t *)field == 0)
		snprintf(out, size, "contexts");
	else if (spec->type == OPTION_INT)
		snprintf(out, size, "%" PRId64, *(const int64_t *)field);
	else if (spec->type == OPTION_CHOICE)
		snprintf(out, size, "%s", spec->choices[*(const int *)field]);
	else if (isnan(*(const double *)field))
		snprintf(out, size, "by K");
	else
		snprintf(out, size, "%g", *(const double *)field);
}

/* Whose default depends on the objective. */
static bool is_trained_with(const struct option_spec *spec)
{
	bool is_value =
	    spec->type == OPTION_INT || spec->type == OPTION_REAL || spec->type == OPTION_CHOICE;

	return is_value && spec->default_text == NULL;
}

/* Of an objective's defaults: they are at most 6 letters, its name may be longer. */
static int column_width(int objective)
{
	int length = (int)strlen(objective_name((enum objective)objective));

	return length < 6 ? 6 : length;
}

static void default_row(const struct option_spec *spec, FILE *out)
{
	fprintf(out, "%-15s", spec->name);
	for (int o = OBJECTIVE_AUTO + 1; o < N_OBJECTIVES; o++) {
		char text[32];

		default_text(spec, (enum objective)o, text, sizeof(text));
		fprintf(out, " %*s", column_width(o), text);
	}
	fputc('\n', out);
}

static bool is_same_for_all(const struct option_spec *spec)
{
	char first[32], text[32];

	default_text(spec, OBJECTIVE_AUTO, first, sizeof(first));
	for (int o = OBJECTIVE_AUTO + 1; o < N_OBJECTIVES; o++) {
		default_text(spec, (enum objective)o, text, sizeof(text));
		if (strcmp(text, first) != 0)
			return false;
	}
	return true;
}

static void write_objectives(FILE *out)
{
	fputs("\nobjectives:\n", out);
	for (int o = 0; o < N_OBJECTIVES; o++)
		fprintf(out, "  %-12s%s\n", objective_name((enum objective)o),
			objective_summary((enum objective)o));
	fprintf(out, "\ndefaults by objective:\n%15s", "");
	for (int o = OBJECTIVE_AUTO + 1; o < N_OBJECTIVES; o++)
		fprintf(out, " %*s", column_width(o), objective_name((enum objective)o));
	fputc('\n', out);
	for (size_t i = 0; i < N_OPTIONS; i++) {
		if (is_trained_with(&options[i]) && !is_same_for_all(&options[i]))
			default_row(&options[i], out);
	}
	fputs("for all:", out);
	for (size_t i = 0; i < N_OPTIONS; i++) {
		char text[32];

		if (!is_trained_with(&options[i]) || !is_same_for_all(&options[i]))
			continue;
		default_text(&options[i], OBJECTIVE_AUTO, text, sizeof(text));
		fprintf(out, "  %s %s", options[i].name, text);
	}
	fputc('\n', out);
}

static void write_notes(FILE *out)
{
	write_objectives(out);
	fputs("\nmemory for a features file (N pairs, D features, K heads, H outputs of the\n"
	      "router's first layer, P parameters, batches of B, T threads), at most, in bytes:\n"
	      "  16 P + 4 B (2 D + (K + H) (D/384 + 3) + 4 K) + N (80 + 12 K)\n"
	      "  + static, panel, lore: 8 K a user; lore: 4 K a pair\n"
	      "  + drm: 8 (K + 10) (D + 3 (K + 10)) + 256 D\n"
	      "  + 300 a name + 16 a byte of a name\n"
	      "  + window + 17 MB + 34 MB T\n"
	      "where the window is the file's vectors, if responses and prompts each take less\n"
	      "than an eighth of memory and 4 GB, and 103 MB otherwise or under a limit\n"
	      "of addresses\n",
	      out);
}

const struct help train_config_help = {
    .usage = "micro-model train --data FILE --out FILE [options]",
    .about = "Learns reward heads and a router from preference pairs. Ctrl-C stops and writes\n"
	     "nothing.",
    .groups = {&(const struct help_group){.specs = options, .n_specs = N_OPTIONS}},
    .write_notes = write_notes,
};
