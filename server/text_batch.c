/* SPDX-License-Identifier: Apache-2.0 */
#include "server/text_batch.h"

#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/encode/template.h"
#include "server/distinct.h"

struct batch {
	const struct served_model *served;
	struct arena *arena;
	struct distinct distinct; /* texts, each of which is sent once */
	struct text *texts;	  /* [distinct.n]; freed when they are encoded */
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

bool text_batch_wanted(const struct served_model *served, const struct question *question)
{
	return encoder_is_remote(served->encoder) && count_texts(served, question) > 0;
}

static enum status add_text(struct batch *batch, const char *template,
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

static void free_texts(struct batch *batch)
{
	for (size_t i = 0; i < batch->distinct.n; i++)
		mem_free((char *)batch->texts[i].bytes);
}

static enum status add_question(struct batch *batch, struct question *question, struct err *err)
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
static void name_refused(const struct batch *batch, size_t refused, struct err *err)
{
	char where[PLACE_TEXT_MAX];
	size_t i = 0;

	if (refused == ENCODER_NO_TEXT || err == NULL)
		return;
	while (batch->which[i] != refused)
		i++;
	snprintf(err->param, sizeof(err->param), "%s", place_text(batch->inputs[i]->place, where));
}

static enum status encode(struct batch *batch, struct err *err)
{
	size_t dim = encoder_dim(batch->served->encoder), refused;
	struct features rows;
	enum status status;

	features_init(&rows, dim, false);
	status = encoder_encode_many(batch->served->encoder, batch->texts, batch->distinct.n, &rows,
				     &refused, err);
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

enum status text_batch_encode(const struct served_model *served, struct question *const *questions,
			      size_t n_questions, struct arena *arena, struct err *err)
{
	struct batch batch = {.served = served, .arena = arena};
	enum status status = STATUS_OK;
	size_t n = 0;

	if (!encoder_is_remote(served->encoder))
		return STATUS_OK;
	for (size_t i = 0; i < n_questions; i++)
		n += count_texts(served, questions[i]);
	if (n == 0)
		return STATUS_OK;
	batch.texts = arena_array(arena, n, sizeof(*batch.texts));
	batch.inputs = arena_array(arena, n, sizeof(*batch.inputs));
	batch.which = arena_array(arena, n, sizeof(*batch.which));
	if (batch.texts == NULL || batch.inputs == NULL || batch.which == NULL)
		return err_no_memory(err, "texts");
	status = distinct_init(&batch.distinct, n, arena, err);
	for (size_t i = 0; i < n_questions && status == STATUS_OK; i++)
		status = add_question(&batch, questions[i], err);
	if (status == STATUS_OK)
		status = encode(&batch, err);
	free_texts(&batch);
	return status;
}
