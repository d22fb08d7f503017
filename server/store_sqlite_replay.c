/* SPDX-License-Identifier: Apache-2.0 */
/* store_sqlite_replay.c - at open, what follows from the recent events is taken from them again. */
#include <inttypes.h>
#include <string.h>

#include "core/base/mem.h"
#include "server/store_sqlite_batch.h"

#define PART_EVENTS 4096 /* read at a time */

enum column { SEQ, USER, ID, CONTEXT, MODEL_ID, N_HEADS, TIME_US, TAU, STRENGTH, DRIFT, LOSSES };

static const char *text_of(const struct query *row, enum column column)
{
	return (const char *)sqlite3_column_text(row->stmt, (int)column);
}

static enum status take_event(const struct query *row, struct event *event, struct err *err)
{
	struct learning *step = &event->step;
	enum status status = query_n_heads(row, N_HEADS, &step->n_heads, err);

	step->seq = sqlite3_column_int64(row->stmt, SEQ);
	if (status != STATUS_OK)
		return status;
	event->key =
	    (struct state_key){text_of(row, USER), text_of(row, CONTEXT), text_of(row, MODEL_ID)};
	event->id = text_of(row, ID);
	if (event->key.user == NULL || event->key.context == NULL || event->key.model_id == NULL ||
	    event->id == NULL)
		return conn_fault(row->conn, err);
	step->time_us = sqlite3_column_int64(row->stmt, TIME_US);
	step->temperature = sqlite3_column_double(row->stmt, TAU);
	step->strength = sqlite3_column_double(row->stmt, STRENGTH);
	step->drift = sqlite3_column_double(row->stmt, DRIFT);
	step->loss = event->loss;
	return query_doubles(row, LOSSES, step->n_heads, event->loss, err);
}

static enum status take_learner(struct store_sqlite *s, const struct event *event,
				const char *context, struct learner **learner_out, struct err *err)
{
	const struct state_key key = {event->key.user, context, event->key.model_id};
	enum status status =
	    store_sqlite_take_learner(s, &key, event->step.n_heads, learner_out, err);

	return status == STATUS_OK ? batch_take(s, *learner_out, err) : status;
}

/* One step of one state, unless its row has the event in it already. */
static enum status replay_state(const struct event *event, struct learner *learner,
				const struct state_value *begin, struct err *err)
{
	const struct state_value *now = store_sqlite_state_of(learner);
	struct state_value *next;
	enum status status;

	if (now->updates > 0 && now->seq >= event->step.seq)
		return STATUS_OK;
	status = store_sqlite_learn(now, begin, &event->step, &next, err);
	if (status == STATUS_OK)
		store_sqlite_stage(learner, next);
	else
		state_value_release(next);
	return status;
}

/* The context first: it may begin from the overall state as it was. */
static enum status replay_states(struct store_sqlite *s, const struct event *event, struct err *err)
{
	bool has_context = event->key.context[0] != '\0';
	struct learner *overall, *in_context;
	enum status status = take_learner(s, event, "", &overall, err);

	if (status == STATUS_OK && has_context)
		status = take_learner(s, event, event->key.context, &in_context, err);
	if (status == STATUS_OK && has_context)
		status = replay_state(event, in_context, store_sqlite_state_of(overall), err);
	if (status == STATUS_OK)
		status = replay_state(event, overall, store_sqlite_state_of(overall), err);
	return status;
}

enum status store_sqlite_replay_event(struct store_sqlite *s, const struct query *row,
				      struct event *event, struct err *err)
{
	enum status status = take_event(row, event, err);

	if (status == STATUS_OK)
		status = replay_states(s, event, err);
	if (status != STATUS_OK)
		err_wrap(err, "state %s: event %" PRId64, s->name, event->step.seq);
	return status;
}

static enum status replay_recent(struct store_sqlite *s, struct event *event,
				 const struct query *row, struct err *err)
{
	enum status status = batch_begin(s, 1, err);

	if (status == STATUS_OK)
		status = store_sqlite_replay_event(s, row, event, err);
	if (status != STATUS_OK) {
		batch_cancel(s);
		return status;
	}
	recent_add(&s->recent, recent_key(s->recent.hash_key, event->key.user, event->id),
		   event->step.seq);
	batch_publish(s);
	s->next_seq = event->step.seq + 1;
	s->n_replayed++;
	return STATUS_OK;
}

/* A part of the events; more_out: there may be further ones. */
static enum status replay_part(struct store_sqlite *s, struct event *event, bool *more_out,
			       struct err *err)
{
	struct query query = query_begin(&s->writer, SQL_RECENT_EVENTS);
	enum status status = STATUS_OK;

	*more_out = true;
	query_int(&query, s->next_seq - 1);
	query_int(&query, PART_EVENTS);
	for (size_t n = 0; status == STATUS_OK && *more_out && n < PART_EVENTS; n++) {
		status = query_step(&query, more_out, err);
		if (status == STATUS_OK && *more_out)
			status = replay_recent(s, event, &query, err);
	}
	query_end(&query);
	return status;
}

static enum status read_folded(struct store_sqlite *s, int64_t *last_out, struct err *err)
{
	struct query query = query_begin(&s->writer, SQL_READ_FOLDED);
	enum status status;
	bool found;

	status = query_step(&query, &found, err);
	if (status == STATUS_OK &&
	    (!found || sqlite3_column_bytes(query.stmt, 1) != RECENT_HASH_KEY_LEN))
		status = err_set(err, STATUS_STATE_CORRUPT,
				 "state %s: the row of folded is damaged: want it restored from a "
				 "backup",
				 s->name);
	if (status == STATUS_OK) {
		s->next_seq = sqlite3_column_int64(query.stmt, 0) + 1;
		memcpy(s->recent.hash_key, sqlite3_column_blob(query.stmt, 1), RECENT_HASH_KEY_LEN);
		*last_out = sqlite3_column_int64(query.stmt, 2);
	}
	query_end(&query);
	return status;
}

enum status store_sqlite_replay(struct store_sqlite *s, struct err *err)
{
	struct event *event = mem_array(1, sizeof(*event));
	enum status status = event == NULL ? err_no_memory(err, "recent events") : STATUS_OK;
	bool more = true;
	struct err ignored;
	int64_t last = 0;

	if (status == STATUS_OK)
		status = read_folded(s, &last, err);
	while (status == STATUS_OK && more && s->next_seq <= last) {
		status = replay_part(s, event, &more, err);
		/* memory and the next start are saved; if it fails, as on a full disk, scores can
		 * be given all the same */
		if (status == STATUS_OK && fold_is_due(s))
			fold_all(s, &ignored);
	}
	mem_free(event);
	atomic_store(&s->n_recent, s->recent.n);
	return status;
}
