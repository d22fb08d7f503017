/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template.h - which text goes into phi and psi: a string with the placeholders
 * {context}, {prompt} and {response}; "{{" and "}}" stand for braces. Templates
 * live in the model file, so training and serving render the same bytes.
 *
 *   {messages}<|{role}|>{content}{/messages}
 *
 * is what stands between, once for each message of the prompt, with its {role} and {content}; a
 * prompt that is a text is one message of the user.
 */
#ifndef MICRO_ENCODE_TEMPLATE_H
#define MICRO_ENCODE_TEMPLATE_H

#include <stdbool.h>

#include "core/base/err.h"
#include "core/encode/chat.h"
#include "core/encode/encoder.h"

/* hash: the prompt's words would cancel in the difference of two responses */
#define TEMPLATE_DEFAULT_PHI "{response}"
#define TEMPLATE_DEFAULT_PSI "{context}\n{prompt}"

struct template_fields {
	struct text context;  /* len 0: absent */
	struct text prompt;   /* len 0: absent; of a conversation chat_text() */
	struct chat chat;     /* n 0: the prompt is a text */
	struct text response; /* len 0: absent */
};

/**
 * template_check(template, allow_response, err): STATUS_INVALID_VALUE with the
 * offset if it has an unknown placeholder or a single brace, {response}
 * where there is none (psi), {messages} without its end or within another, or what is only for
 * inside or outside of it.
 */
enum status template_check(const char *template, bool allow_response, struct err *err);

/** template_uses(template, placeholder): e.g. template_uses(t, "{prompt}"), which is also true of
 * {messages}. */
bool template_uses(const char *template, const char *placeholder);

/* What a template uses, as a set of bits. */
enum template_part { TEMPLATE_CONTEXT = 1, TEMPLATE_PROMPT = 2, TEMPLATE_RESPONSE = 4 };

/** template_parts(template): all that it uses. */
unsigned template_parts(const char *template);

/**
 * template_render(template, fields, text_out, err): a new string, its length in
 * text_out->len; the caller frees text_out->bytes with mem_free(). The template
 * has passed template_check().
 */
enum status template_render(const char *template, const struct template_fields *fields,
			    struct text *text_out, struct err *err);

#endif
