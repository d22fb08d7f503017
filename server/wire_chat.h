/* SPDX-License-Identifier: Apache-2.0 */
/* wire_chat.h - conversations in JSON: a prompt, or a prompt and its response. */
#ifndef MICRO_SERVER_WIRE_CHAT_H
#define MICRO_SERVER_WIRE_CHAT_H

#include "core/encode/chat.h"
#include "server/judge.h"
#include "server/reader.h"

/**
 * wire_chat_read(reader, array, out): [{"role": ..., "content": ...}, ...], where content is a
 * text or an array of {"type": "text", "text": ...}; other fields of a message are ignored, as
 * those who write conversations have many. out becomes an INPUT_TEXT.
 */
enum status wire_chat_read(const struct reader *reader, const struct node *array,
			   struct input *out);

/**
 * wire_chat_answered(reader, array, prompt_out, response_out): a conversation that ends with the
 * response, an assistant's message; those before it are the prompt. STATUS_INVALID_VALUE if
 * somebody else has the last word, or the only one.
 */
enum status wire_chat_answered(const struct reader *reader, const struct node *array,
			       struct input *prompt_out, struct input *response_out);

#endif
