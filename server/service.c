/* SPDX-License-Identifier: Apache-2.0 */
#include "server/service.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/math/logmath.h"
#include "core/model/mixture.h"
#include "server/receipt.h"

/* Work space of a request; all but judge for one item at a time. */
struct scratch {
	struct judge judge;
	float *logits;	    /* [n_heads] */
	float *reward;	    /* [most responses of an item, n_heads] */
	double *bias;	    /* [n_heads] */
	double *log_weight; /* [n_heads] */
};

/* judge_close() releases scratch->judge, also after an error. */
static enum status scratch_init(struct scratch *scratch, const struct served_model *served,
				const struct score_request *request, struct arena *arena,
				struct err *err)
{
	size_t n_heads = served->model.heads.n_heads;
	size_t n_responses = 0, n_all = 0;

	for (size_t i = 0; i < request->n_items; i++) {
		size_t n = request->items[i].question.n_responses;

		n_all += n;
		n_responses = n > n_responses ? n : n_responses;
	}
	*scratch = (struct scratch){
	    .logits = arena_array(arena, n_heads, sizeof(float)),
	    .reward = arena_array(arena, n_responses, n_heads * sizeof(float)),
	    .bias = arena_array(arena, n_heads, sizeof(double)),
	    .log_weight = arena_array(arena, n_heads, sizeof(double)),
	};
	if (scratch->logits == NULL || scratch->reward == NULL || scratch->bias == NULL ||
	    scratch->log_weight == NULL)
		return err_no_memory(err, "scoring");
	return judge_open(&scratch->judge, served, request->n_items, n_all, arena, err);
}

/* log softmax(g(c,x) + s) of the item's user into scratch->log_weight */
static enum status weigh(const struct service *service, const struct served_model *served,
			 struct score_item *item, struct scratch *scratch, struct err *err)
{
	const struct model *model = &served->model;
	size_t n_heads = model->heads.n_heads;
	enum status status = judge_logits(&scratch->judge, &item->question, scratch->logits, err);

	if (status != STATUS_OK)
		return status;
	memset(scratch->bias, 0, n_heads * sizeof(double));
	if (item->user != NULL && !item->impersonal) {
		status = store_read_state(service->store, item->user, item->question.context,
					  model->id, n_heads, scratch->bias, &item->updates, err);
		if (status != STATUS_OK)
			return status;
	}
	mixture_log_weights(scratch->logits, scratch->bias, model->mask, n_heads,
			    scratch->log_weight);
	return STATUS_OK;
}

static void mix(const struct model *model, const struct scratch *scratch, struct score_item *item)
{
	size_t n_heads = model->heads.n_heads;

	mixture_weights(scratch->log_weight, n_heads, item->weights);
	for (size_t i = 0; i < item->question.n_responses; i++)
		item->rewards[i] = mixture_reward(item->weights, scratch->reward + i * n_heads,
						  model->heads.center, n_heads);
	if (item->question.n_responses == 2)
		item->preference = exp(mixture_log_preference(scratch->log_weight, scratch->reward,
							      scratch->reward + n_heads, n_heads));
}

static enum status check_item(const struct score_item *item, struct err *err)
{
	if (all_finite(item->rewards, item->question.n_responses) &&
	    all_finite(item->weights, item->n_weights) && isfinite(item->preference))
		return STATUS_OK;
	return err_set(err, STATUS_INTERNAL, "a reward or weight is not finite");
}

static enum status tell_heads(const struct model *model, const struct scratch *scratch,
			      struct score_item *item, struct arena *arena, struct err *err)
{
	size_t n_heads = model->heads.n_heads, n = item->question.n_responses;

	item->heads = arena_array(arena, n, n_heads * sizeof(*item->heads));
	if (item->heads == NULL)
		return err_no_memory(err, "rewards");
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < n_heads; k++)
			item->heads[i * n_heads + k] =
			    (double)scratch->reward[i * n_heads + k] - model->heads.center[k];
	}
	return STATUS_OK;
}

static enum status make_receipt(const struct service *service, const struct model *model,
				const struct scratch *scratch, struct score_item *item,
				struct arena *arena, struct err *err)
{
	struct receipt receipt = {
	    .user = item->user,
	    .context = item->question.context,
	    .model_id = model->id,
	    .issued_us = service->now_us(),
	    .n_responses = item->question.n_responses,
	    .n_heads = model->heads.n_heads,
	    .logits = scratch->logits,
	    .reward = scratch->reward,
	};

	service->random_bytes(receipt.nonce, sizeof(receipt.nonce));
	return receipt_seal(&receipt, &service->receipt_key, arena, &item->receipt, err);
}

static enum status score_item(const struct service *service, const struct served_model *served,
			      struct score_item *item, struct scratch *scratch, struct arena *arena,
			      struct err *err)
{
	size_t n_heads = served->model.heads.n_heads;
	enum status status = judge_check(served, &item->question, err);

	if (status != STATUS_OK)
		return status;
	item->rewards = arena_array(arena, item->question.n_responses, sizeof(double));
	item->n_weights = n_heads;
	item->weights = arena_array(arena, n_heads, sizeof(double));
	if (item->rewards == NULL || item->weights == NULL)
		return err_no_memory(err, "rewards");
	status = judge_rewards(&scratch->judge, &item->question, scratch->reward, err);
	if (status == STATUS_OK)
		status = weigh(service, served, item, scratch, err);
	if (status != STATUS_OK)
		return status;
	mix(&served->model, scratch, item);
	status = check_item(item, err);
	if (status == STATUS_OK && item->wants_heads)
		status = tell_heads(&served->model, scratch, item, arena, err);
	if (status != STATUS_OK || !item->wants_receipt)
		return status;
	return make_receipt(service, &served->model, scratch, item, arena, err);
}

enum status service_gather_score(const struct served_model *served, struct score_request *request,
				 struct arena *arena, struct err *err)
{
	struct question **questions;
	enum status status = STATUS_OK;

	request->is_gathered = true;
	if (!encoder_is_remote(served->encoder))
		return STATUS_OK;
	questions = arena_array(arena, request->n_items, sizeof(*questions));
	if (questions == NULL)
		return err_no_memory(err, "texts");
	for (size_t i = 0; i < request->n_items && status == STATUS_OK; i++) {
		questions[i] = &request->items[i].question;
		status = judge_check(served, questions[i], err);
	}
	if (status != STATUS_OK)
		return status;
	return text_batch_gather(served, questions, request->n_items, arena, &request->texts, err);
}

void service_put_off_score(struct score_request *request)
{
	text_batch_close(request->texts);
	request->texts = NULL;
	request->is_gathered = false;
}

/* The texts of all items in one call, where a call is dear. */
static enum status encode_texts(const struct served_model *served, struct score_request *request,
				struct arena *arena, struct err *err)
{
	enum status status = STATUS_OK;

	if (!request->is_gathered)
		status = service_gather_score(served, request, arena, err);
	if (status == STATUS_OK && request->texts != NULL)
		status = text_batch_finish(request->texts, err);
	return status;
}

/* The next few items, from the first on. */
static void prepare(struct judge *judge, const struct score_request *request, size_t first)
{
	const struct question *questions[JUDGE_TOGETHER];
	size_t n = 0;

	for (; n < JUDGE_TOGETHER && first + n < request->n_items; n++)
		questions[n] = &request->items[first + n].question;
	judge_prepare(judge, questions, n);
}

enum status service_score(const struct service *service, const struct served_model *served,
			  struct score_request *request, struct arena *arena, struct err *err)
{
	struct scratch scratch;
	enum status status = scratch_init(&scratch, served, request, arena, err);

	if (status == STATUS_OK)
		status = encode_texts(served, request, arena, err);
	for (size_t i = 0; i < request->n_items && status == STATUS_OK; i++) {
		if (i % JUDGE_TOGETHER == 0)
			prepare(&scratch.judge, request, i);
		status = score_item(service, served, &request->items[i], &scratch, arena, err);
	}
	judge_close(&scratch.judge);
	return status;
}
