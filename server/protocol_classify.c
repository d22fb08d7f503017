/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protocol_classify.c - POST /classify, where two servers keep their reward models:
 *
 *   vLLM    {"model", "input": "<text>" or [...], "use_activation": false}
 *           -> {"id", "object": "list", "created", "model", "data": [{"index", "label": null,
 *               "probs": [r], "num_classes": 1}], "usage": {...}}                verl reads this
 *           or "messages" in place of input: a conversation that ends with the response
 *   SGLang  {"model", "text": "<text>" or [...]} -> {"embedding": [r]}, or an array of them
 *
 * vLLM's probs are between 0 and 1 unless activation is turned off, by the name that the
 * client's version has for it.
 */
#include "server/protocol.h"

static enum status read_scale(const struct protocol_reading *in, struct protocol_request *out)
{
	static const char *const names[] = {"use_activation", "activation", "softmax"};
	bool activation = true;
	enum status status = STATUS_OK;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && status == STATUS_OK; i++) {
		status = reader_flag(in->reader, in->reader->root, names[i], &activation);
		if (!activation)
			break;
	}
	out->scale = activation ? SCALE_SIGMOID : SCALE_REWARD;
	return status;
}

static enum status read_texts(const struct protocol_reading *in, const char *field,
			      struct protocol_request *out)
{
	const struct node *required;
	struct protocol_texts texts;
	enum status status = reader_require(in->reader, in->reader->root, field, &required);

	if (status == STATUS_OK)
		status = protocol_texts(in, field, protocol_text, &texts);
	if (status != STATUS_OK)
		return status;
	out->is_single = texts.is_single;
	return protocol_items(in, &texts, out);
}

static enum status read_request(const struct protocol_reading *in, struct protocol_request *out)
{
	const struct reader *reader = in->reader;
	const struct node *messages, *input;
	enum status status = STATUS_OK;

	if (reader->root->kind != NODE_OBJECT)
		return reader_wrong_type(reader, reader->root, "an object");
	out->is_bare = reader_find(reader->root, "text") != NULL;
	if (!out->is_bare)
		status = read_scale(in, out);
	if (status != STATUS_OK)
		return status;
	input = reader_find(reader->root, "input");
	messages = reader_find(reader->root, "messages");
	if (out->is_bare + (input != NULL) + (messages != NULL) > 1)
		return reader_fault(reader, messages != NULL ? messages : input,
				    STATUS_INVALID_VALUE,
				    "want input, text or messages, only one of them");
	if (messages != NULL)
		return protocol_conversation(in, messages, out);
	return read_texts(in, out->is_bare ? "text" : "input", out);
}

static void add_reward(struct buffer *out, const char *before,
		       const struct protocol_request *request, size_t item)
{
	buffer_add_string(out, before);
	buffer_add_number(out, protocol_number(request, request->score.items[item].rewards[0]));
}

static void write_native(struct buffer *out, const struct protocol_request *request)
{
	if (!request->is_single)
		buffer_add_string(out, "[");
	for (size_t i = 0; i < request->score.n_items; i++) {
		add_reward(out, i == 0 ? "{\"embedding\":[" : ",{\"embedding\":[", request, i);
		buffer_add_string(out, "]}");
	}
	if (!request->is_single)
		buffer_add_string(out, "]");
}

static void write_list(struct buffer *out, const struct protocol_request *request,
		       const struct protocol_facts *facts)
{
	protocol_write_head(out, "classify", facts);
	buffer_add_string(out, ",\"object\":\"list\",\"created\":");
	buffer_add_uint(out, (uint64_t)(facts->time_us / 1000000));
	buffer_add_string(out, ",\"data\":[");
	for (size_t i = 0; i < request->score.n_items; i++) {
		buffer_add_string(out, i == 0 ? "{\"index\":" : ",{\"index\":");
		buffer_add_uint(out, i);
		add_reward(out, ",\"label\":null,\"probs\":[", request, i);
		buffer_add_string(out, "],\"num_classes\":1}");
	}
	buffer_add_string(out, "]," PROTOCOL_NO_TOKENS "}");
}

static void write_answer(struct buffer *out, const struct protocol_request *request,
			 const struct protocol_facts *facts)
{
	if (request->is_bare)
		write_native(out, request);
	else
		write_list(out, request, facts);
}

const struct protocol protocol_classify = {read_request, write_answer};
