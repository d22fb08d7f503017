/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protocol_rerank.c - POST /rerank: the best of N responses, for a user when one is given.
 *
 *   Cohere, Jina, vLLM  {"model", "query": "<prompt>", "documents": ["<response>" or {"text"},
 * ...], "top_n", "return_documents"}
 *                       -> {"id", "model", "results": [{"index", "relevance_score",
 *                          "document": {"text"}}, ...], "usage": {...}}, best first
 *   TEI                 {"query", "texts": [...], "raw_scores", "return_text"}
 *                       -> [{"index", "score", "text"}, ...], best first
 *
 * A query may be an array of messages. Scores are between 0 and 1, the sigmoid of the reward,
 * unless raw_scores asks for rewards. Equal ones stay in their order. "user" and "context" may be
 * in the body.
 */
#include <math.h>
#include <stdlib.h>

#include "server/protocol.h"

static enum status read_document(const struct protocol_reading *in, const struct node *node,
				 const char *field, size_t index, struct input *out)
{
	const struct node *string = node;
	enum status status = STATUS_OK;

	if (node->kind == NODE_OBJECT)
		status = reader_require(in->reader, node, "text", &string);
	if (status != STATUS_OK)
		return status;
	if (string->kind != NODE_STRING)
		return reader_wrong_type(in->reader, string, "a string, or {\"text\": ...}");
	return protocol_text(in, string, field, index, out);
}

static enum status read_documents(const struct protocol_reading *in, const char *field,
				  struct question *question)
{
	const struct node *array, *node;
	enum status status = reader_require(in->reader, in->reader->root, field, &array);

	if (status == STATUS_OK)
		status = reader_array(in->reader, array, in->limits->max_responses,
				      "--max-responses", "a string");
	if (status != STATUS_OK)
		return status;
	status = wire_make_responses(in->reader, array->n, question);
	if (status != STATUS_OK)
		return status;
	node = node_first(array);
	for (size_t i = 0; i < array->n && status == STATUS_OK; i++) {
		status = read_document(in, node, field, i, &question->responses[i]);
		node = node_next(node);
	}
	return status;
}

static enum status read_query(const struct protocol_reading *in, struct question *question)
{
	const struct node *query;
	enum status status = reader_require(in->reader, in->reader->root, "query", &query);

	if (status != STATUS_OK)
		return status;
	return protocol_prompt(in, query, "query", PLACE_NONE, &question->prompt);
}

/* 0 is all, as vLLM has it; and so is more than there are. */
static enum status read_top_n(const struct protocol_reading *in, size_t *out)
{
	const struct node *top_n = reader_find(in->reader->root, "top_n");

	*out = SIZE_MAX;
	if (top_n == NULL)
		return STATUS_OK;
	if (top_n->kind != NODE_NUMBER)
		return reader_wrong_type(in->reader, top_n, "how many results, 0 is all");
	if (top_n->number < 0 || top_n->number != floor(top_n->number))
		return reader_fault(in->reader, top_n, STATUS_INVALID_VALUE,
				    "%g, want how many results: a whole number, 0 is all",
				    top_n->number);
	if (top_n->number > 0 && top_n->number < INDEX_MAX)
		*out = (size_t)top_n->number;
	return STATUS_OK;
}

static enum status read_options(const struct protocol_reading *in, struct protocol_request *out)
{
	const char *quote = out->is_bare ? "return_text" : "return_documents";
	const struct node *root = in->reader->root;
	bool raw = false;
	enum status status = read_top_n(in, &out->top_n);

	out->with_documents = !out->is_bare;
	if (status == STATUS_OK)
		status = reader_flag(in->reader, root, quote, &out->with_documents);
	if (status == STATUS_OK)
		status = reader_flag(in->reader, root, "raw_scores", &raw);
	out->scale = raw ? SCALE_REWARD : SCALE_SIGMOID;
	return status;
}

static enum status read_question(const struct protocol_reading *in, const char *documents,
				 struct score_item *item)
{
	enum status status = read_query(in, &item->question);

	return status == STATUS_OK ? read_documents(in, documents, &item->question) : status;
}

static enum status read_request(const struct protocol_reading *in, struct protocol_request *out)
{
	const struct node *root = in->reader->root;
	enum status status;

	if (root->kind != NODE_OBJECT)
		return reader_wrong_type(in->reader, root, "an object");
	status = protocol_named_item(in, out);
	if (status != STATUS_OK)
		return status;
	out->is_bare = reader_find(root, "texts") != NULL;
	status = read_question(in, out->is_bare ? "texts" : "documents", &out->score.items[0]);
	if (status != STATUS_OK)
		return status;
	out->ranking = arena_array(in->reader->arena, out->score.items[0].question.n_responses,
				   sizeof(*out->ranking));
	if (out->ranking == NULL)
		return err_no_memory(in->reader->err, "the request");
	return read_options(in, out);
}

static int best_first(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;

	if (a->reward != b->reward)
		return a->reward > b->reward ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

static void add_result(struct buffer *out, const struct protocol_request *request,
		       const struct ranked *ranked)
{
	const struct input *response = &request->score.items[0].question.responses[ranked->index];
	const bool bare = request->is_bare;

	buffer_add_string(out, "{\"index\":");
	buffer_add_uint(out, ranked->index);
	buffer_add_string(out, bare ? ",\"score\":" : ",\"relevance_score\":");
	buffer_add_number(out, protocol_number(request, ranked->reward));
	if (request->with_documents) {
		buffer_add_string(out, bare ? ",\"text\":" : ",\"document\":{\"text\":");
		buffer_add_quoted(out, response->text.bytes, response->text.len);
		buffer_add_string(out, bare ? "" : "}");
	}
	buffer_add_string(out, "}");
}

static void add_results(struct buffer *out, const struct protocol_request *request)
{
	const struct score_item *item = &request->score.items[0];
	const size_t n = item->question.n_responses;
	struct ranked *ranked = request->ranking;

	for (size_t i = 0; i < n; i++)
		ranked[i] = (struct ranked){item->rewards[i], i};
	qsort(ranked, n, sizeof(*ranked), best_first);
	buffer_add_string(out, "[");
	for (size_t i = 0; i < n && i < request->top_n; i++) {
		if (i > 0)
			buffer_add_string(out, ",");
		add_result(out, request, &ranked[i]);
	}
	buffer_add_string(out, "]");
}

static void write_answer(struct buffer *out, const struct protocol_request *request,
			 const struct protocol_facts *facts)
{
	if (request->is_bare) {
		add_results(out, request);
		return;
	}
	protocol_write_head(out, "rerank", facts);
	buffer_add_string(out, ",\"results\":");
	add_results(out, request);
	buffer_add_string(out, "," PROTOCOL_NO_TOKENS "}");
}

const struct protocol protocol_rerank = {read_request, write_answer};
