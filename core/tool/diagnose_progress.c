/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/diagnose_progress.h"

#include <stdio.h>
#include <string.h>

#define REDRAW_SECONDS 0.1
#define BAR_WIDTH      24
#define WIPE	       "\r\033[K"

void diagnose_progress_start(struct diagnose_progress *progress, struct terminal *terminal,
			     double now)
{
	*progress = (struct diagnose_progress){
	    .terminal = terminal != NULL && terminal->interactive ? terminal : NULL,
	    .started = now,
	    .drawn = now - REDRAW_SECONDS,
	};
}

void diagnose_progress_show(struct diagnose_progress *progress,
			    const struct diagnosis_progress *state, double now)
{
	struct terminal *terminal = progress->terminal;
	char text[96], left[32] = "";
	double seconds = now - progress->started;

	if (terminal == NULL || now - progress->drawn < REDRAW_SECONDS)
		return;
	terminal_measure(terminal);
	if (state->done > 0 && seconds > 0)
		snprintf(left, sizeof(left), "  %.0f s left", seconds / state->done - seconds);
	snprintf(text, sizeof(text), "fit %zu/%zu: %2zu heads  %3.0f %%%s", state->fit,
		 state->n_fits, state->n_heads, 100 * state->done, left);
	/* as much as the window holds: a line that wraps cannot be redrawn */
	fprintf(terminal->out, WIPE "%.*s", terminal->width - 1, text);
	if (terminal->width - 1 >= (int)strlen(text) + 2 + BAR_WIDTH) {
		fputs("  ", terminal->out);
		terminal_bar(terminal, BAR_WIDTH, state->done);
	}
	fflush(terminal->out);
	progress->line_open = true;
	progress->drawn = now;
}

void diagnose_progress_end(struct diagnose_progress *progress)
{
	if (progress->line_open)
		fputs(WIPE, progress->terminal->out);
	progress->line_open = false;
}
