/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/core/capture_fixture.h"

#include <stdlib.h>

void capture_start(struct capture *capture, bool interactive, bool colour)
{
	*capture = (struct capture){.terminal = {.interactive = interactive,
						 .colour = colour,
						 .width = TERMINAL_DEFAULT_WIDTH}};
	capture->terminal.out = open_memstream(&capture->text, &capture->size);
	if (capture->terminal.out == NULL)
		abort();
}

const char *capture_text(struct capture *capture)
{
	const char *news;

	fflush(capture->terminal.out);
	news = capture->text + capture->n_seen;
	capture->n_seen = capture->size;
	return news;
}

void capture_end(struct capture *capture)
{
	fclose(capture->terminal.out);
	free(capture->text);
}
