/* SPDX-License-Identifier: Apache-2.0 */
#include "server/text_batch.h"

#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/encode/template.h"
#include "server/distinct.h"

struct text_batch {
	const struct served_model *served;
	struct arena *arena;
	struct distinct distinct;  /* texts, each of which is sent once */
	struct text *texts;	   /* [distinct.n]; owned */
	struct encoder_call *call; /* with them; owned */
	size_t n_inputs;
	struct input **inputs; /* [n_inputs] */
	size_t *which;	       /* [n_inputs]: number of the input's text */
};

static bool reads_psi(const struct served_model *served, const struct question *question)
{
	return served->model.router.kind != ROUTER_STATIC && question->prompt.kind != INPUT_VECTOR;
}

static size_t count_texts(const struct served_model *served, const struct question *question)
{
	size_t n = reads_psi(served, question);

	for (size_t i = 0; i < question->n_responses; i++)
		n += question->responses[i].kind == INPUT_TEXT;
	return n;
}

static enum status add_text(struct text_batch *batch, const char *template,
			    const struct template_fields *fields, struct input *input,
			    struct err *err)
{
	struct text text;
	enum status status = template_render(template, fields, &text, err);
	size_t number;
	bool is_new;

	if (status != STATUS_OK)
		return status;
	number = distinct_add(&batch->distinct, &(struct content){.part = {{text.bytes, text.len}}},
			      &is_new);
	if (is_new)
		batch->texts[number] = text;
	else
		mem_free((char *)text.bytes);
	batch->which[batch->n_inputs] = number;
	batch->inputs[batch->n_inputs++] = input;
	return STATUS_OK;
}

static enum status add_question(struct text_batch *batch, struct question *question,
				struct err *err)
{
	const struct model *model = &batch->served->model;
	struct template_fields fields = {
	    .context = {question->context, strlen(question->context)},
	    .prompt = question->prompt.text,
	    .chat = question->prompt.chat,
	};
	enum status status = STATUS_OK;

	if (reads_psi(batch->served, question))
		status = add_text(batch, model->template_psi, &fields, &question->prompt, err);
	for (size_t i = 0; i < question->n_responses && status == STATUS_OK; i++) {
		struct input *response = &question->responses[i];

		fields.response = response->text;
		if (response->kind == INPUT_TEXT)
			status = add_text(batch, model->template_phi, &fields, response, err);
	}
	return status;
}

/* Where the refused text stands in the request, the first time. */
static void name_refused(const struct text_batch *batch, size_t refused, struct err *err)
{
	char where[PLACE_TEXT_MAX];
	size_t i = 0;

	if (refused == ENCODER_NO_TEXT || err == NULL)
		return;
	while (batch->which[i] != refused)
		i++;
	snprintf(err->param, sizeof(err->param), "%s", place_text(batch->inputs[i]->place, where));
}

static enum status allocate(struct text_batch *batch, size_t n, struct arena *arena,
			    struct err *err)
{
	batch->arena = arena;
	batch->texts = arena_array(arena, n, sizeof(*batch->texts));
	batch->inputs = arena_array(arena, n, sizeof(*batch->inputs));
	batch->which = arena_array(arena, n, sizeof(*batch->which));
	if (batch->texts == NULL || batch->inputs == NULL || batch->which == NULL)
		return err_no_memory(err, "texts");
	return distinct_init(&batch->distinct, n, arena, err);
}

static enum status fill(struct text_batch *batch, struct question *const *questions,
			size_t n_questions, struct err *err)
{
	enum status status = STATUS_OK;

	for (size_t i = 0; i < n_questions && status == STATUS_OK; i++)
		status = add_question(batch, questions[i], err);
	if (status != STATUS_OK)
		return status;
	return encoder_call_open(batch->served->encoder, batch->texts, batch->distinct.n,
				 &batch->call, err);
}

enum status text_batch_gather(const struct served_model *served, struct question *const *questions,
			      size_t n_questions, struct arena *arena,
			      struct text_batch **batch_out, struct err *err)
{
	struct text_batch *batch;
	enum status status;
	size_t n = 0;

	*batch_out = NULL;
	if (!encoder_is_remote(served->encoder))
		return STATUS_OK;
	for (size_t i = 0; i < n_questions; i++)
		n += count_texts(served, questions[i]);
	if (n == 0)
		return STATUS_OK;
	batch = arena_array(arena, 1, sizeof(*batch));
	if (batch == NULL)
		return err_no_memory(err, "texts");
	batch->served = served;
	status = allocate(batch, n, arena, err);
	if (status == STATUS_OK)
		status = fill(batch, questions, n_questions, err);
	if (status != STATUS_OK) {
		text_batch_close(batch);
		return status;
	}
	*batch_out = batch;
	return STATUS_OK;
}

bool text_batch_start(struct text_batch *batch, struct http_mux *mux, void (*done)(void *context),
		      void *context)
{
	return encoder_call_start(batch->call, mux, done, context);
}

bool text_batch_is_ready(const struct text_batch *batch)
{
	return encoder_call_is_ready(batch->call);
}

static enum status encode(struct text_batch *batch, struct err *err)
{
	size_t dim = encoder_dim(batch->served->encoder), refused;
	struct features rows;
	enum status status;

	features_init(&rows, dim, false);
	status = encoder_call_finish(batch->call, &rows, &refused, err);
	if (status != STATUS_OK) {
		name_refused(batch, refused, err);
		features_free(&rows);
		return status;
	}
	/* the numbers are the arena's from now on */
	if (arena_adopt(batch->arena, rows.value) == NULL)
		return err_no_memory(err, "vectors");
	for (size_t i = 0; i < batch->n_inputs; i++)
		batch->inputs[i]->encoded = rows.value + batch->which[i] * dim;
	return STATUS_OK;
}

enum status text_batch_finish(struct text_batch *batch, struct err *err)
{
	enum status status = encode(batch, err);

	text_batch_close(batch);
	return status;
}

void text_batch_close(struct text_batch *batch)
{
	if (batch == NULL)
		return;
	encoder_call_close(batch->call);
	batch->call = NULL;
	for (size_t i = 0; i < batch->distinct.n; i++)
		mem_free((char *)batch->texts[i].bytes);
	batch->distinct.n = 0;
}
