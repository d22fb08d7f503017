/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/compare_progress.h"

#include <stdio.h>

#define REDRAW_SECONDS 0.1
#define LINE_TEXT      160
#define WIPE	       "\r\033[K"

void compare_display_start(struct compare_display *display, struct terminal *terminal, double now)
{
	*display = (struct compare_display){
	    .terminal = terminal,
	    .started = now,
	    .drawn = now - REDRAW_SECONDS,
	};
}

/* "[3/12] panel, seed 2: stage 1, 16 heads" */
static void step_text(const struct compare_progress *state, char out[LINE_TEXT])
{
	char what[48];

	if (state->kind == COMPARE_TRAIN)
		snprintf(what, sizeof(what), "stage 1, heads: %zu", state->n_heads);
	else if (state->budget == 0)
		snprintf(what, sizeof(what), "stage 2");
	else
		snprintf(what, sizeof(what), "stage 2, pairs: %zu", state->budget);
	snprintf(out, LINE_TEXT, "[%zu/%zu] %s, seed %llu: %s", state->step, state->n_steps,
		 state->method, (unsigned long long)state->seed, what);
}

/* part of the training that runs, 0 to 1 */
static double part_done(const struct train_progress *fit)
{
	return fit->pairs_total == 0 ? 0 : (double)fit->pairs_done / (double)fit->pairs_total;
}

/* As if all trainings took the same time: trainings differ, but not by orders. */
static double seconds_left(const struct compare_display *display,
			   const struct compare_progress *state, double now)
{
	double done = (double)(state->step - 1) + part_done(&state->fit);

	if (!(done > 0))
		return -1;
	return (now - display->started) * ((double)state->n_steps - done) / done;
}

/* No more than the window holds: a line that wraps cannot be redrawn. */
static void redraw(struct compare_display *display, const struct compare_progress *state,
		   double now)
{
	struct terminal *terminal = display->terminal;
	double left = seconds_left(display, state, now);
	char step[LINE_TEXT], line[LINE_TEXT + 96], time[32] = "?";

	terminal_measure(terminal);
	step_text(state, step);
	if (left >= 0)
		snprintf(time, sizeof(time), "%.0f:%02d", left < 60 ? 0 : (left - 30) / 60,
			 (int)left % 60);
	snprintf(line, sizeof(line), "%s  epoch %zu/%zu  %3.0f%%  about %s left", step,
		 state->fit.epoch, state->fit.n_epochs, 100 * part_done(&state->fit), time);
	fprintf(terminal->out, WIPE "%.*s", terminal->width - 1, line);
	display->line_open = true;
	display->drawn = now;
}

void compare_display_show(struct compare_display *display, const struct compare_progress *state,
			  double now)
{
	struct terminal *terminal = display->terminal;
	char step[LINE_TEXT];

	if (terminal == NULL)
		return;
	if (display->step != state->step) {
		display->step = state->step;
		display->step_started = now;
	}
	if (state->step_end) {
		compare_display_end(display);
		step_text(state, step);
		fprintf(terminal->out, "%s  %.1f s\n", step, now - display->step_started);
	} else if (terminal->interactive && now - display->drawn >= REDRAW_SECONDS) {
		redraw(display, state, now);
	}
	fflush(terminal->out);
}

void compare_display_end(struct compare_display *display)
{
	if (display->line_open)
		fputs(WIPE, display->terminal->out);
	display->line_open = false;
}
