/* SPDX-License-Identifier: Apache-2.0 */
/* diagnose_progress.h - how far a diagnosis is: a line that is redrawn, on a terminal only. */
#ifndef MICRO_TOOL_DIAGNOSE_PROGRESS_H
#define MICRO_TOOL_DIAGNOSE_PROGRESS_H

#include "core/diagnose/diagnosis.h"
#include "core/tool/terminal.h"

struct diagnose_progress {
	struct terminal *terminal; /* NULL: silent */
	double started, drawn;	   /* clock, seconds */
	bool line_open;		   /* a line stands on the terminal */
};

/** diagnose_progress_start(progress, terminal, now): NULL or what is not interactive stays silent.
 */
void diagnose_progress_start(struct diagnose_progress *progress, struct terminal *terminal,
			     double now);

/** diagnose_progress_show(progress, state, now): redraw when it is time. */
void diagnose_progress_show(struct diagnose_progress *progress,
			    const struct diagnosis_progress *state, double now);

/** diagnose_progress_end(progress): wipe the line away. */
void diagnose_progress_end(struct diagnose_progress *progress);

#endif
