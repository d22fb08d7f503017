/* SPDX-License-Identifier: Apache-2.0 */
/* wire_fixture.h - what tests of request bodies, of either kind, have in common. */
#ifndef TESTS_UNIT_SERVER_WIRE_FIXTURE_H
#define TESTS_UNIT_SERVER_WIRE_FIXTURE_H

#include "server/judge.h"
#include "server/wire_read.h"

/* Two dimensions, 3 items of 4 responses, strengths up to 10. */
extern const struct wire_limits wire_fixture_limits;

/** wire_fixture_vector(input, x, y): it must be that vector, dense. */
void wire_fixture_vector(const struct input *input, float x, float y);

/* What a body is refused with. */
struct wire_fault {
	enum status code;
	const char *param;
	const char *message; /* a part of it */
};

/** wire_fixture_refused(body, got, err, want): body is for the message of a test that fails. */
void wire_fixture_refused(const char *body, enum status got, const struct err *err,
			  const struct wire_fault *want);

#endif
