/* SPDX-License-Identifier: Apache-2.0 */
#include "core/encode/chat.h"

#include <string.h>

#define PARTS_OF_MESSAGE 4 /* role, ": ", content, "\n" */

enum status chat_join(const struct text *parts, size_t n, struct arena *arena,
		      struct text *text_out, struct err *err)
{
	size_t len = 0;
	char *bytes;

	for (size_t i = 0; i < n; i++)
		len += parts[i].len;
	bytes = arena_bytes(arena, len);
	if (bytes == NULL)
		return err_no_memory(err, "messages");
	*text_out = (struct text){bytes, len};
	for (size_t i = 0; i < n; i++) {
		if (parts[i].len > 0)
			memcpy(bytes, parts[i].bytes, parts[i].len);
		bytes += parts[i].len;
	}
	return STATUS_OK;
}

enum status chat_text(const struct chat *chat, struct arena *arena, struct text *text_out,
		      struct err *err)
{
	struct text *parts;

	if (chat->n == 1) {
		*text_out = chat->messages[0].content;
		return STATUS_OK;
	}
	parts = arena_array(arena, chat->n, PARTS_OF_MESSAGE * sizeof(*parts));
	if (parts == NULL)
		return err_no_memory(err, "messages");
	for (size_t i = 0; i < chat->n; i++) {
		struct text *part = parts + i * PARTS_OF_MESSAGE;

		part[0] = chat->messages[i].role;
		part[1] = (struct text){": ", 2};
		part[2] = chat->messages[i].content;
		part[3] = (struct text){"\n", i + 1 < chat->n};
	}
	return chat_join(parts, chat->n * PARTS_OF_MESSAGE, arena, text_out, err);
}
