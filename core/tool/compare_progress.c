/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/compare_progress.h"

#include <stdio.h>

#include "core/tool/bar.h"

#define LINE_TEXT 160

void compare_display_start(struct compare_display *display, struct terminal *terminal, double now)
{
	*display = (struct compare_display){
	    .terminal = terminal,
	    .started = now,
	    .drawn = now - BAR_REDRAW_SECONDS,
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

/* Trainings that are over, with the part of the one that runs. */
static double trainings_done(const struct compare_progress *state)
{
	const struct train_progress *fit = &state->fit;
	double part =
	    fit->pairs_total == 0 ? 0 : (double)fit->pairs_done / (double)fit->pairs_total;

	return (double)(state->step - 1) + part;
}

/* The time that is left is told as if all trainings took the same, which is roughly true. */
static void redraw(struct compare_display *display, const struct compare_progress *state,
		   double now)
{
	double done = trainings_done(state), all = (double)state->n_steps;
	char step[LINE_TEXT], figures[LINE_TEXT], left[32];

	step_text(state, step);
	bar_duration(all - done, done / (now - display->started), left, sizeof(left));
	snprintf(figures, sizeof(figures), "  epoch %zu/%zu  about %s left", state->fit.epoch,
		 state->fit.n_epochs, left);
	bar_draw(display->terminal, step, done / all, figures);
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
	} else if (terminal->interactive && now - display->drawn >= BAR_REDRAW_SECONDS) {
		redraw(display, state, now);
	}
	fflush(terminal->out);
}

void compare_display_end(struct compare_display *display)
{
	if (display->line_open)
		fputs(BAR_WIPE, display->terminal->out);
	display->line_open = false;
}
