/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/bar.h"

#include <stdio.h>
#include <string.h>

#define MAX_WIDTH 24
#define MIN_WIDTH 6

/* a line that wraps cannot be redrawn */
void bar_draw(struct terminal *terminal, const char *label, double done, const char *figures)
{
	int room;

	terminal_measure(terminal);
	room = terminal->width - 1 - (int)strlen(label);
	if (room < 0)
		room = 0;
	fprintf(terminal->out, BAR_WIPE "%.*s", terminal->width - 1, label);
	if (room >= (int)strlen(figures) + 2 + MIN_WIDTH) {
		int width = room - (int)strlen(figures) - 2;

		fputs("  ", terminal->out);
		terminal_bar(terminal, width < MAX_WIDTH ? width : MAX_WIDTH, done);
	}
	fprintf(terminal->out, "%.*s", room, figures);
}

void bar_duration(double items, double rate, char *out, size_t size)
{
	unsigned long seconds;

	if (!(rate > 0)) {
		snprintf(out, size, "?");
		return;
	}
	seconds = (unsigned long)(items / rate + 0.5);
	if (seconds >= 3600)
		snprintf(out, size, "%lu:%02lu:%02lu", seconds / 3600, seconds / 60 % 60,
			 seconds % 60);
	else
		snprintf(out, size, "%lu:%02lu", seconds / 60, seconds % 60);
}
