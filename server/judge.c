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

/* Append the row of the rendered template to features. */
static enum status encode_template(const struct served_model *served, const char *template,
				   const struct template_fields *fields, struct features *features,
				   struct err *err)
{
	struct text text;
	enum status status;

	if (strcmp(template, "{response}") == 0)
		return encoder_encode(served->encoder, &fields->response, 1, features, err);
	status = template_render(template, fields, &text, err);
	if (status != STATUS_OK)
		return status;
	status = encoder_encode(served->encoder, &text, 1, features, err);
	mem_free((char *)text.bytes);
	return status;
}

static enum status response_row(const struct served_model *served, const struct question *question,
				size_t i, struct features *phi, struct feature_row *row_out,
				struct err *err)
{
	const struct input *response = &question->responses[i];
	const struct template_fields fields = {
	    .context = {question->context, strlen(question->context)},
	    .prompt = question->prompt.text,
	    .response = response->text,
	};
	enum status status;

	if (response->kind == INPUT_VECTOR) {
		*row_out = response->vector;
		return STATUS_OK;
	}
	if (response->encoded != NULL) {
		*row_out = feature_row_dense(response->encoded, served->model.heads.dim);
		return STATUS_OK;
	}
	status = encode_template(served, served->model.template_phi, &fields, phi, err);
	if (status == STATUS_OK)
		*row_out = features_row(phi, phi->n_rows - 1);
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

enum status judge_rewards(const struct served_model *served, const struct question *question,
			  float *reward_out, struct err *err)
{
	const struct heads *heads = &served->model.heads;
	struct features phi;
	enum status status = STATUS_OK;
	size_t head;

	features_init(&phi, heads->dim, encoder_is_sparse(served->encoder));
	for (size_t i = 0; i < question->n_responses && status == STATUS_OK; i++) {
		float *reward = reward_out + i * heads->n_heads;
		struct feature_row row;

		status = response_row(served, question, i, &phi, &row, err);
		if (status != STATUS_OK)
			break;
		times(row, &served->heads, heads->weight, heads->n_heads, reward);
		if (!all_finite_f(reward, heads->n_heads, &head))
			status = fault(&question->responses[i], STATUS_NOT_FINITE,
				       "the numbers are so large that a head's reward overflows",
				       served, err);
	}
	features_free(&phi);
	return status;
}

static enum status check_logits(const struct served_model *served, const struct input *prompt,
				const float *logits, struct err *err)
{
	size_t head;

	if (all_finite_f(logits, served->model.router.n_heads, &head))
		return STATUS_OK;
	return fault(prompt, STATUS_NOT_FINITE,
		     "the numbers are so large that the router overflows", served, err);
}

enum status judge_logits(const struct served_model *served, const struct question *question,
			 float *first, float *logits_out, struct err *err)
{
	const struct router *router = &served->model.router;
	const struct template_fields fields = {
	    .context = {question->context, strlen(question->context)},
	    .prompt = question->prompt.text,
	};
	struct features psi;
	struct feature_row row = {.dim = router->dim};
	enum status status = STATUS_OK;

	features_init(&psi, router->dim, encoder_is_sparse(served->encoder));
	if (question->prompt.kind == INPUT_VECTOR) {
		row = question->prompt.vector;
	} else if (question->prompt.encoded != NULL) {
		row = feature_row_dense(question->prompt.encoded, router->dim);
	} else if (router->kind != ROUTER_STATIC) {
		status = encode_template(served, served->model.template_psi, &fields, &psi, err);
		if (status == STATUS_OK)
			row = features_row(&psi, 0);
	}
	if (status == STATUS_OK) {
		if (router->kind != ROUTER_STATIC)
			times(row, &served->first, router->first, router_first_n_out(router),
			      first);
		router_finish_row(router, first, logits_out);
		status = check_logits(served, &question->prompt, logits_out, err);
	}
	features_free(&psi);
	return status;
}
