/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/server/served_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/model/hedge.h"
#include "core/model/mixture.h"

/* multiples of 1/8: sums of products with small vectors are exact */
const float served_head[SERVED_HEADS][SERVED_DIM] = {
    {1, 0, 0, 0.5f}, {0, 1, -0.5f, 0}, {-1, 0.25f, 0, 1}};
const float served_center[SERVED_HEADS] = {0.5f, -0.25f, 0};
const float served_router_bias[SERVED_HEADS] = {0.5f, 0, -0.25f};

static void must(enum status status, const struct err *err)
{
	if (status == STATUS_OK)
		return;
	fprintf(stderr, "fixture: %s\n", err->msg);
	abort();
}

static void fill(struct model *model)
{
	for (size_t d = 0; d < SERVED_DIM; d++) {
		for (size_t k = 0; k < SERVED_HEADS; k++)
			model->heads.weight[d * SERVED_HEADS + k] = served_head[k][d];
	}
	memcpy(model->heads.center, served_center, sizeof(served_center));
	for (size_t i = 0; i < model->router.n_params; i++)
		model->router.params[i] = 0.125f * (float)(i % 7) - 0.375f;
	memcpy(model->router.bias, served_router_bias, sizeof(served_router_bias));
	model_update_id(model);
}

struct served_model *served_open(const char *spec, enum router_kind kind)
{
	struct served_model *served = calloc(1, sizeof(*served));
	size_t n_hidden = kind == ROUTER_MLP ? SERVED_HIDDEN : 0;
	struct err err = {0};

	if (served == NULL)
		abort();
	must(encoder_open(spec, &served->encoder, &err), &err);
	must(model_init(&served->model, SERVED_HEADS, kind, n_hidden, served->encoder, &err), &err);
	fill(&served->model);
	must(served_model_pack(served, packed_kind_best(), &err), &err);
	return served;
}

static void replace(char **text, const char *with)
{
	mem_free(*text);
	*text = mem_string(with, strlen(with));
}

void served_set_templates(struct served_model *served, const char *phi, const char *psi)
{
	replace(&served->model.template_phi, phi);
	replace(&served->model.template_psi, psi);
}

void served_close(struct served_model *served)
{
	if (served == NULL)
		return;
	served_model_unpack(served);
	model_free(&served->model);
	encoder_close(served->encoder);
	free(served);
}

void served_save(const char *spec, enum router_kind kind, char *path_out)
{
	struct served_model *served = served_open(spec, kind);
	struct err err = {0};

	strcpy(path_out, "/tmp/micro-served-XXXXXX");
	close(mkstemp(path_out));
	must(model_save(&served->model, path_out, &err), &err);
	served_close(served);
}

/* ---- fake store ---- */

static struct fake_store *fake_of(struct store *store)
{
	return (struct fake_store *)store;
}

static void apply_feedback(struct fake_store *fake, struct store_feedback *step, struct err *err)
{
	double s[SERVED_HEADS];

	snprintf(fake->last_input, sizeof(fake->last_input), "%s",
		 step->input == NULL ? "" : step->input);
	memcpy(fake->last_digest, step->digest, STORE_DIGEST_LEN);
	memcpy(s, fake->bias, sizeof(s));
	for (size_t k = 0; k < step->n_heads && step->before_out != NULL; k++)
		step->before_out[k] = 1.0 / (double)step->n_heads;
	if (hedge_update(s, step->loss, step->n_heads, step->temperature, step->strength, err) !=
	    STATUS_OK)
		return;
	mixture_log_weights(step->logits, s, step->mask, step->n_heads, step->weights_out);
	for (size_t k = 0; k < step->n_heads; k++)
		step->weights_out[k] = __builtin_exp(step->weights_out[k]);
	step->n_weights_out = step->n_heads;
	snprintf(step->model_id_out, sizeof(step->model_id_out), "%s", step->model_id);
	step->updates_out = fake->updates + 1;
	step->duplicate_out = fake->duplicate;
}

void fake_store_apply(struct fake_store *fake, struct store_op *op)
{
	fake->n_applied++;
	op->err.code = STATUS_OK;
	if (fake->fails != STATUS_OK)
		err_set(&op->err, fake->fails, "the fake store fails");
	else if (op->kind == STORE_FEEDBACK)
		apply_feedback(fake, &op->feedback, &op->err);
	else if (op->kind == STORE_EXPIRE)
		op->expire->done_out = true;
	else if (op->kind == STORE_IMPORT)
		op->import.events_out = op->import.n_events;
	else
		op->delete_user.states_out = op->delete_user.events_out = 1;
}

static enum status fake_apply(struct store *store, struct store_op *const *ops, size_t n_ops,
			      struct err *err)
{
	(void)err;
	if (fake_of(store)->before_apply != NULL)
		fake_of(store)->before_apply();
	for (size_t i = 0; i < n_ops; i++)
		fake_store_apply(fake_of(store), ops[i]);
	return STATUS_OK;
}

static enum status fake_read_state(struct store *store, const char *user, const char *context,
				   const char *model_id, size_t n_heads, double *log_weight_out,
				   uint64_t *updates_out, struct err *err)
{
	struct fake_store *fake = fake_of(store);

	(void)model_id;
	fake->n_reads++;
	snprintf(fake->last_context, sizeof(fake->last_context), "%s", context);
	if (fake->fails != STATUS_OK)
		return err_set(err, fake->fails, "the fake store fails");
	memset(log_weight_out, 0, n_heads * sizeof(*log_weight_out));
	*updates_out = 0;
	if (fake->known_user == NULL || strcmp(user, fake->known_user) != 0)
		return STATUS_OK;
	memcpy(log_weight_out, fake->bias, n_heads * sizeof(*log_weight_out));
	*updates_out = fake->updates;
	return STATUS_OK;
}

static enum status fake_read_user(struct store *store, const char *user, const char *context,
				  struct store_user *user_out, struct err *err)
{
	struct fake_store *fake = fake_of(store);
	struct store_state *state;

	*user_out = (struct store_user){0};
	snprintf(fake->last_context, sizeof(fake->last_context), "%s",
		 context == NULL ? "(all)" : context);
	if (fake->fails != STATUS_OK)
		return err_set(err, fake->fails, "the fake store fails");
	if (fake->known_user == NULL || strcmp(user, fake->known_user) != 0)
		return err_set(err, STATUS_NOT_FOUND, "nothing is stored of this user");
	state = mem_array(1, sizeof(*state));
	if (state == NULL)
		return err_no_memory(err, "a user");
	*user_out = (struct store_user){.states = state, .n_states = 1, .n_events = 5};
	state->context = mem_string("", 0);
	state->model_id = mem_string("m", 1);
	state->log_weight = mem_array(SERVED_HEADS, sizeof(double));
	if (state->context == NULL || state->model_id == NULL || state->log_weight == NULL) {
		store_user_free(user_out);
		return err_no_memory(err, "a user");
	}
	memcpy(state->log_weight, fake->bias, sizeof(fake->bias));
	state->n_heads = SERVED_HEADS;
	state->updates = fake->updates;
	state->updated_us = SERVED_TIME_US;
	return STATUS_OK;
}

/* One user on each of two pages: the known one, and "zoe". */
static enum status fake_list_users(struct store *store, const char *after, size_t n_max,
				   struct store_listed *users_out, size_t *n_out, bool *more_out,
				   struct err *err)
{
	struct fake_store *fake = fake_of(store);
	const char *user = after[0] == '\0' ? fake->known_user : "zoe";

	(void)n_max;
	*n_out = 0;
	*more_out = false;
	if (fake->fails != STATUS_OK)
		return err_set(err, fake->fails, "the fake store fails");
	if (fake->known_user == NULL)
		return STATUS_OK;
	*users_out = (struct store_listed){.n_events = 5, .updated_us = SERVED_TIME_US};
	snprintf(users_out->user, sizeof(users_out->user), "%s", user);
	*n_out = 1;
	*more_out = after[0] == '\0';
	return STATUS_OK;
}

/* One state and one event. */
struct fake_export {
	struct store_export export;
	unsigned n_given;
};

static enum status fake_next(struct store_export *export, struct store_record *record_out,
			     struct err *err)
{
	static double numbers[SERVED_HEADS] = {-0.5, 0, 1e-300};

	(void)err;
	*record_out = (struct store_record){.kind = STORE_RECORD_NONE};
	switch (((struct fake_export *)export)->n_given++) {
	case 0:
		record_out->kind = STORE_RECORD_STATE;
		record_out->state = (struct store_state){.context = "",
							 .model_id = "m",
							 .updates = 1,
							 .updated_us = SERVED_TIME_US,
							 .n_heads = SERVED_HEADS,
							 .log_weight = numbers};
		break;
	case 1:
		record_out->kind = STORE_RECORD_EVENT;
		record_out->event = (struct store_event){.id = "e",
							 .context = "",
							 .model_id = "m",
							 .time_us = SERVED_TIME_US,
							 .n_heads = SERVED_HEADS,
							 .loss = numbers,
							 .weights = numbers,
							 .updates = 1};
		break;
	default:
		break;
	}
	return STATUS_OK;
}

static void fake_close_export(struct store_export *export)
{
	mem_free(export);
}

static enum status fake_export_user(struct store *store, const char *user,
				    struct store_export **export_out, struct err *err)
{
	static const struct store_export_ops ops = {.next = fake_next, .close = fake_close_export};
	struct fake_store *fake = fake_of(store);
	struct fake_export *export;

	*export_out = NULL;
	if (fake->fails != STATUS_OK)
		return err_set(err, fake->fails, "the fake store fails");
	if (fake->known_user == NULL || strcmp(user, fake->known_user) != 0)
		return err_set(err, STATUS_NOT_FOUND, "nothing is stored of this user");
	export = mem_array(1, sizeof(*export));
	if (export == NULL)
		return err_no_memory(err, "an export");
	export->export.ops = &ops;
	*export_out = &export->export;
	return STATUS_OK;
}

static enum status fake_check(struct store *store, struct err *err)
{
	enum status fails = fake_of(store)->fails;

	return fails == STATUS_OK ? STATUS_OK : err_set(err, fails, "the fake store fails");
}

static void fake_stats(struct store *store, struct store_stats *stats_out)
{
	(void)store;
	*stats_out = (struct store_stats){0};
}

static void fake_close(struct store *store)
{
	(void)store;
}

static const struct store_ops fake_ops = {
    .apply = fake_apply,
    .read_state = fake_read_state,
    .read_user = fake_read_user,
    .list_users = fake_list_users,
    .export_user = fake_export_user,
    .check = fake_check,
    .stats = fake_stats,
    .close = fake_close,
};

void fake_store_init(struct fake_store *fake)
{
	*fake = (struct fake_store){.store = {.ops = &fake_ops}};
}

/* ---- service ---- */

static int64_t fixed_now(void)
{
	return SERVED_TIME_US;
}

static void no_random(void *bytes, size_t n)
{
	memset(bytes, 0, n);
}

struct service served_service(struct fake_store *fake)
{
	return (struct service){
	    .store = &fake->store,
	    .temperature = 1,
	    .now_us = fixed_now,
	    .random_bytes = no_random,
	};
}

double served_head_reward(size_t k, const float *x)
{
	double sum = 0;

	for (size_t d = 0; d < SERVED_DIM; d++)
		sum += (double)served_head[k][d] * x[d];
	return sum;
}
