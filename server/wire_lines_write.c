/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "server/clock.h"
#include "server/wire_lines.h"

#define HEX_DIGITS "0123456789abcdef"

/* before is JSON up to the place of the value, such as ",\"id\":". */
static void add_text(struct buffer *out, const char *before, const char *text)
{
	buffer_add_string(out, before);
	buffer_add_quoted(out, text, strlen(text));
}

/* text "" or NULL: null. */
static void add_optional(struct buffer *out, const char *before, const char *text)
{
	buffer_add_string(out, before);
	if (text == NULL || text[0] == '\0')
		buffer_add_string(out, "null");
	else
		buffer_add_quoted(out, text, strlen(text));
}

static void add_count(struct buffer *out, const char *before, uint64_t n)
{
	buffer_add_string(out, before);
	buffer_add_uint(out, n);
}

static void add_time(struct buffer *out, const char *before, int64_t time_us)
{
	char text[CLOCK_TEXT_LEN + 1];

	clock_text(time_us, text);
	add_text(out, before, text);
}

/* "-0" would be read as an integer, which has no sign. */
static void add_number(struct buffer *out, const char *before, double x)
{
	buffer_add_string(out, before);
	if (x == 0 && signbit(x))
		buffer_add_string(out, "-0.0");
	else
		buffer_add_number(out, x);
}

static void add_numbers(struct buffer *out, const char *before, const double *x, size_t n)
{
	buffer_add_string(out, before);
	for (size_t i = 0; i < n; i++)
		add_number(out, i == 0 ? "[" : ",", x[i]);
	buffer_add_string(out, "]");
}

static void add_digest(struct buffer *out, const char *before,
		       const unsigned char digest[STORE_DIGEST_LEN])
{
	char hex[2 * STORE_DIGEST_LEN + 1] = "";

	for (size_t i = 0; i < STORE_DIGEST_LEN; i++) {
		hex[2 * i] = HEX_DIGITS[digest[i] >> 4];
		hex[2 * i + 1] = HEX_DIGITS[digest[i] & 15];
	}
	add_text(out, before, hex);
}

void wire_lines_begin(struct buffer *out, const char *user, int64_t now_us)
{
	add_text(out, "{\"type\":\"user\",\"format\":", WIRE_LINES_FORMAT);
	add_text(out, ",\"user\":", user);
	add_time(out, ",\"exported_at\":", now_us);
	buffer_add_string(out, "}\n");
}

static void add_state(struct buffer *out, const struct store_state *state)
{
	add_optional(out, "{\"type\":\"state\",\"context\":", state->context);
	add_text(out, ",\"model\":", state->model_id);
	add_count(out, ",\"updates\":", state->updates);
	add_time(out, ",\"updated_at\":", state->updated_us);
	add_numbers(out, ",\"log_weights\":", state->log_weight, state->n_heads);
	buffer_add_string(out, "}\n");
}

static void add_event(struct buffer *out, const struct store_event *event)
{
	add_text(out, "{\"type\":\"event\",\"id\":", event->id);
	add_optional(out, ",\"context\":", event->context);
	add_text(out, ",\"model\":", event->model_id);
	add_time(out, ",\"at\":", event->time_us);
	add_number(out, ",\"temperature\":", event->temperature);
	add_number(out, ",\"strength\":", event->strength);
	add_number(out, ",\"drift\":", event->drift);
	add_digest(out, ",\"digest\":", event->digest);
	add_numbers(out, ",\"losses\":", event->loss, event->n_heads);
	add_numbers(out, ",\"weights\":", event->weights, event->n_heads);
	add_count(out, ",\"updates\":", event->updates);
	add_optional(out, ",\"input\":", event->input);
	buffer_add_string(out, "}\n");
}

void wire_lines_record(struct buffer *out, const struct store_record *record)
{
	if (record->kind == STORE_RECORD_STATE)
		add_state(out, &record->state);
	else
		add_event(out, &record->event);
}

void wire_lines_end(struct buffer *out, size_t n_states, size_t n_events)
{
	add_count(out, "{\"type\":\"end\",\"states\":", n_states);
	add_count(out, ",\"events\":", n_events);
	buffer_add_string(out, "}\n");
}
