/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress.h - how far training is: on a terminal a line that is redrawn, and a
 * permanent one at each epoch's end; otherwise one line an epoch, for people or
 * as JSON. The clock is the caller's, in seconds from any beginning.
 */
#ifndef MICRO_TOOL_PROGRESS_H
#define MICRO_TOOL_PROGRESS_H

#include <stdbool.h>

#include "core/tool/terminal.h"
#include "core/train/train.h"

enum progress_form { PROGRESS_NONE, PROGRESS_PEOPLE, PROGRESS_JSON };

/** progress_form(quiet, json): what the options of a command ask for; quiet goes before json. */
enum progress_form progress_form(bool quiet, bool json);

struct progress {
	struct terminal *terminal;
	enum progress_form form;
	double started;			  /* the clock when training began */
	double drawn;			  /* the clock when the line was last redrawn */
	bool line_open;			  /* an unfinished line stands on the terminal */
	struct train_progress last_epoch; /* the last epoch's end, for its held-out figures */
};

/** progress_start(progress, terminal, form, now): terminal outlives progress. */
void progress_start(struct progress *progress, struct terminal *terminal, enum progress_form form,
		    double now);

/** progress_show(progress, state, now): print what there is to print. */
void progress_show(struct progress *progress, const struct train_progress *state, double now);

/** progress_note(progress, format, ...): for people, a permanent line of its own. */
void progress_note(struct progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** progress_end(progress): wipe an unfinished line away. */
void progress_end(struct progress *progress);

#endif
