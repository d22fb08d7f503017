/* SPDX-License-Identifier: Apache-2.0 */
/* terminal.h - whether people or programs read an output, and how wide their window is. */
#ifndef MICRO_TOOL_TERMINAL_H
#define MICRO_TOOL_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

#define TERMINAL_DEFAULT_WIDTH 80

enum terminal_style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_ACCENT, N_TERMINAL_STYLES };

struct terminal {
	FILE *out;
	bool interactive; /* a line may be redrawn */
	bool colour;	  /* interactive, and NO_COLOR is not set (no-color.org) */
	int width;	  /* columns */
};

/** terminal_init(terminal, out): look at what out is; out stays the caller's. */
void terminal_init(struct terminal *terminal, FILE *out);

/** terminal_measure(terminal): the width now, for people resize windows; as it was if unknown. */
void terminal_measure(struct terminal *terminal);

/** terminal_style(terminal, style): the escape sequence; "" without colour. STYLE_PLAIN ends a
 * style. */
const char *terminal_style(const struct terminal *terminal, enum terminal_style style);

/** terminal_bar(terminal, width, done): width characters, the part done of them, 0 to 1, filled. */
void terminal_bar(const struct terminal *terminal, int width, double done);

#endif
