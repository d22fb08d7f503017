/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_embed.c - micro-model embed: preference pairs in, their vectors out, as a features file. */
#include <inttypes.h>
#include <stddef.h>

#include "core/base/options.h"
#include "core/data/features_writer.h"
#include "core/encode/template.h"
#include "core/model/model.h"
#include "core/tool/bar.h"
#include "core/tool/command.h"
#include "core/tool/command_files.h"
#include "core/tool/encoder_address.h"
#include "core/tool/interrupt.h"
#include "core/tool/json_line.h"
#include "core/tool/shared_options.h"
#include "core/tool/stopwatch.h"
#include "core/tool/usage.h"

#define AT(field) offsetof(struct embed_config, field)
#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

/* Strings point into argv. */
struct embed_config {
	const char *data, *out;
	const char *model;						 /* NULL: none */
	const char *encoder, *encoder_url, *template_phi, *template_psi; /* NULL: not given */
	int dtype; /* index in dtype_choices */
	bool json, quiet;
};

/* Everything one call works with. */
struct embedding {
	struct embed_config config;
	struct terminal terminal;
	struct model model;
	struct command_source source;
	struct features_written written;
	double started; /* clock, seconds */
	double encoding_since, drawn;
	bool line_open;
};

static const char *const dtype_choices[] = {"f32", "f16", "bf16", NULL};
static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16};

static const struct option_spec options[] = {
    REQUIRED_FILE("data", AT(data), "Preference pairs, JSON lines, also gzip-compressed."),
    REQUIRED_FILE("out", AT(out),
		  "Features file to write. Until it is complete its name ends in .part."),
    OPTIONAL_FILE("model", AT(model), "Take encoder and templates from this model."),
    ENCODER_ROW(NULL, AT(encoder),
		ENCODER_SPECS ". Not "
			      "given: " ENCODER_DEFAULT_SPEC "."),
    ENCODER_ADDRESS_OPTION(AT(encoder_url)),
    TEMPLATE_ROW("template-phi", AT(template_phi),
		 "What the heads read, of {context}, {prompt} and {response}. Not "
		 "given: " TEMPLATE_DEFAULT_PHI "."),
    TEMPLATE_ROW(
	"template-psi", AT(template_psi),
	"What the router reads, of {context} and {prompt}. Not given: {context}, a new line, "
	"{prompt}."),
    {.name = "dtype",
     .type = OPTION_CHOICE,
     .choices = dtype_choices,
     .default_text = "f32",
     .value_name = "TYPE",
     .help = "Numbers in the file: f16 and bf16 take half the room and are rounded.",
     .offset = AT(dtype)},
    FLAG_ROW("json", AT(json), "Print one JSON object at the end."),
    FLAG_ROW("quiet", AT(quiet), "Print no progress; with --json the object remains."),
};

static const struct help help = {
    .usage = "micro-model embed --data FILE --out FILE [options]",
    .about = "Encodes the texts of preference pairs once and writes their vectors to a\n"
	     "features file, which train, route, eval and heads take in place of the pairs\n"
	     "and read from the disk as they go. Ctrl-C stops; the same command goes on from\n"
	     "there.",
    .groups = {&(const struct help_group){.specs = options, .n_specs = N_OPTIONS}},
};

/* ---- progress ---- */

static void draw(struct embedding *e, const struct features_progress *state, double now)
{
	double seconds = now - e->encoding_since;
	double rate = seconds > 0 ? (double)(state->n_done - state->n_resumed) / seconds : 0;
	char label[64], figures[96], left[32];

	if (state->n_pairs == 0) {
		snprintf(label, sizeof(label), "checking: %zu pairs", state->n_done);
		bar_draw(&e->terminal, label, 0, "");
	} else {
		snprintf(label, sizeof(label), "%zu/%zu pairs", state->n_done, state->n_pairs);
		bar_duration((double)(state->n_pairs - state->n_done), rate, left, sizeof(left));
		snprintf(figures, sizeof(figures), "  %.0f pairs/s  %s left", rate, left);
		bar_draw(&e->terminal, label, (double)state->n_done / (double)state->n_pairs,
			 figures);
	}
	fflush(e->terminal.out);
	e->line_open = true;
	e->drawn = now;
}

static bool on_progress(void *context, const struct features_progress *state)
{
	struct embedding *e = context;
	double now = stopwatch_seconds();

	if (state->n_pairs == 0)
		e->encoding_since = now;
	if (!e->config.quiet && !e->config.json && e->terminal.interactive &&
	    now - e->drawn >= BAR_REDRAW_SECONDS)
		draw(e, state, now);
	return !interrupt_seen();
}

/* ---- result ---- */

static enum status report(const struct embedding *e, struct err *err)
{
	const struct features_written *w = &e->written;
	double seconds = stopwatch_seconds() - e->started;

	if (e->config.json)
		return json_line_print(
		    json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s, s:f}", "out",
			      e->config.out, "encoder", encoder_spec(e->source.encoder), "dtype",
			      dtype_name(dtypes[e->config.dtype]), "n_pairs",
			      (json_int_t)w->n_pairs, "n_users", (json_int_t)w->n_users,
			      "n_contexts", (json_int_t)w->n_contexts, "n_resumed",
			      (json_int_t)w->n_resumed, "n_bytes", (json_int_t)w->n_bytes, "sha256",
			      w->sha256, "seconds", seconds),
		    stdout, err);
	if (e->config.quiet)
		return STATUS_OK;
	if (w->n_resumed > 0)
		printf("%zu pairs had been encoded by an earlier run\n", w->n_resumed);
	printf("%s: %zu pairs, %zu users, %zu contexts, encoder %s, %s, %.1f MB; %.1f s\n",
	       e->config.out, w->n_pairs, w->n_users, w->n_contexts,
	       encoder_spec(e->source.encoder), dtype_name(dtypes[e->config.dtype]),
	       (double)w->n_bytes / 1e6, seconds);
	return STATUS_OK;
}

/* ---- the command ---- */

static enum status check_texts(const struct embed_config *config, struct err *err)
{
	enum status status = usage_utf8(config->template_phi, "template-phi", err);

	if (status == STATUS_OK)
		status = usage_utf8(config->template_psi, "template-psi", err);
	if (status == STATUS_OK && config->json)
		status = usage_utf8(config->out, "out", err);
	return status;
}

static enum status open_source(struct embedding *e, struct err *err)
{
	struct embed_config *config = &e->config;
	enum status status;

	if (features_file_is(config->data))
		return err_set(err, STATUS_USAGE, "--data %s: it is a features file already",
			       config->data);
	if (config->model == NULL)
		return command_open_source(
		    config->data,
		    &(struct command_source_options){config->encoder, config->encoder_url,
						     config->template_phi, config->template_psi},
		    &e->source, err);
	if (config->encoder != NULL || config->template_phi != NULL || config->template_psi != NULL)
		return err_set(err, STATUS_USAGE,
			       "--model says encoder and templates; give it or them, not both");
	status = command_open_model(config->model, config->encoder_url, &e->model,
				    &e->source.encoder, err);
	e->source.template_phi = e->model.template_phi;
	e->source.template_psi = e->model.template_psi;
	return status;
}

static enum status embed(struct embedding *e, struct err *err)
{
	struct features_recipe recipe = {
	    .data = e->config.data,
	    .out = e->config.out,
	    .encoder = e->source.encoder,
	    .template_phi = e->source.template_phi,
	    .template_psi = e->source.template_psi,
	    .dtype = dtypes[e->config.dtype],
	};
	enum status status;

	interrupt_catch();
	status = features_write(&recipe, on_progress, e, &e->written, err);
	if (e->line_open)
		fputs(BAR_WIPE, e->terminal.out);
	return status;
}

static enum status run(int argc, char **argv, struct err *err)
{
	struct embedding e = {.started = stopwatch_seconds()};
	enum status status =
	    options_parse(options, N_OPTIONS, argc, argv, &e.config, NULL, NULL, err);

	terminal_init(&e.terminal, stdout);
	e.encoding_since = e.started;
	if (status == STATUS_OK)
		status = check_texts(&e.config, err);
	if (status == STATUS_OK)
		status = command_check_out(e.config.out, e.config.data, err);
	if (status == STATUS_OK)
		status = open_source(&e, err);
	if (status == STATUS_OK)
		status = embed(&e, err);
	if (status == STATUS_OK)
		status = report(&e, err);
	command_source_free(&e.source);
	model_free(&e.model);
	return status;
}

const struct command embed_command = {
    .name = "embed",
    .summary = "encodes pairs once, into a features file, which may exceed memory",
    .help = &help,
    .run = run,
};
