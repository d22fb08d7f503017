/* SPDX-License-Identifier: Apache-2.0 */
/* bar.h - the line on a terminal that is redrawn while something is going on. */
#ifndef MICRO_TOOL_BAR_H
#define MICRO_TOOL_BAR_H

#include <stddef.h>

#include "core/tool/terminal.h"

#define BAR_REDRAW_SECONDS 0.1	      /* between two drawings at least */
#define BAR_WIPE	   "\r\033[K" /* takes the line away */

/**
 * bar_draw(terminal, label, done, figures): the line: label, a bar of which the part done
 * (0 to 1) is filled, figures; as much of it as the window holds.
 */
void bar_draw(struct terminal *terminal, const char *label, double done, const char *figures);

/** bar_duration(items, rate, out, size): "1:02:03" or "2:03"; "?" as long as there is no rate. */
void bar_duration(double items, double rate, char *out, size_t size);

#endif
