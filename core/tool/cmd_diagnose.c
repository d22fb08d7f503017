/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_diagnose.c - micro-model diagnose: whether personalization is worth it on these pairs. */

#include "core/base/options.h"
#include "core/data/features_file.h"
#include "core/encode/encoder.h"
#include "core/encode/template.h"
#include "core/tool/command.h"
#include "core/tool/diagnose_progress.h"
#include "core/tool/diagnose_report.h"
#include "core/tool/encoder_address.h"
#include "core/tool/interrupt.h"
#include "core/tool/shared_options.h"
#include "core/tool/stopwatch.h"
#include "core/tool/usage.h"

#define AT(field)  offsetof(struct diagnose_config, field)
#define N_OPTIONS  (sizeof(options) / sizeof(options[0]))
#define TEXT(x)	   #x
#define TEXT_OF(x) TEXT(x)

/* Strings point into argv or static memory. */
struct diagnose_config {
	const char *data;
	const char *encoder;
	const char *encoder_url; /* NULL: not given */
	int64_t budget;
	int64_t seed;
	int64_t threads;
	bool json;
	bool quiet;
};

static const struct option_spec options[] = {
    REQUIRED_FILE("data", AT(data), "Preference pairs, JSON lines, also gzip-compressed."),
    ENCODER_ROW(ENCODER_DEFAULT_SPEC, AT(encoder), ENCODER_SPECS "."),
    ENCODER_ADDRESS_OPTION(AT(encoder_url)),
    {.name = "budget",
     .type = OPTION_INT,
     .min = DIAGNOSIS_MIN_PAIRS,
     .max = INT32_MAX,
     .default_text = TEXT_OF(DIAGNOSIS_BUDGET),
     .value_name = "N",
     .help = "Models are fitted and measured on people taken at random until they have this many "
	     "pairs; repeated pairs are counted in all of the data.",
     .offset = AT(budget)},
    SEED_ROW(MAX_SEED, "1", AT(seed),
	     "Of all random choices; same data, options and seed give the same answer."),
    THREADS_ROW(AT(threads), "Threads of the fits on vectors; their number changes no figure."),
    FLAG_ROW("json", AT(json), "Print one JSON object, numbers unrounded."),
    FLAG_ROW("quiet", AT(quiet), "Show no progress; the answer remains."),
};

static const struct help help = {
    .usage = "micro-model diagnose --data FILE [options]",
    .about = "Says, before anyone trains for real, whether personalization is worth it on\n"
	     "these pairs: how much people disagree about the same pair, what no single model\n"
	     "can get below, how many subpopulations held-out people support, and what 1, 4\n"
	     "and 8 feedbacks would bring. Writes no file.",
    .groups = {&(const struct help_group){.specs = options, .n_specs = N_OPTIONS}},
};

/* Everything one diagnosis works with. */
struct diagnosing {
	struct diagnose_config config;
	struct terminal terminal;
	struct diagnose_progress progress;
	struct encoder *encoder;
	struct dataset dataset;
	struct diagnose_report report;
};

static bool on_progress(void *context, const struct diagnosis_progress *state)
{
	struct diagnosing *d = context;

	diagnose_progress_show(&d->progress, state, stopwatch_seconds());
	return !interrupt_seen();
}

static enum status examine(struct diagnosing *d, struct err *err)
{
	struct diagnosis_options diagnosis = {
	    .seed = (uint64_t)d->config.seed,
	    .budget = (size_t)d->config.budget,
	    .n_threads = (size_t)d->config.threads,
	};
	bool silent = d->config.quiet || d->config.json;
	enum status status = repeats_measure(&d->dataset, &d->report.repeats, err);

	if (status != STATUS_OK)
		return status;
	interrupt_catch();
	diagnose_progress_start(&d->progress, silent ? NULL : &d->terminal, stopwatch_seconds());
	status = diagnosis_run(&d->dataset, d->encoder, &diagnosis, on_progress, d,
			       &d->report.diagnosis, err);
	diagnose_progress_end(&d->progress);
	return status;
}

static enum status report(struct diagnosing *d, struct err *err)
{
	d->report.data = d->config.data;
	d->report.encoder = encoder_spec(d->encoder);
	d->report.seed = (uint64_t)d->config.seed;
	if (d->config.json)
		return diagnose_report_json(&d->report, stdout, err);
	return diagnose_report_text(&d->report, &d->terminal, err);
}

/* Which pairs are the same, their texts (or vectors) tell; a features file has a row for each. */
static enum status check_data(const char *data, struct err *err)
{
	if (!features_file_is(data))
		return STATUS_OK;
	return err_set(err, STATUS_USAGE,
		       "--data %s: a features file, which does not tell which pairs are the same; "
		       "want the pairs that it was made of",
		       data);
}

static enum status run(int argc, char **argv, struct err *err)
{
	struct diagnosing d = {0};
	struct encoder_options address;
	enum status status =
	    options_parse(options, N_OPTIONS, argc, argv, &d.config, NULL, NULL, err);

	if (status != STATUS_OK)
		return status;
	terminal_init(&d.terminal, stdout);
	status = check_data(d.config.data, err);
	if (status == STATUS_OK)
		status = encoder_address_options(d.config.encoder_url, &address, err);
	if (status == STATUS_OK)
		status = usage_of_option(
		    encoder_open_at(d.config.encoder, &address, &d.encoder, err), "encoder", err);
	if (status == STATUS_OK)
		status = dataset_read(d.config.data, d.encoder, TEMPLATE_DEFAULT_PHI,
				      TEMPLATE_DEFAULT_PSI, &d.dataset, err);
	if (status == STATUS_OK)
		status = examine(&d, err);
	if (status == STATUS_OK)
		status = report(&d, err);
	dataset_free(&d.dataset);
	encoder_close(d.encoder);
	return status;
}

const struct command diagnose_command = {
    .name = "diagnose",
    .summary = "says whether personalization is worth it on preference pairs",
    .help = &help,
    .run = run,
};
