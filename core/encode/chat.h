/* SPDX-License-Identifier: Apache-2.0 */
/* chat.h - a prompt that is a conversation: messages, each with a role. */
#ifndef MICRO_ENCODE_CHAT_H
#define MICRO_ENCODE_CHAT_H

#include <stddef.h>

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/encode/encoder.h"

struct chat_message {
	struct text role; /* not empty */
	struct text content;
};

/* n 0: it is no conversation, the prompt is a text. */
struct chat {
	const struct chat_message *messages; /* [n] */
	size_t n;
};

/**
 * chat_text(chat, arena, text_out, err): the conversation as one text, for templates that have
 * {prompt}: a single message is its content, of several each is "role: content" on lines of its
 * own. In arena, or in the message. Error: STATUS_NO_MEMORY.
 */
enum status chat_text(const struct chat *chat, struct arena *arena, struct text *text_out,
		      struct err *err);

/** chat_join(parts, n, arena, text_out, err): the texts parts [n] one after the other. */
enum status chat_join(const struct text *parts, size_t n, struct arena *arena,
		      struct text *text_out, struct err *err);

#endif
