/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include <sodium.h>

#include "server/json_field.h"
#include "server/wire_lines.h"

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
	char hex[2 * STORE_DIGEST_LEN + 1];

	sodium_bin2hex(hex, sizeof(hex), digest, STORE_DIGEST_LEN);
	json_text(out, before, hex);
}

void wire_lines_begin(struct buffer *out, const char *user, int64_t now_us)
{
	json_text(out, "{\"type\":\"user\",\"format\":", WIRE_LINES_FORMAT);
	json_text(out, ",\"user\":", user);
	json_time(out, ",\"exported_at\":", now_us);
	buffer_add_string(out, "}\n");
}

static void add_state(struct buffer *out, const struct store_state *state)
{
	json_optional(out, "{\"type\":\"state\",\"context\":", state->context);
	json_text(out, ",\"model\":", state->model_id);
	json_count(out, ",\"updates\":", state->updates);
	json_time(out, ",\"updated_at\":", state->updated_us);
	add_numbers(out, ",\"log_weights\":", state->log_weight, state->n_heads);
	buffer_add_string(out, "}\n");
}

static void add_event(struct buffer *out, const struct store_event *event)
{
	json_text(out, "{\"type\":\"event\",\"id\":", event->id);
	json_optional(out, ",\"context\":", event->context);
	json_text(out, ",\"model\":", event->model_id);
	json_time(out, ",\"at\":", event->time_us);
	add_number(out, ",\"temperature\":", event->temperature);
	add_number(out, ",\"strength\":", event->strength);
	add_number(out, ",\"drift\":", event->drift);
	add_digest(out, ",\"digest\":", event->digest);
	add_numbers(out, ",\"losses\":", event->loss, event->n_heads);
	add_numbers(out, ",\"weights\":", event->weights, event->n_heads);
	json_count(out, ",\"updates\":", event->updates);
	json_optional(out, ",\"input\":", event->input);
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
	json_count(out, "{\"type\":\"end\",\"states\":", n_states);
	json_count(out, ",\"events\":", n_events);
	buffer_add_string(out, "}\n");
}
