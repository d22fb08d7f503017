/* SPDX-License-Identifier: Apache-2.0 */
/* capture_fixture.h - an output whose text a test can look at. */
#ifndef TESTS_UNIT_CAPTURE_FIXTURE_H
#define TESTS_UNIT_CAPTURE_FIXTURE_H

#include <stdbool.h>

#include "core/tool/terminal.h"

struct capture {
	struct terminal terminal; /* its out goes into text */
	char *text;
	size_t size;   /* of text */
	size_t n_seen; /* bytes that capture_text() has shown */
};

/** capture_start(capture, interactive, colour): a window of 80 columns. Aborts without memory. */
void capture_start(struct capture *capture, bool interactive, bool colour);

/** capture_text(capture): what has been printed since the last call. */
const char *capture_text(struct capture *capture);

/** capture_end(capture): releases all. */
void capture_end(struct capture *capture);

#endif
