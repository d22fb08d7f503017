/* SPDX-License-Identifier: Apache-2.0 */
#include "core/encode/template.h"

#include <stddef.h>
#include <string.h>

#include "core/base/mem.h"

enum piece_kind {
	PIECE_END,
	PIECE_LITERAL,
	PIECE_CONTEXT,
	PIECE_PROMPT,
	PIECE_RESPONSE,
	PIECE_MESSAGES, /* its beginning */
	PIECE_MESSAGES_END,
	PIECE_ROLE,
	PIECE_CONTENT,
	PIECE_UNKNOWN, /* "{...}" that is no placeholder, or a single brace */
};

struct piece {
	enum piece_kind kind;
	struct text source; /* its bytes in the template */
};

static const struct {
	const char *name;
	enum piece_kind kind;
} placeholders[] = {
    {"{context}", PIECE_CONTEXT},	 {"{prompt}", PIECE_PROMPT},
    {"{response}", PIECE_RESPONSE},	 {"{messages}", PIECE_MESSAGES},
    {"{/messages}", PIECE_MESSAGES_END}, {"{role}", PIECE_ROLE},
    {"{content}", PIECE_CONTENT},
};

#define N_PLACEHOLDERS (sizeof(placeholders) / sizeof(*placeholders))

/* The piece at the beginning of template. */
static struct piece piece_at(const char *template)
{
	size_t len = strcspn(template, "{}");

	if (*template == '\0')
		return (struct piece){PIECE_END, {template, 0}};
	if (len > 0)
		return (struct piece){PIECE_LITERAL, {template, len}};
	if (template[1] == template[0])
		return (struct piece){PIECE_LITERAL, {template, 2}};
	for (size_t i = 0; i < N_PLACEHOLDERS; i++) {
		len = strlen(placeholders[i].name);
		if (strncmp(template, placeholders[i].name, len) == 0)
			return (struct piece){placeholders[i].kind, {template, len}};
	}
	return (struct piece){PIECE_UNKNOWN, {template, 1}};
}

static enum status check_outside(struct piece piece, bool allow_response, size_t offset,
				 struct err *err)
{
	if (piece.kind == PIECE_UNKNOWN)
		return err_set(err, STATUS_INVALID_VALUE,
			       "offset %zu: a single brace or an unknown placeholder, "
			       "want {context}, {prompt}%s, or {{ and }} for braces",
			       offset, allow_response ? ", {response}" : "");
	if (piece.kind == PIECE_RESPONSE && !allow_response)
		return err_set(err, STATUS_INVALID_VALUE,
			       "offset %zu: {response} is not known where the router "
			       "reads, want {context} and {prompt} only",
			       offset);
	if (piece.kind == PIECE_ROLE || piece.kind == PIECE_CONTENT ||
	    piece.kind == PIECE_MESSAGES_END)
		return err_set(
		    err, STATUS_INVALID_VALUE,
		    "offset %zu: {role}, {content} and {/messages} come after {messages}", offset);
	return STATUS_OK;
}

static enum status check_inside(struct piece piece, size_t offset, struct err *err)
{
	if (piece.kind == PIECE_LITERAL || piece.kind == PIECE_ROLE ||
	    piece.kind == PIECE_CONTENT || piece.kind == PIECE_MESSAGES_END)
		return STATUS_OK;
	if (piece.kind == PIECE_END)
		return err_set(err, STATUS_INVALID_VALUE,
			       "offset %zu: {messages} has no {/messages}", offset);
	return err_set(
	    err, STATUS_INVALID_VALUE,
	    "offset %zu: between {messages} and {/messages} want {role}, {content}, or {{ "
	    "and }} for braces",
	    offset);
}

enum status template_check(const char *template, bool allow_response, struct err *err)
{
	const char *at = template;
	bool inside = false;

	for (;;) {
		struct piece piece = piece_at(at);
		size_t offset = (size_t)(at - template);
		enum status status = inside ? check_inside(piece, offset, err)
					    : check_outside(piece, allow_response, offset, err);

		if (status != STATUS_OK || piece.kind == PIECE_END)
			return status;
		if (piece.kind == PIECE_MESSAGES || piece.kind == PIECE_MESSAGES_END)
			inside = piece.kind == PIECE_MESSAGES;
		at += piece.source.len;
	}
}

bool template_uses(const char *template, const char *placeholder)
{
	for (;;) {
		struct piece piece = piece_at(template);

		if (piece.kind == PIECE_END)
			return false;
		if (piece.kind == PIECE_MESSAGES && strcmp(placeholder, "{prompt}") == 0)
			return true;
		if (piece.kind != PIECE_LITERAL && piece.source.len == strlen(placeholder) &&
		    memcmp(piece.source.bytes, placeholder, piece.source.len) == 0)
			return true;
		template += piece.source.len;
	}
}

unsigned template_parts(const char *template)
{
	unsigned parts = 0;

	for (;;) {
		struct piece piece = piece_at(template);

		switch (piece.kind) {
		case PIECE_END:
			return parts;
		case PIECE_CONTEXT:
			parts |= TEMPLATE_CONTEXT;
			break;
		case PIECE_PROMPT:
		case PIECE_MESSAGES:
			parts |= TEMPLATE_PROMPT;
			break;
		case PIECE_RESPONSE:
			parts |= TEMPLATE_RESPONSE;
			break;
		default:
			break;
		}
		template += piece.source.len;
	}
}

/* Of "{{" and "}}" one brace. */
static struct text literal(struct piece piece)
{
	if (piece.source.bytes[0] == '{' || piece.source.bytes[0] == '}')
		piece.source.len = 1;
	return piece.source;
}

static struct text piece_value(struct piece piece, const struct template_fields *fields)
{
	switch (piece.kind) {
	case PIECE_CONTEXT:
		return fields->context;
	case PIECE_PROMPT:
		return fields->prompt;
	case PIECE_RESPONSE:
		return fields->response;
	default:
		return literal(piece);
	}
}

/* A text as long as what was put into it; bytes NULL: it is only measured. */
struct output {
	char *bytes;
	size_t len;
};

static void put(struct output *out, struct text text)
{
	if (out->bytes != NULL && text.len > 0)
		memcpy(out->bytes + out->len, text.bytes, text.len);
	out->len += text.len;
}

/* What stands behind {messages}, for one message; returns what follows {/messages}. */
static const char *put_message(const char *inside, const struct chat_message *message,
			       struct output *out)
{
	for (;;) {
		struct piece piece = piece_at(inside);

		inside += piece.source.len;
		if (piece.kind == PIECE_MESSAGES_END)
			return inside;
		if (piece.kind == PIECE_ROLE)
			put(out, message->role);
		else if (piece.kind == PIECE_CONTENT)
			put(out, message->content);
		else
			put(out, literal(piece));
	}
}

static const char *put_messages(const char *inside, const struct template_fields *fields,
				struct output *out)
{
	const struct chat_message only = {{"user", 4}, fields->prompt};
	const struct chat_message *messages = &only;
	const char *behind = inside;
	size_t n = 1;

	if (fields->chat.n > 0) {
		messages = fields->chat.messages;
		n = fields->chat.n;
	}
	for (size_t i = 0; i < n; i++)
		behind = put_message(inside, &messages[i], out);
	return behind;
}

static void render(const char *template, const struct template_fields *fields, struct output *out)
{
	for (;;) {
		struct piece piece = piece_at(template);

		if (piece.kind == PIECE_END)
			return;
		template += piece.source.len;
		if (piece.kind == PIECE_MESSAGES)
			template = put_messages(template, fields, out);
		else
			put(out, piece_value(piece, fields));
	}
}

enum status template_render(const char *template, const struct template_fields *fields,
			    struct text *text_out, struct err *err)
{
	struct output out = {0};

	render(template, fields, &out);
	out.bytes = mem_array(out.len, 1);
	if (out.bytes == NULL)
		return err_no_memory(err, "a text");
	out.len = 0;
	render(template, fields, &out);
	*text_out = (struct text){out.bytes, out.len};
	return STATUS_OK;
}
