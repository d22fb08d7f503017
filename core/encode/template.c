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
    {"{context}", PIECE_CONTEXT},
    {"{prompt}", PIECE_PROMPT},
    {"{response}", PIECE_RESPONSE},
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

enum status template_check(const char *template, bool allow_response, struct err *err)
{
	const char *at = template;

	for (;;) {
		struct piece piece = piece_at(at);

		if (piece.kind == PIECE_END)
			return STATUS_OK;
		if (piece.kind == PIECE_UNKNOWN)
			return err_set(err, STATUS_INVALID_VALUE,
				       "offset %td: a single brace or an unknown placeholder, "
				       "want {context}, {prompt}%s, or {{ and }} for braces",
				       at - template, allow_response ? ", {response}" : "");
		if (piece.kind == PIECE_RESPONSE && !allow_response)
			return err_set(err, STATUS_INVALID_VALUE,
				       "offset %td: {response} is not known where the router "
				       "reads, want {context} and {prompt} only",
				       at - template);
		at += piece.source.len;
	}
}

bool template_uses(const char *template, const char *placeholder)
{
	for (;;) {
		struct piece piece = piece_at(template);

		if (piece.kind == PIECE_END)
			return false;
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
		break;
	}
	/* of "{{" and "}}" one brace */
	if (piece.source.bytes[0] == '{' || piece.source.bytes[0] == '}')
		piece.source.len = 1;
	return piece.source;
}

/* Length of the text; its bytes go to out unless that is NULL. */
static size_t render(const char *template, const struct template_fields *fields, char *out)
{
	size_t len = 0;

	for (;;) {
		struct piece piece = piece_at(template);
		struct text value;

		if (piece.kind == PIECE_END)
			return len;
		value = piece_value(piece, fields);
		if (out != NULL && value.len > 0)
			memcpy(out + len, value.bytes, value.len);
		len += value.len;
		template += piece.source.len;
	}
}

enum status template_render(const char *template, const struct template_fields *fields,
			    struct text *text_out, struct err *err)
{
	size_t len = render(template, fields, NULL);
	char *bytes = mem_array(len, 1);

	if (bytes == NULL)
		return err_no_memory(err, "a text");
	render(template, fields, bytes);
	*text_out = (struct text){bytes, len};
	return STATUS_OK;
}
