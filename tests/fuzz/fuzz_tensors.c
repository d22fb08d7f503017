/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_tensors.c - any bytes as a body of tensors, for both routes: refused with a message and
 * as the client's fault, or a request whose vectors are finite and lie in the body or the arena.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/wire_tensors.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/safetensors_mutator.h"

static const struct wire_limits limits = {
    .dim = 4, .max_items = 16, .max_responses = 16, .max_strength = 10};

static void require(int ok)
{
	if (!ok)
		abort();
}

static void check_input(const struct input *input)
{
	require(input->kind == INPUT_VECTOR && input->vector.n_values == limits.dim);
	for (size_t i = 0; i < limits.dim; i++)
		require(isfinite(input->vector.value[i]));
}

static void check_question(const struct question *question)
{
	require(question->context != NULL && question->n_responses >= 1 &&
		question->n_responses <= limits.max_responses);
	if (question->prompt.kind != INPUT_ABSENT)
		check_input(&question->prompt);
	for (size_t i = 0; i < question->n_responses; i++)
		check_input(&question->responses[i]);
}

static void check_fault(enum status status, const struct err *err)
{
	if (err->code == status && status_http(status) / 100 == 4 && err->msg[0] != '\0')
		return;
	fprintf(stderr, "status %s, message \"%s\"\n", status_code(status), err->msg);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *body = (const char *)bytes;
	struct arena arena = {0};
	struct score_request request;
	struct feedback feedback;
	struct err err = {0};
	enum status status = wire_tensors_score(body, len, &limits, &arena, &request, &err);

	if (status == STATUS_OK) {
		require(request.n_items >= 1 && request.n_items <= limits.max_items);
		for (size_t i = 0; i < request.n_items; i++)
			check_question(&request.items[i].question);
	} else {
		check_fault(status, &err);
	}
	status = wire_tensors_feedback(body, len, &limits, &arena, &feedback, &err);
	if (status == STATUS_OK) {
		require(feedback.user != NULL && feedback.strength <= limits.max_strength);
		check_question(&feedback.question);
	} else {
		check_fault(status, &err);
	}
	arena_free(&arena);
	return 0;
}
