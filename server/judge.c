/* SPDX-License-Identifier: Apache-2.0 */
#include "server/judge.h"

#include <string.h>

#include "core/base/mem.h"
#include "core/encode/template.h"
#include "core/math/logmath.h"

static enum status fault(const struct input *input, enum status code, const char *text,
			 const struct served_model *served, struct err *err)
{
	char param[PLACE_TEXT_MAX];

	return err_at(err, code, place_text(input->place, param), "%s (encoder %s)", text,
		      served->model.encoder_spec);
}

/* A text needs an encoder that reads texts. */
static enum status check_input(const struct served_model *served, const struct input *input,
			       struct err *err)
{
	if (input->kind != INPUT_TEXT || encoder_reads_text(served->encoder))
		return STATUS_OK;
	return fault(input, STATUS_INVALID_TYPE,
		     "this model takes vectors, want {\"embedding\": [...]}, got a text", served,
		     err);
}

static bool any_text(const struct question *question)
{
	for (size_t i = 0; i < question->n_responses; i++) {
		if (question->responses[i].kind == INPUT_TEXT)
			return true;
	}
	return false;
}

static enum status check_prompt(const struct served_model *served, const struct question *question,
				struct err *err)
{
	const struct model *model = &served->model;
	const struct input *prompt = &question->prompt;
	bool phi_reads = any_text(question) && template_uses(model->template_phi, "{prompt}");
	bool psi_reads =
	    model->router.kind != ROUTER_STATIC && (!encoder_reads_text(served->encoder) ||
						    template_uses(model->template_psi, "{prompt}"));

	if (prompt->kind == INPUT_ABSENT && (phi_reads || psi_reads))
		return fault(prompt, STATUS_MISSING_FIELD, "this model needs a prompt", served,
			     err);
	if (prompt->kind == INPUT_VECTOR && phi_reads)
		return fault(prompt, STATUS_INVALID_TYPE,
			     "texts are scored together with their prompt, want its text, got a "
			     "vector",
			     served, err);
	return check_input(served, prompt, err);
}

enum status judge_check(const struct served_model *served, const struct question *question,
			struct err *err)
{
	enum status status = check_prompt(served, question, err);

	for (size_t i = 0; i < question->n_responses && status == STATUS_OK; i++)
		status = check_input(served, &question->responses[i], err);
	return status;
}

enum status judge_open(struct judge *judge, const struct served_model *served, size_t n_questions,
		       size_t n_responses, struct arena *arena, struct err *err)
{
	const struct model *model = &served->model;
	size_t n_heads = model->heads.n_heads;
	enum status status;

	*judge = (struct judge){
	    .served = served,
	    .phi_parts = template_parts(model->template_phi),
	    .psi_parts = template_parts(model->template_psi),
	};
	features_init(&judge->encoded, model->heads.dim, encoder_is_sparse(served->encoder));
	judge->first = arena_floats(arena, router_first_n_out(&model->router));
	if (judge->first == NULL)
		return err_no_memory(err, "scoring");
	status = memo_init(&judge->rewards, n_responses, n_heads, arena, err);
	if (status == STATUS_OK)
		status = memo_init(&judge->logits, n_questions, n_heads, arena, err);
	return status;
}

void judge_close(struct judge *judge)
{
	features_free(&judge->encoded);
}

static struct template_fields fields_of(const struct question *question,
					const struct input *response)
{
	struct template_fields fields = {
	    .context = {question->context, strlen(question->context)},
	    .prompt = question->prompt.text,
	    .chat = question->prompt.chat,
	};

	if (response != NULL)
		fields.response = response->text;
	return fields;
}

enum content_kind { CONTENT_TEXTS, CONTENT_VECTOR, CONTENT_CHAT };

/* A conversation is the same as itself: other messages may be the same text (chat_text()). */
static struct text chat_identity(const struct chat *chat)
{
	return (struct text){(const char *)chat->messages, chat->n * sizeof(*chat->messages)};
}

/* What the features depend on: a vector alone, or the texts that the template uses, parts. */
static struct content content_of(const struct input *input, unsigned parts,
				 const struct template_fields *fields)
{
	struct content content = {.kind = CONTENT_TEXTS};
	struct text texts[DISTINCT_PARTS] = {{0}};

	if (input->kind == INPUT_VECTOR) {
		content.kind = CONTENT_VECTOR;
		content.part[0].bytes = input->vector.value;
		content.part[0].len = input->vector.dim * sizeof(*input->vector.value);
		return content;
	}
	if ((parts & TEMPLATE_CONTEXT) != 0)
		texts[0] = fields->context;
	if ((parts & TEMPLATE_PROMPT) != 0)
		texts[1] = fields->prompt;
	if ((parts & TEMPLATE_PROMPT) != 0 && fields->chat.n > 0) {
		content.kind = CONTENT_CHAT;
		texts[1] = chat_identity(&fields->chat);
	}
	if ((parts & TEMPLATE_RESPONSE) != 0)
		texts[2] = fields->response;
	for (size_t i = 0; i < DISTINCT_PARTS; i++) {
		content.part[i].bytes = texts[i].bytes;
		content.part[i].len = texts[i].len;
	}
	return content;
}

/* The row of the rendered template into judge->encoded. */
static enum status encode_template(struct judge *judge, const char *template,
				   const struct template_fields *fields, struct err *err)
{
	const struct encoder *encoder = judge->served->encoder;
	struct text text;
	enum status status;

	judge->encoded.n_rows = 0;
	if (strcmp(template, "{response}") == 0)
		return encoder_encode(encoder, &fields->response, 1, &judge->encoded, err);
	status = template_render(template, fields, &text, err);
	if (status != STATUS_OK)
		return status;
	status = encoder_encode(encoder, &text, 1, &judge->encoded, err);
	mem_free((char *)text.bytes);
	return status;
}

static enum status input_row(struct judge *judge, const struct input *input, const char *template,
			     const struct template_fields *fields, struct feature_row *row_out,
			     struct err *err)
{
	enum status status;

	if (input->kind == INPUT_VECTOR) {
		*row_out = input->vector;
		return STATUS_OK;
	}
	if (input->encoded != NULL) {
		*row_out = feature_row_dense(input->encoded, judge->served->model.heads.dim);
		return STATUS_OK;
	}
	status = encode_template(judge, template, fields, err);
	if (status == STATUS_OK)
		*row_out = features_row(&judge->encoded, 0);
	return status;
}

/* The row's product with weights [dim, n_out], which may be packed. */
static void times(struct feature_row row, const struct packed *packed, const float *weight,
		  size_t n_out, float *out)
{
	if (row.index == NULL && packed->weight != NULL)
		packed_times(packed, &row.value, 1, out);
	else
		feature_row_times(row, weight, n_out, out);
}

static enum status check_finite(const struct judge *judge, const struct input *input,
				const float *numbers, const char *what, struct err *err)
{
	size_t head;

	if (all_finite_f(numbers, judge->served->model.heads.n_heads, &head))
		return STATUS_OK;
	return fault(input, STATUS_NOT_FINITE, what, judge->served, err);
}

static enum status reward_response(struct judge *judge, const struct question *question,
				   const struct input *response, float *reward_out, struct err *err)
{
	const struct served_model *served = judge->served;
	const struct heads *heads = &served->model.heads;
	const char *template = served->model.template_phi;
	const struct template_fields fields = fields_of(question, response);
	const struct content content = content_of(response, judge->phi_parts, &fields);
	struct feature_row row;
	enum status status = STATUS_OK;
	bool is_new;
	float *reward = memo_row(&judge->rewards, &content, &is_new);

	if (is_new) {
		status = input_row(judge, response, template, &fields, &row, err);
		if (status != STATUS_OK)
			return status;
		times(row, &served->heads, heads->weight, heads->n_heads, reward);
		status =
		    check_finite(judge, response, reward,
				 "the numbers are so large that a head's reward overflows", err);
	}
	memcpy(reward_out, reward, heads->n_heads * sizeof(*reward));
	return status;
}

enum status judge_rewards(struct judge *judge, const struct question *question, float *reward_out,
			  struct err *err)
{
	size_t n_heads = judge->served->model.heads.n_heads;
	enum status status = STATUS_OK;

	for (size_t i = 0; i < question->n_responses && status == STATUS_OK; i++)
		status = reward_response(judge, question, &question->responses[i],
					 reward_out + i * n_heads, err);
	return status;
}

/* From the product with the first layer, which is overwritten, to logits [n_heads]. */
static void finish_route(const struct served_model *served, float *first, float *logits)
{
	const struct router *router = &served->model.router;
	const float *row = first;

	if (served->second.weight == NULL) {
		router_finish_row(router, first, logits);
		return;
	}
	router_activate(router, first);
	packed_times(&served->second, &row, 1, logits);
	for (size_t k = 0; k < router->n_heads; k++)
		logits[k] += router->bias[k];
}

/* g of a prompt that was not there before. */
static enum status route(struct judge *judge, const struct question *question,
			 const struct template_fields *fields, float *logits, struct err *err)
{
	const struct served_model *served = judge->served;
	const struct router *router = &served->model.router;
	struct feature_row row;
	enum status status;

	status = input_row(judge, &question->prompt, served->model.template_psi, fields, &row, err);
	if (status != STATUS_OK)
		return status;
	times(row, &served->first, router->first, router_first_n_out(router), judge->first);
	finish_route(served, judge->first, logits);
	return check_finite(judge, &question->prompt, logits,
			    "the numbers are so large that the router overflows", err);
}

enum status judge_logits(struct judge *judge, const struct question *question, float *logits_out,
			 struct err *err)
{
	const struct model *model = &judge->served->model;
	const struct template_fields fields = fields_of(question, NULL);
	const struct content content = content_of(&question->prompt, judge->psi_parts, &fields);
	enum status status = STATUS_OK;
	bool is_new;
	float *logits;

	if (model->router.kind == ROUTER_STATIC) {
		router_finish_row(&model->router, NULL, logits_out);
		return STATUS_OK;
	}
	logits = memo_row(&judge->logits, &content, &is_new);
	if (is_new)
		status = route(judge, question, &fields, logits, err);
	memcpy(logits_out, logits, model->heads.n_heads * sizeof(*logits));
	return status;
}
