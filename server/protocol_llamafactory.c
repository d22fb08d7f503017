/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protocol_llamafactory.c - POST /v1/score/evaluation, of LlamaFactory's PPO:
 *
 *   {"model", "messages": ["<text>", ...], "max_length"}
 *   -> {"id", "object": "score.evaluation", "model", "scores": [...]}
 *
 * or "messages": [{"role", "content"}, ...], one conversation that ends with the response.
 * Its client looks at no status and reads "scores" from whatever comes: no refusal has that field.
 */
#include "server/protocol.h"

static bool is_conversation(const struct node *messages)
{
	return messages->kind == NODE_ARRAY && messages->n > 0 &&
	       node_first(messages)->kind == NODE_OBJECT;
}

static enum status read_request(const struct protocol_reading *in, struct protocol_request *out)
{
	const struct reader *reader = in->reader;
	const struct node *messages;
	struct protocol_texts texts;
	enum status status;

	if (reader->root->kind != NODE_OBJECT)
		return reader_wrong_type(reader, reader->root, "an object");
	status = reader_require(reader, reader->root, "messages", &messages);
	if (status == STATUS_OK && is_conversation(messages))
		return protocol_conversation(in, messages, out);
	if (status == STATUS_OK)
		status = protocol_texts(in, "messages", protocol_text, &texts);
	if (status == STATUS_OK && texts.n == 0)
		return reader_fault(reader, messages, STATUS_MALFORMED,
				    "no message, want one text or more");
	return status == STATUS_OK ? protocol_items(in, &texts, out) : status;
}

static void write_answer(struct buffer *out, const struct protocol_request *request,
			 const struct protocol_facts *facts)
{
	protocol_write_head(out, "scoreval", facts);
	buffer_add_string(out, ",\"object\":\"score.evaluation\",\"scores\":");
	for (size_t i = 0; i < request->score.n_items; i++) {
		buffer_add_string(out, i == 0 ? "[" : ",");
		buffer_add_number(out, request->score.items[i].rewards[0]);
	}
	buffer_add_string(out, "]}");
}

const struct protocol protocol_llamafactory = {read_request, write_answer};
