/* SPDX-License-Identifier: Apache-2.0 */
#include "server/pair_record.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/base64.h"
#include "core/base/mem.h"
#include "core/base/siphash.h"
#include "server/buffer.h"

/* These are the format of what is stored. */
#define N_PARTS	   8   /* of a long vector */
#define LONG_BYTES 512 /* from which on a vector is long */
#define TAIL_BYTES 8   /* at its end, at least, are in no part */

_Static_assert(TAIL_BYTES >= SIPHASH_BEYOND, "the last part is read so far");

static void add(crypto_generichash_state *state, const void *bytes, size_t n)
{
	crypto_generichash_update(state, bytes, n);
}

static void add_head(crypto_generichash_state *state, enum input_kind kind, size_t n)
{
	unsigned char head[9] = {(unsigned char)kind};

	for (size_t i = 0; i < 8; i++)
		head[1 + i] = (unsigned char)((uint64_t)n >> (8 * i));
	add(state, head, sizeof(head));
}

/* kind, length, bytes: no two different inputs look the same */
static void add_part(crypto_generichash_state *state, enum input_kind kind, const void *bytes,
		     size_t n)
{
	add_head(state, kind, n);
	add(state, bytes, n);
}

/*
 * BLAKE2b of three long vectors takes longer than to parse and to judge them, so that it gets
 * the SipHash of each eighth, and what is left. Whoever finds two vectors with the same deceives
 * nobody: the digest tells apart what one user sent under one id.
 */
static void add_long(crypto_generichash_state *state, const char *bytes, size_t n)
{
	static const unsigned char key[SIPHASH_KEY_LEN] = {0};
	size_t part = (n - TAIL_BYTES) / N_PARTS;
	struct siphash_text parts[N_PARTS];
	uint64_t hashes[N_PARTS];

	for (size_t i = 0; i < N_PARTS; i++)
		parts[i] = (struct siphash_text){bytes + i * part, part};
	siphash_many(key, parts, N_PARTS, hashes);
	add_head(state, INPUT_VECTOR, n);
	add(state, hashes, sizeof(hashes));
	add(state, bytes + N_PARTS * part, n - N_PARTS * part);
}

static void add_vector(crypto_generichash_state *state, const float *value, size_t n_values)
{
	size_t n = n_values * sizeof(*value);

	if (n < LONG_BYTES)
		add_part(state, INPUT_VECTOR, value, n);
	else
		add_long(state, (const char *)value, n);
}

static void add_input(crypto_generichash_state *state, const struct input *input)
{
	if (input->kind == INPUT_VECTOR)
		add_vector(state, input->vector.value, input->vector.n_values);
	else
		add_part(state, input->kind, input->text.bytes, input->text.len);
	/* the same text may be of other messages */
	for (size_t i = 0; i < input->chat.n; i++) {
		const struct chat_message *message = &input->chat.messages[i];

		add_part(state, input->kind, message->role.bytes, message->role.len);
		add_part(state, input->kind, message->content.bytes, message->content.len);
	}
}

void pair_record_digest(const struct feedback *feedback, unsigned char digest_out[STORE_DIGEST_LEN])
{
	const struct question *q = &feedback->question;
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, STORE_DIGEST_LEN);
	add_part(&state, INPUT_TEXT, q->context, strlen(q->context));
	add_input(&state, &q->prompt);
	for (size_t i = 0; i < q->n_responses; i++)
		add_input(&state, &q->responses[i]);
	add_part(&state, INPUT_VECTOR, &feedback->strength, sizeof(feedback->strength));
	crypto_generichash_final(&state, digest_out, STORE_DIGEST_LEN);
}

void pair_record_digest_choice(const struct feedback *feedback,
			       unsigned char digest_out[STORE_DIGEST_LEN])
{
	const struct receipt_choice *choice = feedback->choice;
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, STORE_DIGEST_LEN);
	add_part(&state, INPUT_ABSENT, &choice->chosen, sizeof(choice->chosen));
	add_part(&state, INPUT_ABSENT, choice->rejected,
		 choice->n_rejected * sizeof(*choice->rejected));
	add_part(&state, INPUT_VECTOR, &feedback->strength, sizeof(feedback->strength));
	crypto_generichash_final(&state, digest_out, STORE_DIGEST_LEN);
}

static void add_key(struct buffer *line, const char *key)
{
	bool first = line->len == 0 || line->bytes[line->len - 1] == '\n';

	buffer_add_string(line, first ? "{" : ",");
	buffer_add_quoted(line, key, strlen(key));
	buffer_add_string(line, ":");
}

static void write_chat(struct buffer *line, const struct chat *chat)
{
	for (size_t i = 0; i < chat->n; i++) {
		const struct chat_message *message = &chat->messages[i];

		buffer_add_string(line, i == 0 ? "[{\"role\":" : ",{\"role\":");
		buffer_add_quoted(line, message->role.bytes, message->role.len);
		buffer_add_string(line, ",\"content\":");
		buffer_add_quoted(line, message->content.bytes, message->content.len);
		buffer_add_string(line, "}");
	}
	buffer_add_string(line, "]");
}

static void write_input(struct buffer *line, const char *key, const struct input *input)
{
	if (input->kind == INPUT_ABSENT)
		return;
	add_key(line, key);
	if (input->chat.n > 0) {
		write_chat(line, &input->chat);
		return;
	}
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

static void write_pair(struct buffer *line, const struct feedback *feedback, size_t rejected)
{
	const struct question *q = &feedback->question;

	write_input(line, "prompt", &q->prompt);
	write_input(line, "chosen", &q->responses[0]);
	write_input(line, "rejected", &q->responses[rejected]);
	add_key(line, "user");
	buffer_add_quoted(line, feedback->user, strlen(feedback->user));
	if (*q->context != '\0') {
		add_key(line, "context");
		buffer_add_quoted(line, q->context, strlen(q->context));
	}
	buffer_add_string(line, "}");
}

enum status pair_record_lines(const struct feedback *feedback, struct arena *arena,
			      const char **lines_out, struct err *err)
{
	struct buffer lines = {0};
	enum status status;

	for (size_t i = 1; i < feedback->question.n_responses; i++) {
		if (i > 1)
			buffer_add_string(&lines, "\n");
		write_pair(&lines, feedback, i);
	}
	buffer_add(&lines, "", 1);
	status = buffer_status(&lines, "the kept pairs", err);
	if (status != STATUS_OK) {
		buffer_free(&lines);
		return status;
	}
	*lines_out = arena_adopt(arena, lines.bytes);
	return *lines_out == NULL ? err_no_memory(err, "the kept pairs") : STATUS_OK;
}
