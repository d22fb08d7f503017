/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/progress.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/tool/bar.h"

#define LINE_TEXT 256

enum progress_form progress_form(bool quiet, bool json)
{
	if (quiet)
		return PROGRESS_NONE;
	return json ? PROGRESS_JSON : PROGRESS_PEOPLE;
}

void progress_start(struct progress *progress, struct terminal *terminal, enum progress_form form,
		    double now)
{
	*progress = (struct progress){
	    .terminal = terminal,
	    .form = form,
	    .started = now,
	    .drawn = now - BAR_REDRAW_SECONDS,
	};
}

/* pairs a second since the start, 0 before the clock has moved */
static double rate_of(const struct progress *progress, const struct train_progress *state,
		      double now)
{
	double seconds = now - progress->started;

	return seconds > 0 ? (double)state->pairs_done / seconds : 0;
}

static void epoch_text(const struct train_progress *state, char out[LINE_TEXT])
{
	int digits = snprintf(NULL, 0, "%zu", state->n_epochs);

	snprintf(out, LINE_TEXT, "epoch %*zu/%zu", digits, state->epoch, state->n_epochs);
}

/* What follows the epoch; heldout: an epoch's end, n_heldout 0 if there are no figures. */
static void figures_text(const struct progress *progress, const struct train_progress *state,
			 const struct train_progress *heldout, double now, char out[LINE_TEXT])
{
	double rate = rate_of(progress, state, now);
	char nll[32] = "", held[96] = "", left[32];

	if (!isnan(state->nll))
		snprintf(nll, sizeof(nll), "  NLL %.4f", state->nll);
	if (heldout->n_heldout > 0)
		snprintf(held, sizeof(held), "  held out: accuracy %.4f, NLL %.4f",
			 heldout->heldout_accuracy, heldout->heldout_nll);
	bar_duration((double)(state->pairs_total - state->pairs_done), rate, left, sizeof(left));
	snprintf(out, LINE_TEXT, "%s%s  %.0f pairs/s  %s left", nll, held, rate, left);
}

static void print_epoch(const struct progress *progress, const struct train_progress *state,
			double now)
{
	char epoch[LINE_TEXT], figures[LINE_TEXT];

	epoch_text(state, epoch);
	figures_text(progress, state, state, now, figures);
	fprintf(progress->terminal->out, "%s%s%s\n", progress->line_open ? BAR_WIPE : "", epoch,
		figures);
}

static void redraw(struct progress *progress, const struct train_progress *state, double now)
{
	char epoch[LINE_TEXT], figures[LINE_TEXT];

	epoch_text(state, epoch);
	figures_text(progress, state, &progress->last_epoch, now, figures);
	bar_draw(progress->terminal, epoch, (double)state->pairs_done / (double)state->pairs_total,
		 figures);
	progress->line_open = true;
	progress->drawn = now;
}

static void print_json(const struct progress *progress, const struct train_progress *state,
		       double now)
{
	FILE *out = progress->terminal->out;

	fprintf(out, "{\"epoch\":%zu,\"epochs\":%zu,\"nll\":%.17g,\"heldout\":", state->epoch,
		state->n_epochs, state->nll);
	if (state->n_heldout > 0)
		fprintf(out, "{\"n_pairs\":%zu,\"accuracy\":%.17g,\"nll\":%.17g}", state->n_heldout,
			state->heldout_accuracy, state->heldout_nll);
	else
		fputs("null", out);
	fprintf(out, ",\"pairs_per_second\":%.17g,\"seconds\":%.17g}\n",
		rate_of(progress, state, now), now - progress->started);
}

void progress_show(struct progress *progress, const struct train_progress *state, double now)
{
	if (progress->form == PROGRESS_NONE)
		return;
	if (state->epoch_end) {
		progress->last_epoch = *state;
		if (progress->form == PROGRESS_JSON)
			print_json(progress, state, now);
		else
			print_epoch(progress, state, now);
		progress->line_open = false;
	} else if (progress->form == PROGRESS_PEOPLE && progress->terminal->interactive &&
		   now - progress->drawn >= BAR_REDRAW_SECONDS) {
		redraw(progress, state, now);
	}
	fflush(progress->terminal->out);
}

void progress_note(struct progress *progress, const char *format, ...)
{
	FILE *out = progress->terminal->out;
	va_list arguments;

	if (progress->form != PROGRESS_PEOPLE)
		return;
	progress_end(progress);
	va_start(arguments, format);
	vfprintf(out, format, arguments);
	va_end(arguments);
	fputc('\n', out);
	fflush(out);
}

void progress_end(struct progress *progress)
{
	if (progress->line_open)
		fputs(BAR_WIPE, progress->terminal->out);
	progress->line_open = false;
}
