/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/server/wire_fixture.h"

#include <string.h>

#include "tests/unit/unit.h"

const struct wire_limits wire_fixture_limits = {
    .dim = 2, .max_items = 3, .max_responses = 4, .max_strength = 10};

void wire_fixture_vector(const struct input *input, float x, float y)
{
	ck_assert_int_eq(input->kind, INPUT_VECTOR);
	ck_assert_uint_eq(input->vector.dim, 2);
	ck_assert_uint_eq(input->vector.n_values, 2);
	ck_assert_ptr_null(input->vector.index);
	ck_assert_float_eq(input->vector.value[0], x);
	ck_assert_float_eq(input->vector.value[1], y);
}

void wire_fixture_refused(const char *body, enum status got, const struct err *err,
			  const struct wire_fault *want)
{
	ck_assert_msg(got == want->code && err->code == got, "%s: %s (%s)", body, status_code(got),
		      err->msg);
	ck_assert_msg(strcmp(err->param, want->param) == 0, "%s: param %s, want %s", body,
		      err->param, want->param);
	ck_assert_msg(strstr(err->msg, want->message) != NULL, "%s: message \"%s\", want \"%s\"",
		      body, err->msg, want->message);
}
