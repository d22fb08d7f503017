/* SPDX-License-Identifier: Apache-2.0 */
#include "server/wire_chat.h"

#define MAX_MESSAGES 10000
#define WANT_MESSAGE "an object with role and content"
#define WANT_CONTENT "a text or an array of {\"type\": \"text\", \"text\": ...}"

#define ROLE_OF_RESPONSES "assistant"

static enum status read_part(const struct reader *reader, const struct node *node, struct text *out)
{
	const struct node *type, *text;

	if (node->kind != NODE_OBJECT)
		return reader_wrong_type(reader, node, WANT_CONTENT);
	type = reader_find(node, "type");
	text = reader_find(node, "text");
	if (type == NULL || type->kind != NODE_STRING || !node_is(type, "text") || text == NULL ||
	    text->kind != NODE_STRING)
		return reader_fault(reader, node, STATUS_INVALID_TYPE, "want " WANT_CONTENT);
	*out = reader_text(text);
	return STATUS_OK;
}

static enum status read_parts(const struct reader *reader, const struct node *array,
			      struct text *out)
{
	struct text *parts = arena_array(reader->arena, array->n, sizeof(*parts));
	const struct node *node = node_first(array);
	enum status status = STATUS_OK;

	if (parts == NULL)
		return err_no_memory(reader->err, "messages");
	for (size_t i = 0; i < array->n && status == STATUS_OK; i++) {
		status = read_part(reader, node, &parts[i]);
		node = node_next(node);
	}
	if (status != STATUS_OK)
		return status;
	return chat_join(parts, array->n, reader->arena, out, reader->err);
}

static enum status read_message(const struct reader *reader, const struct node *node,
				struct chat_message *out)
{
	const struct node *role, *content;
	enum status status;

	if (node->kind != NODE_OBJECT)
		return reader_wrong_type(reader, node, WANT_MESSAGE);
	status = reader_require(reader, node, "role", &role);
	if (status == STATUS_OK)
		status = reader_require(reader, node, "content", &content);
	if (status != STATUS_OK)
		return status;
	if (role->kind != NODE_STRING)
		return reader_wrong_type(reader, role, "a text");
	if (role->n == 0)
		return reader_fault(reader, role, STATUS_INVALID_VALUE,
				    "want a role that is not empty, such as user");
	out->role = reader_text(role);
	if (content->kind == NODE_ARRAY)
		return read_parts(reader, content, &out->content);
	if (content->kind != NODE_STRING)
		return reader_wrong_type(reader, content, WANT_CONTENT);
	out->content = reader_text(content);
	return STATUS_OK;
}

static enum status read_messages(const struct reader *reader, const struct node *array,
				 struct chat *chat_out, const struct node **last_out)
{
	struct chat_message *messages;
	const struct node *node;
	enum status status = reader_array(reader, array, MAX_MESSAGES, "messages", WANT_MESSAGE);

	if (status != STATUS_OK)
		return status;
	messages = arena_array(reader->arena, array->n, sizeof(*messages));
	if (messages == NULL)
		return err_no_memory(reader->err, "messages");
	*chat_out = (struct chat){messages, array->n};
	node = node_first(array);
	for (size_t i = 0; i < array->n && status == STATUS_OK; i++) {
		status = read_message(reader, node, &messages[i]);
		*last_out = node;
		node = node_next(node);
	}
	return status;
}

enum status wire_chat_read(const struct reader *reader, const struct node *array, struct input *out)
{
	const struct node *last;
	enum status status = read_messages(reader, array, &out->chat, &last);

	out->kind = INPUT_TEXT;
	if (status != STATUS_OK)
		return status;
	return chat_text(&out->chat, reader->arena, &out->text, reader->err);
}

enum status wire_chat_answered(const struct reader *reader, const struct node *array,
			       struct input *prompt_out, struct input *response_out)
{
	struct chat *chat = &prompt_out->chat;
	const struct node *last = NULL;
	enum status status = read_messages(reader, array, chat, &last);

	if (status != STATUS_OK)
		return status;
	if (!node_is(node_find(last, "role"), ROLE_OF_RESPONSES))
		return reader_fault(reader, node_find(last, "role"), STATUS_INVALID_VALUE,
				    "want " ROLE_OF_RESPONSES ": the last message is the response");
	if (--chat->n == 0)
		return reader_fault(reader, array, STATUS_INVALID_VALUE,
				    "1 message, want those of the prompt before the response");
	response_out->kind = prompt_out->kind = INPUT_TEXT;
	response_out->text = chat->messages[chat->n].content;
	return chat_text(chat, reader->arena, &prompt_out->text, reader->err);
}
