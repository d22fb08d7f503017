/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_import.c - micro-model import: somebody else's checkpoint in, a model file out. */
#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "core/base/options.h"
#include "core/encode/template.h"
#include "core/model/import.h"
#include "core/tool/command.h"
#include "core/tool/encoder_address.h"
#include "core/tool/head_likeness.h"
#include "core/tool/head_list.h"
#include "core/tool/model_report.h"
#include "core/tool/shared_options.h"
#include "core/tool/table.h"
#include "core/tool/usage.h"

#define AT(field) offsetof(struct import_config, field)
#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

/* Strings point into argv or the table. */
struct import_config {
	const char *from;
	const char *out;
	const char *encoder; /* NULL: none:D */
	const char *encoder_url;
	const char *labels; /* NULL: the default ones */
	const char *template_phi;
	const char *template_psi;
	bool json;
};

static const struct option_spec options[] = {
    {.name = "from",
     .type = OPTION_STRING,
     .min = 1,
     .max = PATH_MAX - 1,
     .required = true,
     .value_name = "PATH",
     .help = "Safetensors file, or Hugging Face folder with model.safetensors or with "
	     "model.safetensors.index.json and its shards.",
     .offset = AT(from)},
    {.name = "out",
     .type = OPTION_STRING,
     .min = 1,
     .max = PATH_MAX - 1,
     .required = true,
     .value_name = "FILE",
     .help = "Model file to write; it is replaced as a whole.",
     .offset = AT(out)},
    ENCODER_ROW(NULL, AT(encoder),
		"Encoder of the vectors that the heads read; without it none:D: callers send "
		"the backbone's vectors."),
    ENCODER_ADDRESS_OPTION(AT(encoder_url)),
    {.name = "labels",
     .type = OPTION_STRING,
     .min = 1,
     .max = 65536,
     .value_name = "A,B,...",
     .help = "Names of the heads, one for each.",
     .offset = AT(labels)},
    {.name = "template-phi",
     .type = OPTION_STRING,
     .min = 1,
     .max = 65536,
     .default_text = TEMPLATE_DEFAULT_PHI,
     .value_name = "TEXT",
     .help = "Text that is encoded for the heads, with {context}, {prompt} and {response}.",
     .offset = AT(template_phi)},
    {.name = "template-psi",
     .type = OPTION_STRING,
     .min = 1,
     .max = 65536,
     .default_text = TEMPLATE_DEFAULT_PSI,
     .value_name = "TEXT",
     .help = "Text that is encoded for the router, with {context} and {prompt}.",
     .offset = AT(template_psi)},
    FLAG_ROW("json", AT(json), "Print one JSON object, as show --json does."),
};

static const struct help help = {
    .usage = "micro-model import --from PATH --out FILE [options]",
    .about = "Makes a model file of somebody else's checkpoint. Read, in F32, F16 or BF16:\n\n"
	     "  score.weight [K,D]                   the heads; K is 1 in a plain reward model\n"
	     "  router.weight [K,D], router.bias [K] a linear router\n"
	     "  router.0.weight, router.0.bias, router.2.weight, router.2.bias\n"
	     "                                       an mlp router\n\n"
	     "Without a router the heads weigh the same. Other tensors are not looked at.",
    .groups = {&(const struct help_group){.specs = options, .n_specs = N_OPTIONS}},
};

/* The folder that path lies in. */
static void folder_of(const char *path, char folder_out[PATH_MAX + 1])
{
	const char *slash = strrchr(path, '/');
	size_t len = slash == NULL ? 0 : (size_t)(slash - path) + 1;

	memcpy(folder_out, path, len);
	strcpy(folder_out + len, ".");
}

/* The checkpoint stays as it is: weights of a backbone are not easily had again. */
static enum status check_out(const struct import_config *config, struct err *err)
{
	char folder[PATH_MAX + 1];
	enum status status = usage_keep(config->out, config->from, "from", err);

	if (status != STATUS_OK)
		return status;
	folder_of(config->out, folder);
	if (usage_keep(folder, config->from, "from", NULL) != STATUS_OK)
		return err_set(err, STATUS_USAGE,
			       "--out %s lies in the folder of --from, want another", config->out);
	return STATUS_OK;
}

static enum status read_config(int argc, char **argv, struct import_config *config, struct err *err)
{
	enum status status = options_parse(options, N_OPTIONS, argc, argv, config, NULL, NULL, err);

	if (status == STATUS_OK)
		status = usage_of_option(template_check(config->template_phi, true, err),
					 "template-phi", err);
	if (status == STATUS_OK)
		status = usage_of_option(template_check(config->template_psi, false, err),
					 "template-psi", err);
	return status == STATUS_OK ? check_out(config, err) : status;
}

/* What was imported from where, as the facts have it. */
static enum status print_text(const struct import_config *config, const struct model *model,
			      const struct terminal *terminal, struct err *err)
{
	static const struct table_column columns[] = {{NULL, ALIGN_LEFT}, {NULL, ALIGN_LEFT}};
	size_t prefix_len = strlen(IMPORT_FACT_PREFIX);
	struct table table;
	enum status status;

	fprintf(terminal->out, "%s: heads: %zu of dimension %zu, router: %s, encoder: %s\n",
		config->out, model->heads.n_heads, model->heads.dim,
		router_kind_name(model->router.kind), model->encoder_spec);
	fprintf(terminal->out, "model %s\n\n", model->id);
	table_init(&table, columns, 2);
	for (size_t i = 0; i < model->n_facts; i++) {
		const struct model_fact *fact = &model->facts[i];

		if (strncmp(fact->key, IMPORT_FACT_PREFIX, prefix_len) != 0)
			continue;
		table_add(&table, "%s", fact->key + prefix_len);
		table_add(&table, "%s", fact->value);
	}
	status = table_print(&table, terminal, err);
	table_free(&table);
	return status;
}

static enum status print_json(const struct model *model, struct err *err)
{
	struct head_likeness likeness;
	enum status status = head_likeness_init(&likeness, &model->heads, err);

	if (status != STATUS_OK)
		return status;
	status = model_report_json(model, &likeness, stdout, err);
	head_likeness_free(&likeness);
	return status;
}

static enum status run(int argc, char **argv, struct err *err)
{
	struct import_config config;
	struct import_options import;
	struct encoder_options address;
	struct terminal terminal;
	struct model model;
	enum status status = read_config(argc, argv, &config, err);

	if (status != STATUS_OK)
		return status;
	status = encoder_address_options(config.encoder_url, &address, err);
	if (status != STATUS_OK)
		return status;
	import = (struct import_options){config.encoder, &address, config.template_phi,
					 config.template_psi};
	status = import_model(config.from, &import, &model, err);
	if (status != STATUS_OK)
		return status;
	if (config.labels != NULL)
		status = usage_of_option(head_list_all_labels(config.labels, &model, err), "labels",
					 err);
	if (status == STATUS_OK)
		status = model_save(&model, config.out, err);
	if (status == STATUS_OK) {
		terminal_init(&terminal, stdout);
		status = config.json ? print_json(&model, err)
				     : print_text(&config, &model, &terminal, err);
	}
	model_free(&model);
	return status;
}

const struct command import_command = {
    .name = "import",
    .summary = "makes a model of somebody else's checkpoint",
    .help = &help,
    .run = run,
};
