/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare_progress.h - how far a comparison is: on a terminal a line that is redrawn;
 * everywhere a permanent line for each training that has ended. The clock is the caller's.
 */
#ifndef MICRO_TOOL_COMPARE_PROGRESS_H
#define MICRO_TOOL_COMPARE_PROGRESS_H

#include "core/compare/compare.h"
#include "core/tool/terminal.h"

struct compare_display {
	struct terminal *terminal; /* NULL: nothing is shown */
	double started;		   /* the clock when the comparison began */
	double step_started;
	size_t step;	/* that step_started is of */
	double drawn;	/* the clock when the line was last redrawn */
	bool line_open; /* an unfinished line stands on the terminal */
};

/** compare_display_start(display, terminal, now): terminal outlives display. */
void compare_display_start(struct compare_display *display, struct terminal *terminal, double now);

/** compare_display_show(display, state, now): print what there is to print. */
void compare_display_show(struct compare_display *display, const struct compare_progress *state,
			  double now);

/** compare_display_end(display): wipe an unfinished line away. */
void compare_display_end(struct compare_display *display);

#endif
