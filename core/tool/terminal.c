/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/terminal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0';
}

void terminal_init(struct terminal *terminal, FILE *out)
{
	const char *kind = getenv("TERM");
	bool dumb = kind == NULL || strcmp(kind, "dumb") == 0;

	terminal->out = out;
	terminal->interactive = !dumb && isatty(fileno(out));
	terminal->colour = terminal->interactive && !is_set("NO_COLOR");
	terminal->width = TERMINAL_DEFAULT_WIDTH;
	terminal_measure(terminal);
}

void terminal_measure(struct terminal *terminal)
{
	struct winsize size;

	if (terminal->interactive && ioctl(fileno(terminal->out), TIOCGWINSZ, &size) == 0 &&
	    size.ws_col > 0)
		terminal->width = size.ws_col;
}

const char *terminal_style(const struct terminal *terminal, enum terminal_style style)
{
	static const char *const sequences[] = {
	    [STYLE_PLAIN] = "\033[0m",
	    [STYLE_BOLD] = "\033[1m",
	    [STYLE_DIM] = "\033[2m",
	    [STYLE_ACCENT] = "\033[32m",
	};

	assert((unsigned)style < N_TERMINAL_STYLES);
	return terminal->colour ? sequences[style] : "";
}

void terminal_bar(const struct terminal *terminal, int width, double done)
{
	int filled = (int)(done * width + 0.5);

	fputs(terminal_style(terminal, STYLE_ACCENT), terminal->out);
	for (int i = 0; i < filled; i++)
		fputc('#', terminal->out);
	fputs(terminal_style(terminal, STYLE_DIM), terminal->out);
	for (int i = filled; i < width; i++)
		fputc('.', terminal->out);
	fputs(terminal_style(terminal, STYLE_PLAIN), terminal->out);
}
