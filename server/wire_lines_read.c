/* SPDX-License-Identifier: Apache-2.0 */
/* wire_lines_read.c - the lines of an export, each by itself; wire_lines_check.c is whether they
 * fit together. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "core/base/mem.h"
#include "core/json/tree.h"
#include "core/model/heads.h"
#include "server/clock.h"
#include "server/reader.h"
#include "server/wire_lines.h"
#include "server/wire_lines_check.h"

#define FIRST_CAPACITY 16

static const char *const user_fields[] = {"type", "format", "user", "exported_at", NULL};
static const char *const state_fields[] = {"type",	 "context",	"model", "updates",
					   "updated_at", "log_weights", NULL};
static const char *const event_fields[] = {"type",	  "id",	      "context", "model",  "at",
					   "temperature", "strength", "drift",	 "digest", "losses",
					   "weights",	  "updates",  "input",	 NULL};
static const char *const end_fields[] = {"type", "states", "events", NULL};

/* What has been read so far. */
struct reading {
	const char *user;   /* who it is to be */
	struct arena trees; /* for the line at work */
	char place[32];	    /* of that line: "/LINE" */
	struct reader reader;
	struct lines lines;
	size_t state_capacity, event_capacity;
	bool ended;
};

/* ---- fields ---- */

static enum status read_count(const struct reader *reader, const struct node *object,
			      const char *field, int64_t min, uint64_t *out)
{
	const struct node *node;
	enum status status = reader_require(reader, object, field, &node);

	if (status != STATUS_OK)
		return status;
	if (node->kind != NODE_INTEGER)
		return reader_wrong_type(reader, node, "a whole number");
	if (node->integer < min)
		return reader_fault(reader, node, STATUS_INVALID_VALUE, "%lld, want %lld or more",
				    (long long)node->integer, (long long)min);
	*out = (uint64_t)node->integer;
	return STATUS_OK;
}

static enum status read_string(const struct reader *reader, const struct node *object,
			       const char *field, const struct node **node_out)
{
	enum status status = reader_require(reader, object, field, node_out);

	if (status == STATUS_OK && (*node_out)->kind != NODE_STRING)
		return reader_wrong_type(reader, *node_out, "a string");
	return status;
}

static enum status read_time(const struct reader *reader, const struct node *object,
			     const char *field, int64_t *time_us_out)
{
	const struct node *node;
	enum status status = read_string(reader, object, field, &node);

	if (status != STATUS_OK || clock_parse(node->bytes, node->n, time_us_out))
		return status;
	return reader_fault(reader, node, STATUS_INVALID_VALUE,
			    "want a time such as 2026-01-01T00:00:00.000000Z");
}

static bool to_number(const struct node *node, double *out)
{
	*out = node->kind == NODE_INTEGER ? (double)node->integer : node->number;
	return node->kind == NODE_INTEGER || node->kind == NODE_NUMBER;
}

/* Not negative. */
static enum status read_number(const struct reader *reader, const struct node *object,
			       const char *field, double *out)
{
	const struct node *node;
	enum status status = reader_require(reader, object, field, &node);

	if (status != STATUS_OK)
		return status;
	if (!to_number(node, out))
		return reader_wrong_type(reader, node, "a number");
	if (!(*out >= 0))
		return reader_fault(reader, node, STATUS_INVALID_VALUE, "%g, want 0 or more", *out);
	return STATUS_OK;
}

static enum status read_elements(const struct reader *reader, const struct node *array,
				 double least, double *out)
{
	const struct node *node = node_first(array);

	for (size_t k = 0; k < array->n; k++, node = node_next(node)) {
		if (!to_number(node, &out[k]))
			return reader_wrong_type(reader, node, "a number");
		if (!(out[k] >= least))
			return reader_fault(reader, node, STATUS_INVALID_VALUE,
					    "%g, want 0 or more", out[k]);
	}
	return STATUS_OK;
}

/* One number for each head. *n_heads: 0, or how many there must be. */
static enum status read_numbers(const struct reader *reader, const struct node *object,
				const char *field, double least, double **out, size_t *n_heads)
{
	const struct node *array;
	enum status status = reader_require(reader, object, field, &array);

	if (status != STATUS_OK)
		return status;
	if (array->kind != NODE_ARRAY)
		return reader_wrong_type(reader, array, "an array of numbers");
	if (*n_heads == 0 ? array->n < 1 || array->n > HEADS_MAX : array->n != *n_heads)
		return reader_fault(
		    reader, array, STATUS_WRONG_DIMENSION, "%u numbers, want %zu to %zu", array->n,
		    *n_heads == 0 ? 1 : *n_heads, *n_heads == 0 ? HEADS_MAX : *n_heads);
	*n_heads = array->n;
	*out = arena_array(reader->arena, array->n, sizeof(**out));
	if (*out == NULL)
		return err_no_memory(reader->err, "the import");
	return read_elements(reader, array, least, *out);
}

static enum status read_name(const struct reader *reader, const struct node *object,
			     const char *field, const char **out)
{
	const struct node *node;
	enum status status = reader_require(reader, object, field, &node);

	return status == STATUS_OK ? reader_name(reader, object, field, 1, out) : status;
}

static enum status read_context(const struct reader *reader, const struct node *object,
				const char **out)
{
	*out = "";
	return reader_name(reader, object, "context", 1, out);
}

static enum status read_digest(const struct reader *reader, const struct node *object,
			       unsigned char digest_out[STORE_DIGEST_LEN])
{
	const struct node *node;
	size_t len = 0;
	enum status status = read_string(reader, object, "digest", &node);

	if (status != STATUS_OK)
		return status;
	if (sodium_hex2bin(digest_out, STORE_DIGEST_LEN, node->bytes, node->n, NULL, &len, NULL) !=
		0 ||
	    len != STORE_DIGEST_LEN)
		return reader_fault(reader, node, STATUS_INVALID_VALUE,
				    "want %d hexadecimal digits", 2 * STORE_DIGEST_LEN);
	return STATUS_OK;
}

static enum status read_input(const struct reader *reader, const struct node *object,
			      const char **out)
{
	const struct node *node = reader_find(object, "input");

	*out = NULL;
	if (node == NULL)
		return STATUS_OK;
	if (node->kind != NODE_STRING)
		return reader_wrong_type(reader, node, "a string");
	if (node->n > STORE_MAX_INPUT)
		return reader_fault(reader, node, STATUS_INVALID_VALUE,
				    "%u bytes, want at most %zu", node->n, STORE_MAX_INPUT);
	*out = arena_string(reader->arena, node->bytes, node->n);
	return *out == NULL ? err_no_memory(reader->err, "the import") : STATUS_OK;
}

/* ---- lines ---- */

static enum status read_state(const struct reader *reader, const struct node *line,
			      struct store_import_state *state)
{
	double *log_weight = NULL;
	enum status status = reader_object(reader, line, state_fields);

	if (status == STATUS_OK)
		status = read_context(reader, line, &state->context);
	if (status == STATUS_OK)
		status = read_name(reader, line, "model", &state->model_id);
	if (status == STATUS_OK)
		status = read_count(reader, line, "updates", 1, &state->updates);
	if (status == STATUS_OK)
		status = read_time(reader, line, "updated_at", &state->updated_us);
	if (status == STATUS_OK)
		status = read_numbers(reader, line, "log_weights", -INFINITY, &log_weight,
				      &state->n_heads);
	state->log_weight = log_weight;
	return status;
}

static enum status read_learning(const struct reader *reader, const struct node *line,
				 struct store_event *event)
{
	double *loss = NULL, *weights = NULL;
	enum status status = read_number(reader, line, "temperature", &event->temperature);

	if (status == STATUS_OK && event->temperature == 0)
		status = reader_fault(reader, node_find(line, "temperature"), STATUS_INVALID_VALUE,
				      "0, want more");
	if (status == STATUS_OK)
		status = read_number(reader, line, "strength", &event->strength);
	if (status == STATUS_OK)
		status = read_number(reader, line, "drift", &event->drift);
	if (status == STATUS_OK && event->drift >= 1)
		status = reader_fault(reader, node_find(line, "drift"), STATUS_INVALID_VALUE,
				      "%g, want less than 1", event->drift);
	if (status == STATUS_OK)
		status = read_numbers(reader, line, "losses", 0, &loss, &event->n_heads);
	if (status == STATUS_OK)
		status = read_numbers(reader, line, "weights", 0, &weights, &event->n_heads);
	event->loss = loss;
	event->weights = weights;
	return status;
}

static enum status read_event(const struct reader *reader, const struct node *line,
			      struct store_event *event)
{
	enum status status = reader_object(reader, line, event_fields);

	if (status == STATUS_OK)
		status = read_name(reader, line, "id", &event->id);
	if (status == STATUS_OK)
		status = read_context(reader, line, &event->context);
	if (status == STATUS_OK)
		status = read_name(reader, line, "model", &event->model_id);
	if (status == STATUS_OK)
		status = read_time(reader, line, "at", &event->time_us);
	if (status == STATUS_OK)
		status = read_learning(reader, line, event);
	if (status == STATUS_OK)
		status = read_digest(reader, line, event->digest);
	if (status == STATUS_OK)
		status = read_count(reader, line, "updates", 1, &event->updates);
	return status == STATUS_OK ? read_input(reader, line, &event->input) : status;
}

/* Room for one more in *array. */
static enum status grow(void **array, size_t n, size_t *capacity, size_t size, struct err *err)
{
	size_t wanted = *capacity == 0 ? FIRST_CAPACITY : 2 * *capacity;
	void *grown;

	if (n < *capacity)
		return STATUS_OK;
	grown = mem_grow(*array, n, wanted, size);
	if (grown == NULL)
		return err_no_memory(err, "the import");
	*array = grown;
	*capacity = wanted;
	return STATUS_OK;
}

static enum status add_state(struct reading *r, const struct node *line, size_t number)
{
	struct lines *lines = &r->lines;
	void *states = lines->states;
	enum status status = grow(&states, lines->n_states, &r->state_capacity,
				  sizeof(*lines->states), r->reader.err);

	lines->states = states;
	if (status != STATUS_OK)
		return status;
	struct store_import_state *state = &lines->states[lines->n_states++];

	*state = (struct store_import_state){.line = number};
	return read_state(&r->reader, line, state);
}

static enum status add_event(struct reading *r, const struct node *line, size_t number)
{
	struct lines *lines = &r->lines;
	void *events = lines->events;
	enum status status = grow(&events, lines->n_events, &r->event_capacity,
				  sizeof(*lines->events), r->reader.err);

	lines->events = events;
	if (status != STATUS_OK)
		return status;
	struct store_import_event *event = &lines->events[lines->n_events++];

	*event = (struct store_import_event){.line = number};
	return read_event(&r->reader, line, &event->event);
}

/* The first line. */
static enum status check_user(struct reading *r, const struct node *line)
{
	const struct reader *reader = &r->reader;
	const struct node *format;
	const char *user = NULL;
	int64_t ignored;
	enum status status = reader_object(reader, line, user_fields);

	if (status == STATUS_OK)
		status = read_string(reader, line, "format", &format);
	if (status == STATUS_OK && !node_is(format, WIRE_LINES_FORMAT))
		status =
		    reader_fault(reader, format, STATUS_INVALID_VALUE, "want " WIRE_LINES_FORMAT);
	if (status == STATUS_OK)
		status = read_name(reader, line, "user", &user);
	if (status == STATUS_OK && strcmp(user, r->user) != 0)
		status = reader_fault(reader, node_find(line, "user"), STATUS_INVALID_VALUE,
				      "another user than the path's, want the same");
	return status == STATUS_OK ? read_time(reader, line, "exported_at", &ignored) : status;
}

static enum status check_end(struct reading *r, const struct node *line)
{
	const struct reader *reader = &r->reader;
	uint64_t n_states = 0, n_events = 0;
	enum status status = reader_object(reader, line, end_fields);

	if (status == STATUS_OK)
		status = read_count(reader, line, "states", 0, &n_states);
	if (status == STATUS_OK && n_states != r->lines.n_states)
		status = reader_fault(reader, node_find(line, "states"), STATUS_INVALID_VALUE,
				      "%zu lines of states were there", r->lines.n_states);
	if (status == STATUS_OK)
		status = read_count(reader, line, "events", 0, &n_events);
	if (status == STATUS_OK && n_events != r->lines.n_events)
		status = reader_fault(reader, node_find(line, "events"), STATUS_INVALID_VALUE,
				      "%zu lines of events were there", r->lines.n_events);
	r->ended = true;
	return status;
}

static enum status take_line(struct reading *r, const struct node *line, size_t number)
{
	const struct reader *reader = &r->reader;
	const struct node *type;
	enum status status;

	if (r->ended)
		return reader_fault(reader, line, STATUS_INVALID_VALUE,
				    "a line after the one of type end, want none");
	if (line->kind != NODE_OBJECT)
		return reader_wrong_type(reader, line, "an object");
	status = read_string(reader, line, "type", &type);
	if (status != STATUS_OK)
		return status;
	if (number == 1 && node_is(type, "user"))
		return check_user(r, line);
	if (number > 1 && node_is(type, "state"))
		return add_state(r, line, number);
	if (number > 1 && node_is(type, "event"))
		return add_event(r, line, number);
	if (number > 1 && node_is(type, "end"))
		return check_end(r, line);
	return reader_fault(reader, type, STATUS_INVALID_VALUE,
			    number == 1 ? "want user in the first line"
					: "want state, event or, in the last line, end");
}

/* A parser that sees one line takes it for the first. */
static enum status tell_line(struct err *err, size_t number, enum status status)
{
	static const char first[] = "line 1, ";
	const size_t len = sizeof(first) - 1;
	struct err fault;

	if (err == NULL || status == STATUS_NO_MEMORY)
		return status;
	if (strncmp(err->msg, first, len) != 0)
		return err_wrap(err, "line %zu", number);
	fault = *err;
	return err_set(err, status, "line %zu, %s", number, fault.msg + len);
}

static enum status read_line(struct reading *r, const char *text, size_t len, size_t number)
{
	struct err *err = r->reader.err;
	enum status status;

	snprintf(r->place, sizeof(r->place), "/%zu", number);
	if (len == 0)
		status =
		    err_at(err, STATUS_MALFORMED, r->place, "an empty line, want a JSON object");
	else
		status = tree_parse_integers(text, len, &r->trees, &r->reader.root, err);
	if (status == STATUS_OK)
		status = take_line(r, r->reader.root, number);
	arena_free(&r->trees);
	return status == STATUS_OK ? status : tell_line(err, number, status);
}

static enum status read_lines(struct reading *r, char *body, size_t len)
{
	char *end = body + len;
	enum status status = STATUS_OK;
	size_t number = 0;

	for (char *line = body; line < end && status == STATUS_OK; number++) {
		char *newline = memchr(line, '\n', (size_t)(end - line));
		char *line_end = newline == NULL ? end : newline;

		*line_end = '\0';
		status = read_line(r, line, (size_t)(line_end - line), number + 1);
		line = line_end + 1;
	}
	if (status != STATUS_OK || r->ended)
		return status;
	snprintf(r->place, sizeof(r->place), "/%zu", number + 1);
	return err_at(r->reader.err, STATUS_INVALID_VALUE, r->place,
		      "line %zu is missing: it ends before the line of type end", number + 1);
}

enum status wire_lines_read(char *body, size_t len, const char *user, struct arena *arena,
			    struct store_import *import_out, struct err *err)
{
	struct reading r = {.user = user};
	enum status status;

	*import_out = (struct store_import){.user = user};
	r.reader = (struct reader){.base = r.place, .arena = arena, .err = err};
	status = read_lines(&r, body, len);
	/* they are freed with the arena, which is what these may fail for */
	if ((r.lines.states != NULL && arena_adopt(arena, r.lines.states) == NULL) ||
	    (r.lines.events != NULL && arena_adopt(arena, r.lines.events) == NULL))
		return err_no_memory(err, "the import");
	if (status == STATUS_OK)
		status = wire_lines_check(&r.lines, arena, err);
	import_out->states = r.lines.states;
	import_out->n_states = r.lines.n_states;
	import_out->events = r.lines.events;
	import_out->n_events = r.lines.n_events;
	return status;
}
