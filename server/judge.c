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

static size_t widest_product(const struct model *model)
{
	size_t n_first = router_first_n_out(&model->router), n_heads = model->heads.n_heads;

	return n_first > n_heads ? n_first : n_heads;
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
	judge->product = arena_floats(arena, JUDGE_TOGETHER * widest_product(model));
	judge->ready_logits = arena_floats(arena, JUDGE_TOGETHER * n_heads);
	if (judge->product == NULL || judge->ready_logits == NULL)
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

/* The numbers of an input that is multiplied with packed weights; NULL: another way. */
static const float *dense_of(const struct input *input, const struct packed *packed)
{
	if (packed->weight == NULL)
		return NULL;
	return input->kind == INPUT_VECTOR ? input->vector.value : input->encoded;
}

/* Contents that are multiplied by one call, which costs half as much for each as many calls, and
 * gives the same. */
struct together {
	size_t n_new;
	const float *x[JUDGE_TOGETHER]; /* of those that were not there before */
	float *row[JUDGE_TOGETHER];	/* in the memo: what is to become of them */
	size_t n_later;
	const float *from[JUDGE_TOGETHER]; /* rows that are copied when all of them are there */
	float *to[JUDGE_TOGETHER];
};

static bool is_new_row(const struct together *together, const float *row)
{
	for (size_t i = 0; i < together->n_new; i++) {
		if (together->row[i] == row)
			return true;
	}
	return false;
}

/* One more content, whose numbers x are, and where its row goes. The memo may begin anew in
 * between: a row that is there already is copied while it is. */
static void add_together(struct together *together, struct memo *memo,
			 const struct content *content, const float *x, float *out)
{
	bool is_new;
	float *row = memo_row(memo, content, &is_new);

	if (is_new) {
		together->x[together->n_new] = x;
		together->row[together->n_new++] = row;
	} else if (!is_new_row(together, row)) {
		memcpy(out, row, memo->width * sizeof(*out));
		return;
	}
	together->from[together->n_later] = row;
	together->to[together->n_later++] = out;
}

static void copy_together(const struct together *together, size_t width)
{
	for (size_t i = 0; i < together->n_later; i++)
		memcpy(together->to[i], together->from[i], width * sizeof(float));
}

/* As many as can be: more than the memo has room for would overwrite each other. */
static size_t most_together(const struct memo *memo)
{
	return memo->contents.capacity < JUDGE_TOGETHER ? memo->contents.capacity : JUDGE_TOGETHER;
}

static enum status check_finite(const struct judge *judge, const struct input *input,
				const float *numbers, const char *what, struct err *err)
{
	size_t head;

	if (all_finite_f(numbers, judge->served->model.heads.n_heads, &head))
		return STATUS_OK;
	return fault(input, STATUS_NOT_FINITE, what, judge->served, err);
}

/* Rewards of a response alone. */
static enum status reward_response(struct judge *judge, const struct question *question,
				   const struct input *response, float *reward_out, struct err *err)
{
	const struct served_model *served = judge->served;
	const struct heads *heads = &served->model.heads;
	const char *template = served->model.template_phi;
	const struct template_fields fields = fields_of(question, response);
	const struct content content = content_of(response, judge->phi_parts, &fields);
	struct feature_row row;
	bool is_new;
	float *reward = memo_row(&judge->rewards, &content, &is_new);

	if (is_new) {
		enum status status = input_row(judge, response, template, &fields, &row, err);

		if (status != STATUS_OK)
			return status;
		times(row, &served->heads, heads->weight, heads->n_heads, reward);
	}
	memcpy(reward_out, reward, heads->n_heads * sizeof(*reward));
	return STATUS_OK;
}

/* Those of n <= JUDGE_TOGETHER responses that are dense. */
static void reward_together(struct judge *judge, const struct question *question,
			    const struct input *responses, size_t n, float *reward_out)
{
	const struct packed *packed = &judge->served->heads;
	struct together together = {.n_new = 0};

	for (size_t i = 0; i < n; i++) {
		const struct template_fields fields = fields_of(question, &responses[i]);
		const struct content content = content_of(&responses[i], judge->phi_parts, &fields);
		const float *x = dense_of(&responses[i], packed);

		if (x != NULL)
			add_together(&together, &judge->rewards, &content, x,
				     reward_out + i * judge->rewards.width);
	}
	packed_times(packed, together.x, together.n_new, judge->product);
	for (size_t i = 0; i < together.n_new; i++)
		memcpy(together.row[i], judge->product + i * packed->n_out,
		       packed->n_out * sizeof(float));
	copy_together(&together, judge->rewards.width);
}

static enum status reward_some(struct judge *judge, const struct question *question,
			       const struct input *responses, size_t n, float *reward_out,
			       struct err *err)
{
	size_t n_heads = judge->rewards.width;
	enum status status = STATUS_OK;

	if (judge->served->heads.weight != NULL)
		reward_together(judge, question, responses, n, reward_out);
	for (size_t i = 0; i < n && status == STATUS_OK; i++) {
		float *reward = reward_out + i * n_heads;

		if (dense_of(&responses[i], &judge->served->heads) == NULL)
			status = reward_response(judge, question, &responses[i], reward, err);
		if (status == STATUS_OK)
			status = check_finite(judge, &responses[i], reward,
					      "the numbers are so large that a head's reward "
					      "overflows",
					      err);
	}
	return status;
}

enum status judge_rewards(struct judge *judge, const struct question *question, float *reward_out,
			  struct err *err)
{
	size_t step = most_together(&judge->rewards), n = question->n_responses;
	enum status status = STATUS_OK;

	for (size_t i = 0; i < n && status == STATUS_OK; i += step)
		status = reward_some(judge, question, question->responses + i,
				     n - i < step ? n - i : step,
				     reward_out + i * judge->rewards.width, err);
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

/* g of a prompt alone that was not there before. */
static enum status route(struct judge *judge, const struct question *question,
			 const struct template_fields *fields, float *logits, struct err *err)
{
	const struct served_model *served = judge->served;
	const struct router *router = &served->model.router;
	struct feature_row row;
	enum status status =
	    input_row(judge, &question->prompt, served->model.template_psi, fields, &row, err);

	if (status != STATUS_OK)
		return status;
	times(row, &served->first, router->first, router_first_n_out(router), judge->product);
	finish_route(served, judge->product, logits);
	return STATUS_OK;
}

void judge_prepare(struct judge *judge, const struct question *const *questions, size_t n)
{
	const struct packed *packed = &judge->served->first;
	struct together together = {.n_new = 0};

	memset(judge->ready, 0, sizeof(judge->ready));
	if (packed->weight == NULL)
		return;
	for (size_t i = 0; i < n && i < most_together(&judge->logits); i++) {
		const struct template_fields fields = fields_of(questions[i], NULL);
		const struct content content =
		    content_of(&questions[i]->prompt, judge->psi_parts, &fields);
		const float *x = dense_of(&questions[i]->prompt, packed);

		if (x == NULL)
			continue;
		judge->ready[i] = questions[i];
		add_together(&together, &judge->logits, &content, x,
			     judge->ready_logits + i * judge->logits.width);
	}
	packed_times(packed, together.x, together.n_new, judge->product);
	for (size_t i = 0; i < together.n_new; i++)
		finish_route(judge->served, judge->product + i * packed->n_out, together.row[i]);
	copy_together(&together, judge->logits.width);
}

/* Which of what judge_prepare() made is the question's; made now if it is none. */
static size_t find_ready(struct judge *judge, const struct question *question)
{
	size_t i = 0;

	while (i < JUDGE_TOGETHER && judge->ready[i] != question)
		i++;
	if (i < JUDGE_TOGETHER)
		return i;
	judge_prepare(judge, &question, 1);
	return 0;
}

/* From the memo, or into it. */
static enum status find_logits(struct judge *judge, const struct question *question,
			       float *logits_out, struct err *err)
{
	const struct template_fields fields = fields_of(question, NULL);
	const struct content content = content_of(&question->prompt, judge->psi_parts, &fields);
	enum status status = STATUS_OK;
	bool is_new;
	float *logits = memo_row(&judge->logits, &content, &is_new);

	if (is_new)
		status = route(judge, question, &fields, logits, err);
	memcpy(logits_out, logits, judge->logits.width * sizeof(*logits));
	return status;
}

enum status judge_logits(struct judge *judge, const struct question *question, float *logits_out,
			 struct err *err)
{
	const struct router *router = &judge->served->model.router;
	enum status status = STATUS_OK;
	const float *ready;

	if (router->kind == ROUTER_STATIC) {
		router_finish_row(router, NULL, logits_out);
		return STATUS_OK;
	}
	if (dense_of(&question->prompt, &judge->served->first) == NULL) {
		status = find_logits(judge, question, logits_out, err);
	} else {
		ready = judge->ready_logits + find_ready(judge, question) * judge->logits.width;
		memcpy(logits_out, ready, judge->logits.width * sizeof(*ready));
	}
	if (status != STATUS_OK)
		return status;
	return check_finite(judge, &question->prompt, logits_out,
			    "the numbers are so large that the router overflows", err);
}
