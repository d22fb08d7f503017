/* SPDX-License-Identifier: Apache-2.0 */
/* service_feedback.c - a preference, or a choice among scored responses, as a learning step. */
#include <stdio.h>
#include <string.h>

#include "core/math/logmath.h"
#include "core/model/hedge.h"
#include "server/pair_record.h"
#include "server/receipt.h"
#include "server/service.h"

static enum status make_event_id(const struct service *service, struct feedback *feedback,
				 struct arena *arena, struct err *err)
{
	char uuid[UUID_LEN + 1];

	if (feedback->event_id != NULL)
		return STATUS_OK;
	identifier_uuid(service->random_bytes, uuid);
	feedback->event_id = arena_string(arena, uuid, UUID_LEN);
	return feedback->event_id == NULL ? err_no_memory(err, "an event id") : STATUS_OK;
}

/* Room for the losses, zero, and for the answer. */
static enum status make_room(struct store_feedback *step, bool explain, struct arena *arena,
			     double **loss_out, struct err *err)
{
	*loss_out = arena_array(arena, step->n_heads, sizeof(**loss_out));
	step->loss = *loss_out;
	if (explain)
		step->before_out = arena_array(arena, step->n_heads, sizeof(*step->before_out));
	step->weights_out = arena_array(arena, HEADS_MAX, sizeof(*step->weights_out));
	if (step->loss == NULL || step->weights_out == NULL ||
	    (explain && step->before_out == NULL))
		return err_no_memory(err, "feedback");
	return STATUS_OK;
}

/* L_k of chosen over rejected, rows [n_heads] of rewards, added to those of other pairs: given
 * the head, pairs are independent. */
static enum status add_losses(const float *chosen, const float *rejected, size_t n_heads,
			      double *loss, struct arena *arena, struct err *err)
{
	double *pair = arena_array(arena, n_heads, sizeof(*pair));

	if (pair == NULL)
		return err_no_memory(err, "feedback");
	hedge_losses(chosen, rejected, n_heads, pair);
	for (size_t k = 0; k < n_heads; k++)
		loss[k] += pair[k];
	return STATUS_OK;
}

enum status service_gather_feedback(const struct served_model *served, struct feedback *feedback,
				    struct arena *arena, struct err *err)
{
	struct question *question = &feedback->question;
	enum status status;

	feedback->is_gathered = true;
	if (feedback->choice != NULL || !encoder_is_remote(served->encoder))
		return STATUS_OK;
	status = judge_check(served, question, err);
	if (status != STATUS_OK)
		return status;
	return text_batch_gather(served, &question, 1, arena, &feedback->texts, err);
}

void service_put_off_feedback(struct feedback *feedback)
{
	text_batch_close(feedback->texts);
	feedback->texts = NULL;
	feedback->is_gathered = false;
}

static enum status encode_texts(const struct served_model *served, struct feedback *feedback,
				struct arena *arena, struct err *err)
{
	enum status status = STATUS_OK;

	if (!feedback->is_gathered)
		status = service_gather_feedback(served, feedback, arena, err);
	if (status == STATUS_OK && feedback->texts != NULL)
		status = text_batch_finish(feedback->texts, err);
	return status;
}

/* L_k of the responses and g of the prompt, in the arena: the store reads them later. */
static enum status judge_responses(const struct served_model *served, struct feedback *feedback,
				   struct arena *arena, struct store_feedback *step,
				   struct err *err)
{
	struct question *question = &feedback->question;
	size_t n_heads = step->n_heads, n_responses = question->n_responses;
	float *reward = arena_array(arena, n_responses, n_heads * sizeof(*reward));
	float *logits = arena_array(arena, n_heads, sizeof(*logits));
	struct judge judge;
	double *loss;
	enum status status;

	if (reward == NULL || logits == NULL)
		return err_no_memory(err, "feedback");
	status = make_room(step, feedback->explain, arena, &loss, err);
	if (status == STATUS_OK)
		status = encode_texts(served, feedback, arena, err);
	if (status != STATUS_OK)
		return status;
	status = judge_open(&judge, served, 1, n_responses, arena, err);
	if (status == STATUS_OK)
		status = judge_rewards(&judge, question, reward, err);
	if (status == STATUS_OK)
		status = judge_logits(&judge, question, logits, err);
	judge_close(&judge);
	for (size_t i = 1; i < n_responses && status == STATUS_OK; i++)
		status = add_losses(reward, reward + i * n_heads, n_heads, loss, arena, err);
	step->logits = logits;
	return status;
}

static struct store_op new_step(const struct service *service, const struct model *model,
				const struct feedback *feedback)
{
	return (struct store_op){
	    .kind = STORE_FEEDBACK,
	    .feedback = {.user = feedback->user,
			 .context = feedback->question.context,
			 .event_id = feedback->event_id,
			 .model_id = model->id,
			 .time_us = service->now_us(),
			 .n_heads = model->heads.n_heads,
			 .temperature = service->temperature,
			 .strength = feedback->strength,
			 .drift = service->drift,
			 .dry_run = feedback->dry_run,
			 .mask = model->mask},
	};
}

static enum status prepare_pair(const struct service *service, const struct served_model *served,
				struct feedback *feedback, struct arena *arena,
				struct store_op *op_out, struct err *err)
{
	struct store_feedback *step = &op_out->feedback;
	enum status status = judge_check(served, &feedback->question, err);

	if (status == STATUS_OK)
		status = make_event_id(service, feedback, arena, err);
	if (status != STATUS_OK)
		return status;
	*op_out = new_step(service, &served->model, feedback);
	pair_record_digest(feedback, step->digest);
	status = judge_responses(served, feedback, arena, step, err);
	if (status == STATUS_OK && service->keep_inputs)
		status = pair_record_lines(feedback, arena, &step->input, err);
	return status;
}

static enum status check_index(size_t i, size_t n_responses, const char *param, struct err *err)
{
	if (i < n_responses)
		return STATUS_OK;
	return err_at(err, STATUS_INVALID_VALUE, param,
		      "response %zu, but the receipt is for %zu responses, want 0 to %zu", i,
		      n_responses, n_responses - 1);
}

static enum status choice_losses(const struct receipt_choice *choice, const struct receipt *receipt,
				 double *loss, struct arena *arena, struct err *err)
{
	size_t n_heads = receipt->n_heads;
	enum status status = check_index(choice->chosen, receipt->n_responses, "/chosen", err);

	for (size_t i = 0; i < choice->n_rejected && status == STATUS_OK; i++) {
		size_t rejected = choice->rejected[i];

		status = check_index(rejected, receipt->n_responses, "/rejected", err);
		if (status == STATUS_OK)
			status = add_losses(receipt->reward + choice->chosen * n_heads,
					    receipt->reward + rejected * n_heads, n_heads, loss,
					    arena, err);
	}
	return status;
}

static enum status open_receipt(const struct service *service, const struct served_model *served,
				const struct feedback *feedback, struct arena *arena,
				struct receipt *receipt_out, struct err *err)
{
	const struct text *token = &feedback->choice->token;
	const struct receipt_bearer bearer = {
	    .user = feedback->user,
	    .context = feedback->question.context,
	    .model_id = served->model.id,
	};
	enum status status =
	    receipt_open(token->bytes, token->len, &service->receipt_key, arena, receipt_out, err);

	if (status == STATUS_OK)
		status = receipt_check(receipt_out, service->now_us(), service->receipt_age_us,
				       &bearer, err);
	if (status != STATUS_OK && status != STATUS_NO_MEMORY && err != NULL)
		snprintf(err->param, sizeof(err->param), "/receipt");
	return status;
}

static enum status prepare_choice(const struct service *service, const struct served_model *served,
				  struct feedback *feedback, struct arena *arena,
				  struct store_op *op_out, struct err *err)
{
	struct store_feedback *step = &op_out->feedback;
	char id[RECEIPT_ID_LEN + 1];
	struct receipt receipt;
	double *loss;
	enum status status = open_receipt(service, served, feedback, arena, &receipt, err);

	if (status != STATUS_OK)
		return status;
	receipt_event_id(&receipt, id);
	feedback->event_id = arena_string(arena, id, RECEIPT_ID_LEN);
	if (feedback->event_id == NULL)
		return err_no_memory(err, "an event id");
	feedback->user = receipt.user;
	feedback->question.context = receipt.context;
	*op_out = new_step(service, &served->model, feedback);
	pair_record_digest_choice(feedback, step->digest);
	step->logits = receipt.logits;
	status = make_room(step, feedback->explain, arena, &loss, err);
	return status == STATUS_OK ? choice_losses(feedback->choice, &receipt, loss, arena, err)
				   : status;
}

enum status service_prepare_feedback(const struct service *service,
				     const struct served_model *served, struct feedback *feedback,
				     struct arena *arena, struct store_op *op_out, struct err *err)
{
	return feedback->choice == NULL
		   ? prepare_pair(service, served, feedback, arena, op_out, err)
		   : prepare_choice(service, served, feedback, arena, op_out, err);
}

static enum status reused(const struct store_op *op, struct err *err)
{
	if (receipt_is_event_id(op->feedback.event_id))
		return err_at(err, STATUS_RECEIPT_REPLAYED, "/receipt",
			      "the receipt was used before for another choice, and counts once; "
			      "want a receipt of a new score");
	*err = op->err;
	snprintf(err->param, sizeof(err->param), "/id");
	return err->code;
}

enum status service_check_write(const struct store_op *op, struct err *err)
{
	if (op->kind == STORE_FEEDBACK && op->err.code == STATUS_EVENT_ID_REUSED)
		return reused(op, err);
	if (op->err.code != STATUS_OK) {
		*err = op->err;
		return err->code;
	}
	if (op->kind == STORE_FEEDBACK &&
	    !all_finite(op->feedback.weights_out, op->feedback.n_weights_out))
		return err_set(err, STATUS_INTERNAL, "a weight is not finite");
	return STATUS_OK;
}
