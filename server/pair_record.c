/* SPDX-License-Identifier: Apache-2.0 */
#include "server/pair_record.h"

#include <sodium.h>
#include <string.h>

#include "core/base/base64.h"
#include "core/base/mem.h"
#include "server/buffer.h"

static void add(crypto_generichash_state *state, const void *bytes, size_t n)
{
	crypto_generichash_update(state, bytes, n);
}

/* kind, length, bytes: no two different inputs look the same */
static void add_part(crypto_generichash_state *state, enum input_kind kind, const void *bytes,
		     size_t n)
{
	unsigned char head[9] = {(unsigned char)kind};

	for (size_t i = 0; i < 8; i++)
		head[1 + i] = (unsigned char)((uint64_t)n >> (8 * i));
	add(state, head, sizeof(head));
	add(state, bytes, n);
}

static void add_input(crypto_generichash_state *state, const struct input *input)
{
	if (input->kind == INPUT_VECTOR)
		add_part(state, input->kind, input->vector.value,
			 input->vector.n_values * sizeof(float));
	else
		add_part(state, input->kind, input->text.bytes, input->text.len);
}

void pair_record_digest(const struct feedback *feedback, unsigned char digest_out[STORE_DIGEST_LEN])
{
	const struct question *q = &feedback->question;
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, STORE_DIGEST_LEN);
	add_part(&state, INPUT_TEXT, q->context, strlen(q->context));
	add_input(&state, &q->prompt);
	add_input(&state, &q->responses[0]);
	add_input(&state, &q->responses[1]);
	add_part(&state, INPUT_VECTOR, &feedback->strength, sizeof(feedback->strength));
	crypto_generichash_final(&state, digest_out, STORE_DIGEST_LEN);
}

static void add_key(struct buffer *line, const char *key)
{
	buffer_add_string(line, line->len == 0 ? "{" : ",");
	buffer_add_quoted(line, key, strlen(key));
	buffer_add_string(line, ":");
}

static void write_input(struct buffer *line, const char *key, const struct input *input)
{
	if (input->kind == INPUT_ABSENT)
		return;
	add_key(line, key);
	if (input->kind == INPUT_TEXT) {
		buffer_add_quoted(line, input->text.bytes, input->text.len);
		return;
	}
	char *base64 = base64_encode_floats(input->vector.value, input->vector.n_values);
	if (base64 == NULL) {
		line->failed = true;
		return;
	}
	buffer_add_string(line, "{\"embedding\":\"");
	buffer_add_string(line, base64);
	buffer_add_string(line, "\"}");
	mem_free(base64);
}

enum status pair_record_line(const struct feedback *feedback, struct arena *arena,
			     const char **line_out, struct err *err)
{
	const struct question *q = &feedback->question;
	struct buffer line = {0};
	enum status status;

	write_input(&line, "prompt", &q->prompt);
	write_input(&line, "chosen", &q->responses[0]);
	write_input(&line, "rejected", &q->responses[1]);
	add_key(&line, "user");
	buffer_add_quoted(&line, feedback->user, strlen(feedback->user));
	if (*q->context != '\0') {
		add_key(&line, "context");
		buffer_add_quoted(&line, q->context, strlen(q->context));
	}
	buffer_add(&line, "}", sizeof("}"));
	status = buffer_status(&line, "the kept pair", err);
	if (status != STATUS_OK) {
		buffer_free(&line);
		return status;
	}
	*line_out = arena_adopt(arena, line.bytes);
	return *line_out == NULL ? err_no_memory(err, "the kept pair") : STATUS_OK;
}
