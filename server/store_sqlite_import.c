/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sqlite_import.c - what was stored of a user elsewhere. All is worked out in memory before
 * the first write, as for a learning step, so that an import which does not fit writes nothing.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "server/place.h"
#include "server/store_sqlite_batch.h"

struct importing {
	struct store_sqlite *s;
	struct store_import *import;
	bool is_known;		   /* something is stored of the user */
	int64_t *models;	   /* [n_states]: rows; 0: none yet */
	struct learner **learners; /* [n_states]: the batch's */
	struct state_value **next; /* [n_states]: what they will be; NULL: no change */
	bool *is_new;		   /* [n_events] */
	size_t n_new;
	double weights[HEADS_MAX]; /* of a first answer, which nobody asks for */
	struct err *err;
};

static enum status fault(const struct importing *x, size_t line, const char *field,
			 enum status code, const char *text)
{
	return place_line_fault(line, field, code, text, x->err);
}

/* ---- does it fit? ---- */

/* fits_out is left alone if its model is neither served nor known. */
static enum status check_model(struct importing *x, size_t i, bool *fits_out)
{
	const struct store_import *import = x->import;
	const struct store_import_state *state = &import->states[i];
	size_t n_heads;
	char text[96];
	enum status status =
	    store_sqlite_find_model(x->s, state->model_id, &x->models[i], &n_heads, x->err);

	if (status != STATUS_OK)
		return status;
	if (x->models[i] == 0 && strcmp(state->model_id, import->model_id) != 0)
		return STATUS_OK;
	if (x->models[i] == 0)
		n_heads = import->n_heads;
	*fits_out = true;
	if (n_heads == state->n_heads)
		return STATUS_OK;
	snprintf(text, sizeof(text), "%zu heads, but this model has %zu here", state->n_heads,
		 n_heads);
	return fault(x, state->line, "log_weights", STATUS_MODEL_MISMATCH, text);
}

static enum status check_models(struct importing *x)
{
	const struct store_import *import = x->import;
	enum status status = STATUS_OK;
	bool fits = import->n_states == 0;
	char text[64 + STORE_MAX_ID];

	for (size_t i = 0; i < import->n_states && status == STATUS_OK; i++)
		status = check_model(x, i, &fits);
	if (status != STATUS_OK || fits)
		return status;
	snprintf(text, sizeof(text), "its models are neither served nor known here, want one of %s",
		 import->model_id);
	return fault(x, import->states[0].line, "model", STATUS_MODEL_MISMATCH, text);
}

/* ---- who is there ---- */

static enum status take_learners(struct importing *x)
{
	const struct store_import *import = x->import;
	enum status status = STATUS_OK;

	for (size_t i = 0; i < import->n_states && status == STATUS_OK; i++) {
		const struct store_import_state *state = &import->states[i];
		const struct state_key key = {import->user, state->context, state->model_id};

		status =
		    store_sqlite_take_learner(x->s, &key, state->n_heads, &x->learners[i], x->err);
		if (status == STATUS_OK)
			status = batch_take(x->s, x->learners[i], x->err);
	}
	return status;
}

/* In memory, or in a row that was not deleted in this transaction. */
static enum status look_up_user(struct importing *x)
{
	struct store_sqlite *s = x->s;
	struct query query = query_begin(&s->writer, SQL_FIND_USER);
	struct learner **learners;
	size_t n;
	enum status status;

	query_text(&query, x->import->user);
	status = query_step(&query, &x->is_known, x->err);
	query_end(&query);
	if (status == STATUS_OK)
		status = state_cache_take_user(s->cache, x->import->user, &learners, &n, x->err);
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < n; i++) {
		bool forgotten =
		    learners[i]->staged == NULL && batch_has_deleted(s, x->import->user);
		const struct state_value *state = store_sqlite_state_of(learners[i]);

		x->is_known |= !forgotten && state != NULL && state->updates > 0;
		state_cache_release(s->cache, learners[i]);
	}
	mem_free(learners);
	return STATUS_OK;
}

/* ---- a user of whom nothing is stored ---- */

static enum status take_states(struct importing *x)
{
	const struct store_import *import = x->import;

	for (size_t i = 0; i < import->n_states; i++) {
		const struct store_import_state *state = &import->states[i];
		struct state_value *value = state_value_new(state->n_heads);

		if (value == NULL)
			return err_no_memory(x->err, "a state");
		memcpy(value->log_weight, state->log_weight, state->n_heads * sizeof(double));
		value->updates = state->updates;
		value->updated_us = state->updated_us;
		x->next[i] = value;
	}
	for (size_t i = 0; i < import->n_events; i++) {
		const struct store_import_event *event = &import->events[i];

		x->is_new[i] = true;
		x->next[event->overall]->seq = x->s->next_seq + (int64_t)i;
		x->next[event->in_context]->seq = x->s->next_seq + (int64_t)i;
	}
	x->n_new = import->n_events;
	return STATUS_OK;
}

/* ---- any other ---- */

static enum status find_event(struct importing *x, size_t i)
{
	const struct store_import_event *line = &x->import->events[i];
	struct store_feedback feedback = {
	    .user = x->import->user,
	    .event_id = line->event.id,
	    .weights_out = x->weights,
	};
	enum status status;

	memcpy(feedback.digest, line->event.digest, STORE_DIGEST_LEN);
	status = store_sqlite_find_event(
	    x->s, &feedback, recent_key(x->s->recent.hash_key, feedback.user, feedback.event_id),
	    x->err);
	x->is_new[i] = !feedback.duplicate_out;
	if (status == STATUS_EVENT_ID_REUSED)
		return fault(x, line->line, "id", status,
			     "this user has another feedback of this id here");
	return status;
}

static const struct state_value *state_now(const struct importing *x, size_t state)
{
	return x->next[state] != NULL ? x->next[state] : store_sqlite_state_of(x->learners[state]);
}

/* A state's step, after which it is as *next_out; begin as for store_sqlite_learn(). */
static enum status step_state(const struct importing *x, size_t state,
			      const struct state_value *begin, const struct learning *step,
			      struct state_value **next_out)
{
	enum status status = store_sqlite_learn(state_now(x, state), begin, step, next_out, x->err);

	if (status == STATUS_OK)
		return status;
	state_value_release(*next_out);
	*next_out = NULL;
	return status;
}

static void replace(struct importing *x, size_t state, struct state_value *next)
{
	state_value_release(x->next[state]);
	x->next[state] = next;
}

static enum status learn_event(struct importing *x, const struct store_import_event *line)
{
	const struct store_event *event = &line->event;
	const struct learning step = {x->s->next_seq + (int64_t)x->n_new,
				      event->time_us,
				      event->n_heads,
				      event->loss,
				      event->temperature,
				      event->strength,
				      event->drift};
	const struct state_value *overall = state_now(x, line->overall);
	struct state_value *next_overall = NULL, *next_in_context = NULL;
	enum status status = step_state(x, line->overall, overall, &step, &next_overall);

	if (status == STATUS_OK && line->in_context != line->overall)
		status = step_state(x, line->in_context, overall, &step, &next_in_context);
	if (status != STATUS_OK) {
		state_value_release(next_overall);
		return fault(x, line->line, "losses", status, "this step cannot be taken");
	}
	replace(x, line->overall, next_overall);
	if (next_in_context != NULL)
		replace(x, line->in_context, next_in_context);
	x->n_new++;
	return STATUS_OK;
}

static enum status learn_events(struct importing *x)
{
	enum status status = STATUS_OK;

	for (size_t i = 0; i < x->import->n_events && status == STATUS_OK; i++) {
		status = find_event(x, i);
		if (status == STATUS_OK && x->is_new[i])
			status = learn_event(x, &x->import->events[i]);
	}
	return status;
}

/* ---- all of it ---- */

static enum status make_room(struct importing *x)
{
	const struct store_import *import = x->import;
	enum status status;

	x->models = mem_array(import->n_states, sizeof(*x->models));
	x->learners = mem_array(import->n_states, sizeof(struct learner *));
	x->next = mem_array(import->n_states, sizeof(struct state_value *));
	x->is_new = mem_array(import->n_events, sizeof(*x->is_new));
	if (x->models == NULL || x->learners == NULL || x->next == NULL || x->is_new == NULL)
		return err_no_memory(x->err, "an import");
	status = batch_expect(x->s, import->n_states, x->err);
	return status == STATUS_OK ? batch_expect_events(x->s, import->n_events, x->err) : status;
}

/* Everything but the writes. */
static enum status prepare(struct importing *x)
{
	enum status status = make_room(x);

	if (status == STATUS_OK)
		status = check_models(x);
	if (status == STATUS_OK)
		status = look_up_user(x);
	if (status == STATUS_OK)
		status = take_learners(x);
	if (status != STATUS_OK)
		return status;
	return x->is_known ? learn_events(x) : take_states(x);
}

static enum status add_models(struct importing *x, struct err *err)
{
	const struct store_import *import = x->import;
	enum status status = STATUS_OK;
	size_t n_heads;

	for (size_t i = 0; i < import->n_states && status == STATUS_OK; i++) {
		const struct store_import_state *state = &import->states[i];

		/* it may be of the one that was added just now */
		if (x->models[i] == 0)
			status = store_sqlite_find_model(x->s, state->model_id, &x->models[i],
							 &n_heads, err);
		if (status == STATUS_OK && x->models[i] == 0)
			status = store_sqlite_add_model(x->s, state->model_id, state->n_heads,
							&x->models[i], err);
	}
	return status;
}

static enum status add_events(struct importing *x, struct err *err)
{
	const struct store_import *import = x->import;
	enum status status = STATUS_OK;

	for (size_t i = 0; i < import->n_events && status == STATUS_OK; i++) {
		const struct store_import_event *line = &import->events[i];

		if (!x->is_new[i])
			continue;
		status = store_sqlite_add_event(
		    x->s, import->user,
		    recent_key(x->s->recent.hash_key, import->user, line->event.id), &line->event,
		    x->models[line->overall], err);
	}
	return status;
}

/* States that came as they are have rows at once: another machine's libm may round otherwise, so
 * a replay of the events might differ in the last bit. */
static enum status stage_states(struct importing *x, struct err *err)
{
	enum status status = STATUS_OK;

	for (size_t i = 0; i < x->import->n_states && status == STATUS_OK; i++) {
		if (x->next[i] == NULL)
			continue;
		if (!x->is_known)
			status = fold_put_state(x->s, x->learners[i], x->next[i], err);
		store_sqlite_stage(x->learners[i], x->next[i]);
		x->next[i] = NULL;
	}
	return status;
}

static enum status record(struct importing *x, struct err *err)
{
	enum status status = STATUS_OK;

	if (x->n_new > 0)
		status = add_models(x, err);
	if (status == STATUS_OK)
		status = add_events(x, err);
	return status == STATUS_OK ? stage_states(x, err) : status;
}

static void drop(struct importing *x)
{
	for (size_t i = 0; x->next != NULL && i < x->import->n_states; i++)
		state_value_release(x->next[i]);
	mem_free(x->models);
	mem_free(x->learners);
	mem_free(x->next);
	mem_free(x->is_new);
	mem_free(x);
}

static enum status import_user(struct importing *x, struct store_op *op, struct err *err)
{
	if (prepare(x) == STATUS_OK) {
		op->import.events_out = x->n_new;
		op->import.duplicates_out = op->import.n_events - x->n_new;
		return record(x, err);
	}
	/* SQLite may have rolled everything back: then it is not this operation's fault */
	if (!sqlite3_get_autocommit(x->s->writer.db))
		return STATUS_OK;
	*err = op->err;
	return err->code;
}

enum status store_sqlite_import(struct store_sqlite *s, struct store_op *op, struct err *err)
{
	struct importing *x = mem_array(1, sizeof(*x));
	enum status status;

	if (x == NULL) {
		err_no_memory(&op->err, "an import");
		return STATUS_OK;
	}
	*x = (struct importing){.s = s, .import = &op->import, .err = &op->err};
	status = import_user(x, op, err);
	drop(x);
	return status;
}
