/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_heads.c - micro-model heads: which heads to trust, and what to do about the others. */
#include <stddef.h>

#include "core/base/mem.h"
#include "core/base/options.h"
#include "core/tool/command.h"
#include "core/tool/encoder_address.h"
#include "core/tool/heads_report.h"
#include "core/tool/shared_options.h"
#include "core/tool/usage.h"

#define AT(field) offsetof(struct heads_config, field)
#define N_OPTIONS (sizeof(options) / sizeof(options[0]))
#define NO_MERGE  (-1.0)

/* Strings point into argv. */
struct heads_config {
	const char *model;
	const char *encoder_url; /* NULL: not given */
	const char *data;	 /* NULL: the heads are not scored */
	const char *out;	 /* NULL: nothing is written */
	const char *audit;	 /* NULL: none */
	struct head_orders orders;
	double merge; /* NO_MERGE: none */
	double audit_threshold;
	bool json;
};

/* Everything that one call works with. */
struct examination {
	struct heads_config config;
	const char **paths;	  /* [n_datasets]: --data, then what stands without an option */
	struct dataset *datasets; /* [n_datasets]; zeroed until they are read */
	size_t n_datasets;
	struct model model;
	struct encoder *encoder; /* NULL until there is data to read */
	struct head_audit audit;
	struct head_merging merging;
};

static const struct option_spec options[] = {
    REQUIRED_FILE("model", AT(model), "Model file."),
    ENCODER_ADDRESS_OPTION(AT(encoder_url)),
    OPTIONAL_FILE("data", AT(data),
		  "Labelled pairs, JSON lines, also gzip-compressed, or a features file; more "
		  "files may follow, correlations are over all of them."),
    OPTIONAL_FILE("out", AT(out),
		  "Model file to write, which may be that of --model; it is replaced as a whole."),
    {.name = "label",
     .type = OPTION_STRING,
     .min = 1,
     .max = 65536,
     .value_name = "K=NAME,...",
     .help = "Name heads, such as 0=terse,3=warm.",
     .offset = AT(orders.label)},
    {.name = "mask",
     .type = OPTION_STRING,
     .min = 1,
     .max = 65536,
     .value_name = "K,...",
     .help = "Take heads out: their weight is 0 for everybody.",
     .offset = AT(orders.mask)},
    {.name = "unmask",
     .type = OPTION_STRING,
     .min = 1,
     .max = 65536,
     .value_name = "K,...",
     .help = "Take masked heads in again.",
     .offset = AT(orders.unmask)},
    OPTIONAL_FILE(
	"audit", AT(audit),
	"Safety set: mask the heads that score too many rejected responses above the chosen ones."),
    {.name = "audit-threshold",
     .type = OPTION_REAL,
     .min = 0,
     .max = 1,
     .default_text = "0.5",
     .value_name = "SHARE",
     .help = "More than this share of the safety set's pairs is too many.",
     .offset = AT(audit_threshold)},
    {.name = "merge",
     .type = OPTION_REAL,
     .min = 0,
     .max = 1,
     .value_name = "CORRELATION",
     .help = "Merge heads whose predictions on the data correlate by this or more. The data "
	     "should be held out from training.",
     .offset = AT(merge)},
    FLAG_ROW("json", AT(json), "Print one JSON object, numbers unrounded."),
};

static const struct help help = {
    .usage = "micro-model heads --model FILE [--data FILE [FILE...]] [options]",
    .about = "Prints how well each head alone predicts labelled pairs, the best head of each\n"
	     "context, and how the heads' predictions correlate. With --out it also writes\n"
	     "the model with labels, masks, audit and merge, done in this order; without it\n"
	     "--audit and --merge only say what they would do.",
    .groups = {&(const struct help_group){.specs = options, .n_specs = N_OPTIONS}},
};

static bool has_orders(const struct head_orders *orders)
{
	return orders->label != NULL || orders->mask != NULL || orders->unmask != NULL;
}

static bool has_changes(const struct heads_config *config)
{
	return has_orders(&config->orders) || config->audit != NULL || config->merge >= 0;
}

/* Options that only make sense together. */
static enum status check_config(const struct examination *e, struct err *err)
{
	const struct heads_config *config = &e->config;
	enum status status = STATUS_OK;

	if (config->merge >= 0 && config->data == NULL)
		return err_set(err, STATUS_USAGE,
			       "--merge needs --data, pairs to compare heads on");
	if (has_orders(&config->orders) && config->out == NULL)
		return err_set(err, STATUS_USAGE,
			       "a change needs --out, the model file to write; it may be %s",
			       config->model);
	if (config->out == NULL)
		return STATUS_OK;
	if (!has_changes(config))
		return err_set(err, STATUS_USAGE,
			       "--out without a change: want --label, --mask, "
			       "--unmask, --audit or --merge");
	for (size_t j = 0; j < e->n_datasets && status == STATUS_OK; j++)
		status = usage_keep(config->out, e->paths[j], "data", err);
	if (status == STATUS_OK && config->audit != NULL)
		status = usage_keep(config->out, config->audit, "audit", err);
	return status;
}

static enum status read_config(struct examination *e, int argc, char **argv, struct err *err)
{
	enum status status;

	/* room for --data's before the others */
	e->paths = mem_array((size_t)argc + 1, sizeof(*e->paths));
	if (e->paths == NULL)
		return err_no_memory(err, "the options");
	status = options_parse(options, N_OPTIONS, argc, argv, &e->config, e->paths + 1,
			       &e->n_datasets, err);
	if (status != STATUS_OK)
		return status;
	if (e->config.data == NULL && e->n_datasets > 0)
		return err_set(err, STATUS_USAGE,
			       "unexpected argument %s, want the first data file after --data",
			       e->paths[1]);
	if (e->config.data != NULL) {
		e->paths[0] = e->config.data;
		e->n_datasets++;
	}
	return check_config(e, err);
}

static enum status read_dataset(const struct examination *e, const char *path,
				struct dataset *dataset_out, struct err *err)
{
	return dataset_read(path, e->encoder, e->model.template_phi, e->model.template_psi,
			    dataset_out, err);
}

static enum status open_encoder(struct examination *e, struct err *err)
{
	struct encoder_options address;
	enum status status = encoder_address_options(e->config.encoder_url, &address, err);

	if (status != STATUS_OK)
		return status;
	return model_open_encoder(&e->model, &address, &e->encoder, err);
}

static enum status read_datasets(struct examination *e, struct err *err)
{
	enum status status = STATUS_OK;

	e->datasets = mem_array(e->n_datasets, sizeof(*e->datasets));
	if (e->datasets == NULL)
		return err_no_memory(err, "the data");
	if (e->n_datasets > 0 || e->config.audit != NULL)
		status = open_encoder(e, err);
	for (size_t j = 0; j < e->n_datasets && status == STATUS_OK; j++)
		status = read_dataset(e, e->paths[j], &e->datasets[j], err);
	return status;
}

static enum status audit(struct examination *e, struct err *err)
{
	struct dataset safety;
	enum status status = read_dataset(e, e->config.audit, &safety, err);

	if (status != STATUS_OK)
		return status;
	status = head_changes_audit(&e->model, &safety, e->config.audit_threshold, &e->audit, err);
	dataset_free(&safety);
	return status == STATUS_OK ? status : err_wrap(err, "%s", e->config.audit);
}

static enum status change(struct examination *e, struct err *err)
{
	enum status status = head_changes_order(&e->model, &e->config.orders, err);

	if (status == STATUS_OK && e->config.audit != NULL)
		status = audit(e, err);
	if (status == STATUS_OK && e->config.merge >= 0)
		status = head_changes_merge(&e->model, e->datasets, e->n_datasets, e->config.merge,
					    &e->merging, err);
	return status;
}

/* Nothing is written, and nothing printed, unless all of it succeeds. */
static enum status save_and_report(struct examination *e, struct err *err)
{
	struct heads_report report = {
	    .model = &e->model,
	    .out = e->config.out,
	    .audit = &e->audit,
	    .audit_data = e->config.audit,
	    .merging = &e->merging,
	    .paths = e->paths,
	    .datasets = e->datasets,
	    .n_datasets = e->n_datasets,
	};
	struct terminal terminal;
	enum status status = heads_report_score(&report, err);

	if (status == STATUS_OK && e->config.out != NULL)
		status = model_save(&e->model, e->config.out, err);
	if (status == STATUS_OK) {
		terminal_init(&terminal, stdout);
		status = e->config.json ? heads_report_json(&report, stdout, err)
					: heads_report_text(&report, &terminal, err);
	}
	heads_report_free(&report);
	return status;
}

static void examination_free(struct examination *e)
{
	head_audit_free(&e->audit);
	head_merging_free(&e->merging);
	if (e->datasets != NULL) {
		for (size_t j = 0; j < e->n_datasets; j++)
			dataset_free(&e->datasets[j]);
	}
	mem_free(e->datasets);
	mem_free(e->paths);
	encoder_close(e->encoder);
	model_free(&e->model);
}

static enum status run(int argc, char **argv, struct err *err)
{
	struct examination e = {.config = {.merge = NO_MERGE}};
	enum status status = read_config(&e, argc, argv, err);

	if (status == STATUS_OK)
		status = model_load(e.config.model, &e.model, err);
	if (status == STATUS_OK)
		status = read_datasets(&e, err);
	if (status == STATUS_OK)
		status = change(&e, err);
	if (status == STATUS_OK)
		status = save_and_report(&e, err);
	examination_free(&e);
	return status;
}

const struct command heads_command = {
    .name = "heads",
    .summary = "scores the heads of a model; labels, masks and merges them",
    .help = &help,
    .run = run,
};
