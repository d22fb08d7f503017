/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_user_lines.c - any bytes as an import: refused with a message and a line, or states and
 * events that fit together. What is accepted is written again, and that is read as the same.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "server/wire_lines.h"
#include "tests/fuzz/fuzz.h"

#define USER "ada"

static void require(int ok)
{
	if (!ok)
		abort();
}

static void check_fault(enum status status, const struct err *err)
{
	require(err->code == status && err->msg[0] != '\0');
	require(status_http(status) == 400 || status_http(status) == 422 ||
		status == STATUS_TOO_LARGE);
	require(strncmp(err->msg, "line ", 5) == 0);
}

static void check_state(const struct store_import_state *state)
{
	require(state->n_heads >= 1 && state->n_heads <= HEADS_MAX && state->updates >= 1);
	require(strlen(state->context) <= STORE_MAX_ID && strlen(state->model_id) <= STORE_MAX_ID);
	for (size_t k = 0; k < state->n_heads; k++)
		require(isfinite(state->log_weight[k]));
}

static void check_event(const struct store_import *import, const struct store_import_event *line)
{
	const struct store_event *event = &line->event;

	require(line->overall < import->n_states && line->in_context < import->n_states);
	require(strcmp(import->states[line->in_context].context, event->context) == 0);
	require(import->states[line->overall].context[0] == '\0');
	require(import->states[line->overall].n_heads == event->n_heads);
	require(event->temperature > 0 && event->strength >= 0);
	require(event->drift >= 0 && event->drift < 1);
	for (size_t k = 0; k < event->n_heads; k++)
		require(event->loss[k] >= 0 && isfinite(event->weights[k]));
}

static void write_state(struct buffer *out, const struct store_import_state *state)
{
	struct store_record record = {.kind = STORE_RECORD_STATE};

	record.state.context = (char *)state->context;
	record.state.model_id = (char *)state->model_id;
	record.state.updates = state->updates;
	record.state.updated_us = state->updated_us;
	record.state.n_heads = state->n_heads;
	record.state.log_weight = (double *)state->log_weight;
	wire_lines_record(out, &record);
}

static void write_all(struct buffer *out, const struct store_import *import)
{
	wire_lines_begin(out, USER, 0);
	for (size_t i = 0; i < import->n_states; i++)
		write_state(out, &import->states[i]);
	for (size_t i = 0; i < import->n_events; i++) {
		struct store_record record = {.kind = STORE_RECORD_EVENT};

		record.event = import->events[i].event;
		wire_lines_record(out, &record);
	}
	wire_lines_end(out, import->n_states, import->n_events);
	buffer_terminate(out);
	require(!out->failed);
}

/* Written, read and written again: the same bytes. */
static void check_round_trip(const struct store_import *import)
{
	struct buffer first = {0}, second = {0};
	struct arena arena = {0};
	struct store_import again;
	struct err err = {0};
	char *copy;

	write_all(&first, import);
	copy = mem_string(first.bytes, first.len);
	require(copy != NULL);
	require(wire_lines_read(copy, first.len, USER, &arena, &again, &err) == STATUS_OK);
	write_all(&second, &again);
	require(first.len == second.len && memcmp(first.bytes, second.bytes, first.len) == 0);
	arena_free(&arena);
	mem_free(copy);
	buffer_free(&first);
	buffer_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *body = mem_string((const char *)data, size);
	struct arena arena = {0};
	struct store_import import;
	struct err err = {0};
	enum status status;

	require(body != NULL);
	status = wire_lines_read(body, size, USER, &arena, &import, &err);
	if (status != STATUS_OK) {
		check_fault(status, &err);
	} else {
		for (size_t i = 0; i < import.n_states; i++)
			check_state(&import.states[i]);
		for (size_t i = 0; i < import.n_events; i++)
			check_event(&import, &import.events[i]);
		check_round_trip(&import);
	}
	arena_free(&arena);
	mem_free(body);
	return 0;
}
