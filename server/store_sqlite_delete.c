/* SPDX-License-Identifier: Apache-2.0 */
/* store_sqlite_delete.c - a user's rows, and what is known of the user in memory, go. */
#include "core/base/mem.h"
#include "server/store_sqlite_batch.h"

/* Rows that are not written yet count as well: they are written first. */
static enum status delete_states(struct store_sqlite *s, struct store_delete *d, struct err *err)
{
	struct learner **learners;
	size_t n;
	enum status status = state_cache_take_user(s->cache, d->user, &learners, &n, err);

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
	query_text(&query, d->user);
	status = query_run(&query, err);
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
		struct query query = query_begin(&s->writer, SQL_DELETE_RECENT);
		query_text(&query, d->user);
		query_int(&query, event->seq);
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
	struct query events = query_begin(&s->writer, SQL_DELETE_EVENTS);
	struct query keys = query_begin(&s->writer, SQL_DELETE_KEYS);
	enum status status;

	query_text(&events, d->user);
	query_int(&events, first);
	query_int(&events, last);
	status = query_run(&events, err);
	if (status != STATUS_OK)
		return status;
	d->events_out += (uint64_t)sqlite3_changes64(s->writer.db);
	query_int(&keys, first);
	query_int(&keys, last);
	return query_run(&keys, err);
}

enum status store_sqlite_delete_user(struct store_sqlite *s, struct store_delete *d,
				     struct err *err)
{
	int64_t first, last;
	enum status status = delete_states(s, d, err);

	d->events_out = 0;
	recent_user_keys(s->recent.hash_key, d->user, &first, &last);
	if (status == STATUS_OK)
		status = delete_recent(s, d, first, last, err);
	if (status == STATUS_OK)
		status = delete_folded(s, d, first, last, err);
	if (status == STATUS_OK)
		status = batch_delete(s, d->user, err);
	if (d->states_out > 0 || d->events_out > 0)
		s->checkpoint_due = true;
	return status;
}
