/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REDRAW_SECONDS 0.1
#define BAR_MAX_WIDTH  24
#define BAR_MIN_WIDTH  6
#define LINE_TEXT      256
#define WIPE	       "\r\033[K"

void progress_start(struct progress *progress, struct terminal *terminal, enum progress_form form,
		    double now)
{
	*progress = (struct progress){
	    .terminal = terminal,
	    .form = form,
	    .started = now,
	    .drawn = now - REDRAW_SECONDS,
	};
}

/* pairs a second since the start, 0 before the clock has moved */
static double rate_of(const struct progress *progress, const struct train_progress *state,
		      double now)
{
	double seconds = now - progress->started;

	return seconds > 0 ? (double)state->pairs_done / seconds : 0;
}

/* "1:02:03" or "2:03"; "?" as long as there is no rate */
static void duration_text(double pairs, double rate, char *out, size_t size)
{
	unsigned long seconds;

	if (!(rate > 0)) {
		snprintf(out, size, "?");
		return;
	}
	seconds = (unsigned long)(pairs / rate + 0.5);
	if (seconds >= 3600)
		snprintf(out, size, "%lu:%02lu:%02lu", seconds / 3600, seconds / 60 % 60,
			 seconds % 60);
	else
		snprintf(out, size, "%lu:%02lu", seconds / 60, seconds % 60);
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
	char held[96] = "", left[32];

	if (heldout->n_heldout > 0)
		snprintf(held, sizeof(held), "  held out: accuracy %.4f, NLL %.4f",
			 heldout->heldout_accuracy, heldout->heldout_nll);
	duration_text((double)(state->pairs_total - state->pairs_done), rate, left, sizeof(left));
	snprintf(out, LINE_TEXT, "  NLL %.4f%s  %.0f pairs/s  %s left", state->nll, held, rate,
		 left);
}

static void print_epoch(const struct progress *progress, const struct train_progress *state,
			double now)
{
	char epoch[LINE_TEXT], figures[LINE_TEXT];

	epoch_text(state, epoch);
	figures_text(progress, state, state, now, figures);
	fprintf(progress->terminal->out, "%s%s%s\n", progress->line_open ? WIPE : "", epoch,
		figures);
}

/* As much as the window holds: a line that wraps cannot be redrawn. */
static void redraw(struct progress *progress, const struct train_progress *state, double now)
{
	struct terminal *terminal = progress->terminal;
	char epoch[LINE_TEXT], figures[LINE_TEXT];
	int room;

	terminal_measure(terminal);
	epoch_text(state, epoch);
	figures_text(progress, state, &progress->last_epoch, now, figures);
	room = terminal->width - 1 - (int)strlen(epoch);
	if (room < 0)
		room = 0;
	fprintf(terminal->out, WIPE "%.*s", terminal->width - 1, epoch);
	if (room >= (int)strlen(figures) + 2 + BAR_MIN_WIDTH) {
		int width = room - (int)strlen(figures) - 2;

		fputs("  ", terminal->out);
		terminal_bar(terminal, width < BAR_MAX_WIDTH ? width : BAR_MAX_WIDTH,
			     (double)state->pairs_done / (double)state->pairs_total);
	}
	fprintf(terminal->out, "%.*s", room, figures);
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
		   now - progress->drawn >= REDRAW_SECONDS) {
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
		fputs(WIPE, progress->terminal->out);
	progress->line_open = false;
}
