/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/server/input_fixture.h"

#include <string.h>

#include "tests/unit/server/served_fixture.h"

struct input input_vector(const float *x, const char *field)
{
	return (struct input){.kind = INPUT_VECTOR,
			      .vector = feature_row_dense(x, SERVED_DIM),
			      .place = place_field(PLACE_NONE, field)};
}

struct input input_text(const char *bytes, const char *field)
{
	return (struct input){.kind = INPUT_TEXT,
			      .text = {bytes, strlen(bytes)},
			      .place = place_field(PLACE_NONE, field)};
}

struct input input_absent(const char *field)
{
	return (struct input){.place = place_field(PLACE_NONE, field)};
}
