/* SPDX-License-Identifier: Apache-2.0 */
/* input_fixture.h - prompts and responses as a request would bring them. */
#ifndef TESTS_UNIT_SERVER_INPUT_FIXTURE_H
#define TESTS_UNIT_SERVER_INPUT_FIXTURE_H

#include "server/judge.h"

/** input_vector(x, field): the numbers x [SERVED_DIM], from a request's field. */
struct input input_vector(const float *x, const char *field);

/** input_text(bytes, field): a text that ends with its NUL. */
struct input input_text(const char *bytes, const char *field);

/** input_absent(field): a field that the request has not. */
struct input input_absent(const char *field);

#endif
