/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protocol_openrlhf.c - POST /get_reward, of OpenRLHF and its kin:
 *
 *   {"query": ["<prompt and response>", ...], "prompts": ["<prompt>", ...], "labels": [...]}
 *   -> {"rewards": [...], "scores": [...], "extra_logs": {"head_0": [...], ..., "entropy": [...]}}
 *
 * LightRFT calls the first field "queries". A prompt may be an array of messages. Clients with
 * several servers send empty arrays to all but one, and an error there costs them the reward of the
 * other: the answer is empty then. scores are between 0 and 1, because clients filter by that
 * range; extra_logs may have numbers only: every head's centered reward, and the entropy of the
 * weights in nats.
 */
#include <stdio.h>
#include <string.h>

#include "core/math/logmath.h"
#include "server/protocol.h"

/* The response is what follows the prompt; if the prompt was cut, the whole is. */
static void split(struct score_item *item, const struct input *prompt)
{
	struct text *response = &item->question.responses[0].text;
	const struct text *before = &prompt->text;

	item->question.prompt = *prompt;
	if (before->len > response->len || memcmp(before->bytes, response->bytes, before->len) != 0)
		return;
	response->bytes += before->len;
	response->len -= before->len;
}

static enum status read_prompts(const struct protocol_reading *in, struct protocol_request *out)
{
	const size_t n = out->score.n_items;
	struct protocol_texts prompts;
	enum status status = protocol_texts(in, "prompts", protocol_prompt, &prompts);

	if (status != STATUS_OK || prompts.n == 0)
		return status;
	if (prompts.n != n)
		return reader_fault(
		    in->reader, reader_find(in->reader->root, "prompts"), STATUS_INVALID_VALUE,
		    "%zu prompts of %zu queries, want one for each, or none", prompts.n, n);
	for (size_t i = 0; i < n; i++)
		split(&out->score.items[i], &prompts.input[i]);
	return STATUS_OK;
}

static enum status read_request(const struct protocol_reading *in, struct protocol_request *out)
{
	const struct reader *reader = in->reader;
	const struct node *query;
	struct protocol_texts texts;
	const char *field = "query";
	enum status status;

	if (reader->root->kind != NODE_OBJECT)
		return reader_wrong_type(reader, reader->root, "an object");
	if (reader_find(reader->root, field) == NULL &&
	    reader_find(reader->root, "queries") != NULL)
		field = "queries";
	status = reader_require(reader, reader->root, field, &query);
	if (status == STATUS_OK)
		status = protocol_texts(in, field, protocol_text, &texts);
	if (status == STATUS_OK)
		status = protocol_items(in, &texts, out);
	if (status == STATUS_OK)
		status = read_prompts(in, out);
	for (size_t i = 0; i < out->score.n_items && status == STATUS_OK; i++)
		out->score.items[i].wants_heads = true;
	return status;
}

enum column { COLUMN_REWARD, COLUMN_SCORE, COLUMN_ENTROPY, COLUMN_HEAD };

static double cell(const struct score_item *item, enum column column, size_t head)
{
	switch (column) {
	case COLUMN_REWARD:
		return item->rewards[0];
	case COLUMN_SCORE:
		return sigmoid(item->rewards[0]);
	case COLUMN_ENTROPY:
		return protocol_entropy(item);
	default:
		return item->heads[head];
	}
}

/* "name":[one number an item] */
static void add_column(struct buffer *out, const struct score_request *score, const char *name,
		       enum column column, size_t head)
{
	buffer_add_string(out, "\"");
	buffer_add_string(out, name);
	buffer_add_string(out, "\":[");
	for (size_t i = 0; i < score->n_items; i++) {
		if (i > 0)
			buffer_add_string(out, ",");
		buffer_add_number(out, cell(&score->items[i], column, head));
	}
	buffer_add_string(out, "]");
}

static void add_logs(struct buffer *out, const struct score_request *score)
{
	size_t n_heads = score->n_items == 0 ? 0 : score->items[0].n_weights;
	char name[32];

	for (size_t k = 0; k < n_heads; k++) {
		snprintf(name, sizeof(name), "head_%zu", k);
		add_column(out, score, name, COLUMN_HEAD, k);
		buffer_add_string(out, ",");
	}
	if (n_heads > 0)
		add_column(out, score, "entropy", COLUMN_ENTROPY, 0);
}

static void write_answer(struct buffer *out, const struct protocol_request *request,
			 const struct protocol_facts *facts)
{
	(void)facts;
	buffer_add_string(out, "{");
	add_column(out, &request->score, "rewards", COLUMN_REWARD, 0);
	buffer_add_string(out, ",");
	add_column(out, &request->score, "scores", COLUMN_SCORE, 0);
	buffer_add_string(out, ",\"extra_logs\":{");
	add_logs(out, &request->score);
	buffer_add_string(out, "}}");
}

const struct protocol protocol_openrlhf = {read_request, write_answer};
