/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sqlite_delete.c - a user's rows, and what is known of the user in memory, go: all of
 * it, or what is of one context. Then the states are learnt anew from the events that stay, so
 * that they still follow from the events.
 */
#include "core/base/mem.h"
#include "server/store_sqlite_batch.h"

/* Rows that are not written yet count as well: they are written first. */
enum status store_sqlite_delete_states(struct store_sqlite *s, const char *user, struct err *err)
{
	struct learner **learners;
	size_t n;
	enum status status = state_cache_take_user(s->cache, user, &learners, &n, err);

	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < n; i++) {
		const struct state_value *state = store_sqlite_state_of(learners[i]);

		if (status == STATUS_OK && state != NULL && state->updates > 0)
			status = fold_put_state(s, learners[i], state, err);
		state_cache_release(s->cache, learners[i]);
	}
	mem_free(learners);
	if (status != STATUS_OK)
		return status;
	struct query query = query_begin(&s->writer, SQL_DELETE_STATES);
	query_text(&query, user);
	return query_run(&query, err);
}

static enum status delete_states(struct store_sqlite *s, struct store_delete *d, struct err *err)
{
	enum status status = store_sqlite_delete_states(s, d->user, err);

	d->states_out = (uint64_t)sqlite3_changes64(s->writer.db);
	return status;
}

static enum status delete_recent(struct store_sqlite *s, struct store_delete *d, int64_t first,
				 int64_t last, struct err *err)
{
	enum status status = STATUS_OK;

	for (size_t i = 0; i < s->recent.n && status == STATUS_OK; i++) {
		struct recent_event *event = &s->recent.event[i];

		if (event->seq <= 0 || event->key < first || event->key > last)
			continue;
		struct query query = query_begin(
		    &s->writer, d->context == NULL ? SQL_DELETE_RECENT : SQL_DELETE_RECENT_CONTEXT);
		query_text(&query, d->user);
		query_int(&query, event->seq);
		if (d->context != NULL)
			query_text(&query, d->context);
		status = query_run(&query, err);
		if (status == STATUS_OK && sqlite3_changes64(s->writer.db) == 1) {
			event->seq = -event->seq;
			d->events_out++;
		}
	}
	return status;
}

static enum status delete_folded(struct store_sqlite *s, struct store_delete *d, int64_t first,
				 int64_t last, struct err *err)
{
	struct query events =
	    query_begin(&s->writer, d->context == NULL ? SQL_DELETE_EVENTS : SQL_DELETE_CONTEXT);
	struct query keys = query_begin(&s->writer, SQL_DELETE_KEYS);
	enum status status;

	query_text(&events, d->user);
	query_int(&events, first);
	query_int(&events, last);
	if (d->context != NULL)
		query_text(&events, d->context);
	status = query_run(&events, err);
	if (status != STATUS_OK)
		return status;
	d->events_out += (uint64_t)sqlite3_changes64(s->writer.db);
	query_int(&keys, first);
	query_int(&keys, last);
	return query_run(&keys, err);
}

static enum status delete_events(struct store_sqlite *s, struct store_delete *d, struct err *err)
{
	int64_t first, last;
	enum status status;

	d->events_out = 0;
	recent_user_keys(s->recent.hash_key, d->user, &first, &last);
	status = delete_recent(s, d, first, last, err);
	if (status == STATUS_OK)
		status = delete_folded(s, d, first, last, err);
	if (d->events_out > 0)
		s->checkpoint_due = true;
	return status;
}

/* ---- one context ---- */

static enum status learn_rows(struct store_sqlite *s, struct query *query, struct event *event,
			      struct err *err)
{
	enum status status = STATUS_OK;
	bool found = true;

	while (status == STATUS_OK && found) {
		status = query_step(query, &found, err);
		if (status == STATUS_OK && found)
			status = store_sqlite_replay_event(s, query, event, err);
	}
	query_end(query);
	return status;
}

/* Those before the first recent one: their keys are in event_keys. */
static enum status learn_folded(struct store_sqlite *s, const char *user, struct event *event,
				struct err *err)
{
	struct query query = query_begin(&s->writer, SQL_USER_EVENTS);
	int64_t first, last;

	recent_user_keys(s->recent.hash_key, user, &first, &last);
	query_text(&query, user);
	query_int(&query, first);
	query_int(&query, last);
	query_int(&query, recent_first_seq(&s->recent, s->next_seq) - 1);
	return learn_rows(s, &query, event, err);
}

static enum status learn_recent(struct store_sqlite *s, const char *user, struct event *event,
				struct err *err)
{
	enum status status = STATUS_OK;
	int64_t first, last;

	recent_user_keys(s->recent.hash_key, user, &first, &last);
	for (size_t i = 0; i < s->recent.n && status == STATUS_OK; i++) {
		const struct recent_event *recent = &s->recent.event[i];

		if (recent->seq <= 0 || recent->key < first || recent->key > last)
			continue;
		struct query query = query_begin(&s->writer, SQL_USER_RECENT);
		query_text(&query, user);
		query_int(&query, recent->seq);
		status = learn_rows(s, &query, event, err);
	}
	return status;
}

static enum status learn_again(struct store_sqlite *s, const char *user, struct err *err)
{
	struct event *event = mem_array(1, sizeof(*event));
	enum status status;

	if (event == NULL)
		return err_no_memory(err, "an event");
	status = learn_folded(s, user, event, err);
	if (status == STATUS_OK)
		status = learn_recent(s, user, event, err);
	mem_free(event);
	return status;
}

/* A crash must not find states without what was learnt before the recent events. */
static enum status put_states(struct store_sqlite *s, struct store_delete *d, struct err *err)
{
	struct learner **learners;
	uint64_t n_put = 0;
	size_t n;
	enum status status = state_cache_take_user(s->cache, d->user, &learners, &n, err);

	if (status != STATUS_OK)
		return status;
	status = batch_expect(s, n, err);
	for (size_t i = 0; i < n; i++) {
		const struct state_value *state = learners[i]->staged;

		if (status == STATUS_OK && state != NULL && state->updates > 0) {
			status = fold_put_state(s, learners[i], state, err);
			n_put++;
		}
		state_cache_release(s->cache, learners[i]);
	}
	mem_free(learners);
	d->states_out -= n_put < d->states_out ? n_put : d->states_out;
	return status;
}

/* Everything is forgotten first, so that the events are learnt as they were the first time. */
static enum status delete_context(struct store_sqlite *s, struct store_delete *d, struct err *err)
{
	enum status status = delete_events(s, d, err);

	d->states_out = 0;
	if (status != STATUS_OK || d->events_out == 0)
		return status;
	status = delete_states(s, d, err);
	if (status == STATUS_OK)
		status = batch_delete(s, d->user, err);
	if (status == STATUS_OK)
		status = learn_again(s, d->user, err);
	return status == STATUS_OK ? put_states(s, d, err) : status;
}

enum status store_sqlite_delete_user(struct store_sqlite *s, struct store_delete *d,
				     struct err *err)
{
	enum status status = store_sqlite_end_leaving(s, d->user, err);

	if (status == STATUS_OK && d->context != NULL)
		return delete_context(s, d, err);
	if (status == STATUS_OK)
		status = delete_states(s, d, err);
	if (status == STATUS_OK)
		status = delete_events(s, d, err);
	if (status == STATUS_OK)
		status = batch_delete(s, d->user, err);
	if (d->states_out > 0)
		s->checkpoint_due = true;
	return status;
}
