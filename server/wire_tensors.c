/* SPDX-License-Identifier: Apache-2.0 */
#include "server/wire_tensors.h"

#include "server/tensor_body.h"
#include "server/wire_fields.h"

/* What every reading function needs. */
struct source {
	struct tensor_body body;
	const struct wire_limits *limits;
};

/* The fields that an object may have, NULL-terminated. */
static const char *const batch_fields[] = {"items", NULL};
static const char *const single_fields[] = {"user", "context", "receipt", "personalize", NULL};
static const char *const item_fields[] = {"user",    "context",	    "responses",
					  "receipt", "personalize", NULL};
static const char *const feedback_fields[] = {"user", "context", "id", WIRE_FIELDS_STEP, NULL};

/* ---- score ---- */

/* The n rows from first on are the responses. */
static enum status make_responses(const struct source *s, const struct tensor_rows *rows,
				  size_t first, size_t n, struct question *question)
{
	enum status status = wire_make_responses(&s->body.reader, n, question);

	for (size_t i = 0; i < n && status == STATUS_OK; i++)
		question->responses[i] = tensor_body_input(&s->body, rows, first + i);
	return status;
}

/* How many of the n_left rows are the item's. */
static enum status read_count(const struct source *s, const struct node *item, size_t n_left,
			      size_t *count_out)
{
	const struct reader *reader = &s->body.reader;
	size_t limit = s->limits->max_responses, most = limit < n_left ? limit : n_left;
	const struct node *node;
	enum status status = reader_require(reader, item, "responses", &node);

	if (status != STATUS_OK)
		return status;
	if (node->kind != NODE_NUMBER)
		return reader_wrong_type(reader, node, "a number of rows");
	if (!(node->number >= 1 && node->number <= (double)most) ||
	    node->number != (double)(size_t)node->number)
		return reader_fault(reader, node, STATUS_INVALID_VALUE,
				    "%g rows, want 1 to %zu (%zu are left, the limit of "
				    "--max-responses is %zu)",
				    node->number, most, n_left, limit);
	*count_out = (size_t)node->number;
	return STATUS_OK;
}

static enum status read_fields(const struct source *s, const struct node *object,
			       struct score_item *out)
{
	const struct reader *reader = &s->body.reader;
	enum status status = wire_fields_person(reader, object, &s->limits->person, &out->user,
						&out->question.context);

	out->question.prompt = (struct input){.place = place_field(PLACE_NONE, "prompt")};
	return status == STATUS_OK ? wire_fields_item(reader, object, out) : status;
}

/* *row_io: the first row that is not yet an item's. */
static enum status read_item(const struct source *s, const struct node *object,
			     const struct tensor_rows *rows, size_t *row_io, struct score_item *out)
{
	enum status status = reader_object(&s->body.reader, object, item_fields);
	size_t n = 0;

	if (status == STATUS_OK)
		status = read_fields(s, object, out);
	if (status == STATUS_OK)
		status = read_count(s, object, rows->n - *row_io, &n);
	if (status == STATUS_OK)
		status = make_responses(s, rows, *row_io, n, &out->question);
	*row_io += n;
	return status;
}

static enum status read_batch(const struct source *s, const struct node *array,
			      const struct tensor_rows *rows, struct score_request *out)
{
	const struct reader *reader = &s->body.reader;
	const struct node *node;
	size_t row = 0;
	enum status status = reader_object(reader, reader->root, batch_fields);

	out->is_batch = true;
	if (status == STATUS_OK)
		status =
		    reader_array(reader, array, s->limits->max_items, "--max-items", "an object");
	if (status == STATUS_OK)
		status = wire_make_items(&s->body.reader, array->n, out);
	if (status != STATUS_OK)
		return status;
	node = node_first(array);
	for (size_t i = 0; i < out->n_items && status == STATUS_OK; i++) {
		status = read_item(s, node, rows, &row, &out->items[i]);
		node = node_next(node);
	}
	if (status != STATUS_OK || row == rows->n)
		return status;
	return tensor_body_wrong_rows(&s->body, rows, row, ", as many as the items say");
}

static enum status read_single(const struct source *s, const struct tensor_rows *rows,
			       struct score_request *out)
{
	const struct reader *reader = &s->body.reader;
	enum status status = reader_object(reader, reader->root, single_fields);

	if (status == STATUS_OK)
		status = wire_make_items(&s->body.reader, 1, out);
	if (status == STATUS_OK)
		status = read_fields(s, reader->root, &out->items[0]);
	if (status != STATUS_OK)
		return status;
	if (rows->n > s->limits->max_responses)
		return tensor_body_wrong_rows(&s->body, rows, s->limits->max_responses,
					      " at most (the limit of --max-responses)");
	return make_responses(s, rows, 0, rows->n, &out->items[0].question);
}

/* One prompt for all items, or one for each. */
static enum status take_prompts(const struct source *s, struct score_request *out)
{
	struct tensor_rows rows;
	enum status status = tensor_body_rows(&s->body, "prompt", &rows);

	if (status != STATUS_OK || rows.n == 0)
		return status;
	if (rows.n != 1 && rows.n != out->n_items)
		return tensor_body_wrong_rows(&s->body, &rows, out->n_items,
					      ", one for each item, or 1 for all");
	for (size_t i = 0; i < out->n_items; i++)
		out->items[i].question.prompt =
		    tensor_body_input(&s->body, &rows, rows.n == 1 ? 0 : i);
	return STATUS_OK;
}

static enum status read_score(const struct source *s, struct score_request *out)
{
	const struct node *root = s->body.reader.root, *items = NULL;
	struct tensor_rows rows;
	enum status status = tensor_body_require(&s->body, "responses", &rows);

	if (status != STATUS_OK)
		return status;
	if (root->kind == NODE_OBJECT)
		items = node_find(root, "items");
	status = items == NULL ? read_single(s, &rows, out) : read_batch(s, items, &rows, out);
	return status == STATUS_OK ? take_prompts(s, out) : status;
}

enum status wire_tensors_score(const char *body, size_t len, const struct wire_limits *limits,
			       struct arena *arena, struct score_request *request_out,
			       struct err *err)
{
	static const char *const names[] = {"prompt", "responses", NULL};
	struct source s = {.limits = limits};
	enum status status = tensor_body_open(&s.body, body, len, names, limits->dim, arena, err);

	*request_out = (struct score_request){0};
	if (status != STATUS_OK)
		return status;
	status = read_score(&s, request_out);
	tensor_body_close(&s.body);
	return status;
}

/* ---- feedback ---- */

static enum status take_prompt(const struct source *s, struct question *question)
{
	struct tensor_rows rows;
	enum status status = tensor_body_rows(&s->body, "prompt", &rows);

	question->prompt = (struct input){.place = place_field(PLACE_NONE, "prompt")};
	if (status != STATUS_OK || rows.n == 0)
		return status;
	if (rows.n != 1)
		return tensor_body_wrong_rows(&s->body, &rows, 1, "");
	question->prompt = tensor_body_input(&s->body, &rows, 0);
	return STATUS_OK;
}

/* As responses: chosen, then each rejected. */
static enum status take_preference(const struct source *s, struct question *question)
{
	struct tensor_rows chosen, rejected;
	enum status status = tensor_body_require(&s->body, "chosen", &chosen);

	if (status == STATUS_OK)
		status = tensor_body_require(&s->body, "rejected", &rejected);
	if (status != STATUS_OK)
		return status;
	if (chosen.n != 1)
		return tensor_body_wrong_rows(&s->body, &chosen, 1, "");
	if (rejected.n >= s->limits->max_responses)
		return tensor_body_wrong_rows(&s->body, &rejected, s->limits->max_responses - 1,
					      " at most (with chosen the limit of "
					      "--max-responses)");
	status = wire_make_responses(&s->body.reader, 1 + rejected.n, question);
	if (status != STATUS_OK)
		return status;
	question->responses[0] = tensor_body_input(&s->body, &chosen, 0);
	for (size_t i = 0; i < rejected.n; i++)
		question->responses[1 + i] = tensor_body_input(&s->body, &rejected, i);
	return STATUS_OK;
}

static enum status read_feedback(const struct source *s, struct feedback *out)
{
	const struct reader *reader = &s->body.reader;
	const struct node *root = reader->root, *user;
	enum status status = reader_object(reader, root, feedback_fields);

	if (status == STATUS_OK && s->limits->person.user == NULL)
		status = reader_require(reader, root, "user", &user);
	if (status == STATUS_OK)
		status = wire_fields_person(reader, root, &s->limits->person, &out->user,
					    &out->question.context);
	if (status == STATUS_OK)
		status = wire_fields_event(reader, root, s->limits->max_strength, out);
	if (status == STATUS_OK)
		status = take_prompt(s, &out->question);
	return status == STATUS_OK ? take_preference(s, &out->question) : status;
}

enum status wire_tensors_feedback(const char *body, size_t len, const struct wire_limits *limits,
				  struct arena *arena, struct feedback *feedback_out,
				  struct err *err)
{
	static const char *const names[] = {"prompt", "chosen", "rejected", NULL};
	struct source s = {.limits = limits};
	enum status status = tensor_body_open(&s.body, body, len, names, limits->dim, arena, err);

	*feedback_out = (struct feedback){.strength = 1};
	if (status != STATUS_OK)
		return status;
	status = read_feedback(&s, feedback_out);
	tensor_body_close(&s.body);
	return status;
}
