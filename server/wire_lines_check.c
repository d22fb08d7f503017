/* SPDX-License-Identifier: Apache-2.0 */
#include "server/wire_lines_check.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/math/logmath.h"
#include "server/place.h"

/* logsumexp of log-weights is 0 but for rounding; what is farther from it is no state. */
#define MAX_DEVIATION 1e-6

/* What the events say of a state. */
struct account {
	uint64_t updates;
	int64_t updated_us; /* of the last one */
};

struct check {
	struct lines *lines;
	const struct store_import_state **sorted; /* [n_states], by model, then context */
	struct account *accounts;		  /* [n_states], as the lines are */
	struct err *err;
};

static enum status fault(const struct check *c, size_t line, const char *field, enum status code,
			 const char *text)
{
	return place_line_fault(line, field, code, text, c->err);
}

static int compare(const char *model_id, const char *context,
		   const struct store_import_state *state)
{
	int order = strcmp(model_id, state->model_id);

	return order != 0 ? order : strcmp(context, state->context);
}

static int compare_states(const void *a, const void *b)
{
	const struct store_import_state *x = *(const struct store_import_state *const *)a;
	const struct store_import_state *y = *(const struct store_import_state *const *)b;
	int order = compare(x->model_id, x->context, y);

	return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

/* All states of a model have as many log-weights. */
static enum status check_neighbours(const struct check *c, const struct store_import_state *a,
				    const struct store_import_state *b)
{
	if (strcmp(a->model_id, b->model_id) != 0)
		return STATUS_OK;
	if (strcmp(a->context, b->context) == 0)
		return fault(c, b->line, "context", STATUS_INVALID_VALUE,
			     "a second state of this context and model, want one");
	if (a->n_heads != b->n_heads)
		return fault(c, b->line, "log_weights", STATUS_WRONG_DIMENSION,
			     "another number than in a state of the same model, want as many");
	return STATUS_OK;
}

static enum status sort_states(struct check *c, struct arena *arena)
{
	size_t n = c->lines->n_states;
	enum status status = STATUS_OK;

	c->sorted = arena_array(arena, n, sizeof(struct store_import_state *));
	if (c->sorted == NULL)
		return err_no_memory(c->err, "the import");
	for (size_t i = 0; i < n; i++)
		c->sorted[i] = &c->lines->states[i];
	if (n > 0)
		qsort(c->sorted, n, sizeof(struct store_import_state *), compare_states);
	for (size_t i = 1; i < n && status == STATUS_OK; i++)
		status = check_neighbours(c, c->sorted[i - 1], c->sorted[i]);
	return status;
}

/* Its index; n_states if there is none. */
static size_t find_state(const struct check *c, const char *model_id, const char *context)
{
	size_t low = 0, high = c->lines->n_states;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(model_id, context, c->sorted[middle]);

		if (order == 0)
			return (size_t)(c->sorted[middle] - c->lines->states);
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return c->lines->n_states;
}

static void count(struct check *c, size_t state, const struct store_event *event)
{
	c->accounts[state].updates++;
	c->accounts[state].updated_us = event->time_us;
}

static enum status check_event(struct check *c, struct store_import_event *event)
{
	const struct store_event *e = &event->event;
	size_t n_states = c->lines->n_states;

	event->overall = find_state(c, e->model_id, "");
	event->in_context = find_state(c, e->model_id, e->context);
	if (event->overall == n_states)
		return fault(c, event->line, "model", STATUS_INVALID_VALUE,
			     "there is no overall state of this model");
	if (event->in_context == n_states)
		return fault(c, event->line, "context", STATUS_INVALID_VALUE,
			     "there is no state of this context and model");
	if (c->lines->states[event->overall].n_heads != e->n_heads)
		return fault(c, event->line, "losses", STATUS_WRONG_DIMENSION,
			     "another number than its states have log_weights, want as many");
	count(c, event->overall, e);
	if (event->in_context != event->overall)
		count(c, event->in_context, e);
	return STATUS_OK;
}

static enum status check_events(struct check *c, struct arena *arena)
{
	enum status status = STATUS_OK;

	c->accounts = arena_array(arena, c->lines->n_states, sizeof(*c->accounts));
	if (c->accounts == NULL)
		return err_no_memory(c->err, "the import");
	for (size_t i = 0; i < c->lines->n_events && status == STATUS_OK; i++)
		status = check_event(c, &c->lines->events[i]);
	return status;
}

static enum status check_state(const struct check *c, size_t i)
{
	const struct store_import_state *state = &c->lines->states[i];
	const struct account *account = &c->accounts[i];
	char text[128];

	if (state->updates != account->updates) {
		snprintf(text, sizeof(text), "%" PRIu64 ", but %" PRIu64 " events are there",
			 state->updates, account->updates);
		return fault(c, state->line, "updates", STATUS_INVALID_VALUE, text);
	}
	if (state->updated_us != account->updated_us)
		return fault(c, state->line, "updated_at", STATUS_INVALID_VALUE,
			     "want the time of the last of its events");
	if (!(fabs(log_sum_exp(state->log_weight, state->n_heads)) <= MAX_DEVIATION))
		return fault(c, state->line, "log_weights", STATUS_INVALID_VALUE,
			     "these are no logarithms of weights that sum to 1");
	return STATUS_OK;
}

static int compare_ids(const void *a, const void *b)
{
	const struct store_import_event *x = *(const struct store_import_event *const *)a;
	const struct store_import_event *y = *(const struct store_import_event *const *)b;
	int order = strcmp(x->event.id, y->event.id);

	return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

static enum status check_ids(const struct check *c, struct arena *arena)
{
	size_t n = c->lines->n_events;
	const struct store_import_event **sorted = arena_array(arena, n, sizeof(*sorted));

	if (sorted == NULL)
		return err_no_memory(c->err, "the import");
	for (size_t i = 0; i < n; i++)
		sorted[i] = &c->lines->events[i];
	if (n > 0)
		qsort(sorted, n, sizeof(*sorted), compare_ids);
	for (size_t i = 1; i < n; i++) {
		if (strcmp(sorted[i - 1]->event.id, sorted[i]->event.id) == 0)
			return fault(c, sorted[i]->line, "id", STATUS_INVALID_VALUE,
				     "an event before has the same id, want each once");
	}
	return STATUS_OK;
}

enum status wire_lines_check(struct lines *lines, struct arena *arena, struct err *err)
{
	struct check check = {.lines = lines, .err = err};
	enum status status = sort_states(&check, arena);

	if (status == STATUS_OK)
		status = check_events(&check, arena);
	for (size_t i = 0; i < lines->n_states && status == STATUS_OK; i++)
		status = check_state(&check, i);
	return status == STATUS_OK ? check_ids(&check, arena) : status;
}
