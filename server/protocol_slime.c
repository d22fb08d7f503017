/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protocol_slime.c - POST /score with one response, of slime's remote_rm and its kin:
 *
 *   {"prompt": "<text>" or [messages], "response": "<text>", "label": anything}
 *   -> {"score": r, "heads": [...], "entropy": ...}, or r alone with ?format=scalar
 *
 * --reward-key score takes the reward out of the object. A body of our own has "responses"; prompt,
 * response, user and context may be all that they are there.
 */
#include <string.h>

#include "server/protocol.h"

#define FORMAT_SCALAR "scalar"

/* A text without a prompt has the empty one, as in /get_reward and /classify. */
static enum status read_prompt(const struct protocol_reading *in, struct question *question)
{
	struct input *prompt = &question->prompt;
	enum status status =
	    wire_read_prompt(in->reader, in->limits, in->reader->root, PLACE_NONE, prompt);

	if (prompt->kind == INPUT_ABSENT && question->responses[0].kind == INPUT_TEXT) {
		prompt->kind = INPUT_TEXT;
		prompt->text = (struct text){"", 0};
	}
	return status;
}

static enum status read_format(const struct protocol_reading *in, bool *is_bare_out)
{
	*is_bare_out = in->format != NULL && strcmp(in->format, FORMAT_SCALAR) == 0;
	if (in->format == NULL || *is_bare_out)
		return STATUS_OK;
	return err_at(in->reader->err, STATUS_INVALID_VALUE, "?format",
		      "%.32s, want " FORMAT_SCALAR ", or nothing for an object", in->format);
}

static enum status read_response(const struct protocol_reading *in, struct question *question)
{
	const struct node *node;
	enum status status = reader_require(in->reader, in->reader->root, "response", &node);

	if (status == STATUS_OK)
		status = wire_make_responses(in->reader, 1, question);
	if (status != STATUS_OK)
		return status;
	return wire_read_response(in->reader, in->limits, node, place_field(PLACE_NONE, "response"),
				  &question->responses[0]);
}

static enum status read_request(const struct protocol_reading *in, struct protocol_request *out)
{
	struct score_item *item;
	enum status status = read_format(in, &out->is_bare);

	if (status == STATUS_OK)
		status = protocol_named_item(in, out);
	if (status != STATUS_OK)
		return status;
	item = &out->score.items[0];
	item->wants_heads = true;
	status = read_response(in, &item->question);
	return status == STATUS_OK ? read_prompt(in, &item->question) : status;
}

static void write_answer(struct buffer *out, const struct protocol_request *request,
			 const struct protocol_facts *facts)
{
	const struct score_item *item = &request->score.items[0];

	(void)facts;
	if (request->is_bare) {
		buffer_add_number(out, item->rewards[0]);
		return;
	}
	buffer_add_string(out, "{\"score\":");
	buffer_add_number(out, item->rewards[0]);
	for (size_t k = 0; k < item->n_weights; k++) {
		buffer_add_string(out, k == 0 ? ",\"heads\":[" : ",");
		buffer_add_number(out, item->heads[k]);
	}
	buffer_add_string(out, "],\"entropy\":");
	buffer_add_number(out, protocol_entropy(item));
	buffer_add_string(out, "}");
}

static const struct protocol slime = {read_request, write_answer};

const struct protocol *protocol_slime(void)
{
	return &slime;
}

bool protocol_is_slime(const struct node *root)
{
	return root->kind == NODE_OBJECT && node_find(root, "response") != NULL;
}
