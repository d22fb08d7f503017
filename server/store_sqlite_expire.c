/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sqlite_expire.c - users who have given no feedback for long go, a few rows in each
 * transaction. A pass first has the recent events folded, so that the tables say who that is, and
 * then looks at one user after the other.
 *
 * Of a user of many events the states go first, and the name comes into the table leaving; the
 * events follow, some at a time. Whatever else is done with such a user, or a restart, ends that
 * first: nobody sees a half of it.
 */
#include <string.h>

#include "core/base/mem.h"
#include "server/store_sqlite_batch.h"

#define USERS_SEEN 256 /* looked at in a step, at most */

struct event_place {
	int64_t key, seq;
};

static enum status delete_place(struct store_sqlite *s, const struct event_place *place,
				struct err *err)
{
	struct query event = query_begin(&s->writer, SQL_DROP_EVENT);
	struct query key = query_begin(&s->writer, SQL_DROP_KEY);
	enum status status;

	query_int(&event, place->seq);
	status = query_run(&event, err);
	if (status != STATUS_OK)
		return status;
	query_int(&key, place->key);
	query_int(&key, place->seq);
	return query_run(&key, err);
}

/* Some of the user's events, which are all folded. */
static enum status find_places(struct store_sqlite *s, const char *user, size_t n_max,
			       struct event_place *places, size_t *n_out, struct err *err)
{
	struct query query = query_begin(&s->writer, SQL_PICK_EVENTS);
	enum status status = STATUS_OK;
	int64_t first, last;
	bool found = true;

	recent_user_keys(s->recent.hash_key, user, &first, &last);
	query_text(&query, user);
	query_int(&query, first);
	query_int(&query, last);
	query_int(&query, (int64_t)n_max);
	for (*n_out = 0; status == STATUS_OK && found;) {
		status = query_step(&query, &found, err);
		if (status == STATUS_OK && found)
			places[(*n_out)++] =
			    (struct event_place){sqlite3_column_int64(query.stmt, 0),
						 sqlite3_column_int64(query.stmt, 1)};
	}
	query_end(&query);
	return status;
}

/* At most n_max of them; fewer are deleted only if none is left. */
static enum status delete_some(struct store_sqlite *s, const char *user, size_t n_max,
			       size_t *n_out, struct err *err)
{
	struct event_place *places = mem_array(n_max, sizeof(*places));
	enum status status;

	*n_out = 0;
	if (places == NULL)
		return err_no_memory(err, "a deletion");
	status = find_places(s, user, n_max, places, n_out, err);
	for (size_t i = 0; i < *n_out && status == STATUS_OK; i++)
		status = delete_place(s, &places[i], err);
	mem_free(places);
	return status;
}

static enum status note_leaving(struct store_sqlite *s, const char *user, enum sql sql,
				struct err *err)
{
	struct query query = query_begin(&s->writer, sql);

	query_text(&query, user);
	return query_run(&query, err);
}

/* The next part of who is leaving; nobody is if it was the last one. */
static enum status go_on(struct store_sqlite *s, size_t n_max, size_t *n_out, struct err *err)
{
	char *user = s->batch.leaving;
	enum status status = delete_some(s, user, n_max, n_out, err);

	if (status != STATUS_OK || *n_out == n_max)
		return status;
	status = note_leaving(s, user, SQL_HAS_LEFT, err);
	user[0] = '\0';
	return status;
}

enum status store_sqlite_end_leaving(struct store_sqlite *s, const char *user, struct err *err)
{
	enum status status = STATUS_OK;
	size_t n;

	while (status == STATUS_OK && s->batch.leaving[0] != '\0' &&
	       strcmp(s->batch.leaving, user) == 0)
		status = go_on(s, STORE_EXPIRE_EVENTS, &n, err);
	return status;
}

/* ---- who it is ---- */

static bool has_recent(const struct store_sqlite *s, const char *user)
{
	int64_t first, last;

	recent_user_keys(s->recent.hash_key, user, &first, &last);
	for (size_t i = 0; i < s->recent.n; i++) {
		const struct recent_event *event = &s->recent.event[i];

		if (event->seq != 0 && event->key >= first && event->key <= last)
			return true;
	}
	return false;
}

/* The next user of the table of states; *found_out false: there is none. */
static enum status next_user(struct store_sqlite *s, struct store_expire *e, bool *found_out,
			     int64_t *updated_us_out, struct err *err)
{
	struct query query = query_begin(&s->writer, SQL_NEXT_USER);
	enum status status;

	query_text(&query, e->after);
	status = query_step(&query, found_out, err);
	*found_out = *found_out && sqlite3_column_type(query.stmt, 0) != SQLITE_NULL;
	if (status == STATUS_OK && *found_out) {
		status = query_user(&query, 0, e->after, err);
		*updated_us_out = sqlite3_column_int64(query.stmt, 1);
	}
	query_end(&query);
	return status;
}

static enum status forget_user(struct store_sqlite *s, struct store_expire *e, size_t *budget,
			       struct err *err)
{
	const char *user = strcpy(e->names[e->n_names++], e->after);
	enum status status = store_sqlite_delete_states(s, user, err);
	size_t n = 0;

	if (status == STATUS_OK)
		status = batch_delete(s, user, err);
	if (status == STATUS_OK)
		status = delete_some(s, user, *budget, &n, err);
	if (status == STATUS_OK && n == *budget) {
		strcpy(s->batch.leaving, user);
		status = note_leaving(s, user, SQL_LEAVES, err);
	}
	*budget -= n;
	e->events_out += n;
	e->users_out++;
	return status;
}

/* ---- a step ---- */

static enum status look_at_users(struct store_sqlite *s, struct store_expire *e, size_t *budget,
				 struct err *err)
{
	enum status status = STATUS_OK;
	bool found = true;

	for (size_t i = 0; i < USERS_SEEN && status == STATUS_OK && *budget > 0 &&
			   e->n_names < STORE_EXPIRE_USERS;
	     i++) {
		int64_t updated_us = INT64_MAX;

		status = next_user(s, e, &found, &updated_us, err);
		if (status != STATUS_OK || !found)
			break;
		/* what is recent is not in the row yet */
		if (updated_us < e->before_us && !has_recent(s, e->after))
			status = forget_user(s, e, budget, err);
	}
	e->done_out = !found;
	return status;
}

/* Whether what was recent when the pass began is in the tables. */
static bool is_folded(struct store_sqlite *s, struct store_expire *e)
{
	if (e->last_seq == 0)
		e->last_seq = s->next_seq;
	return recent_first_seq(&s->recent, s->next_seq) >= e->last_seq;
}

enum status store_sqlite_expire(struct store_sqlite *s, struct store_expire *e, struct err *err)
{
	size_t budget = STORE_EXPIRE_EVENTS, n;
	enum status status = STATUS_OK;

	e->done_out = false;
	e->n_names = 0;
	if (s->batch.leaving[0] != '\0') {
		status = go_on(s, budget, &n, err);
		e->events_out += n;
		return status;
	}
	s->fold.wanted = !is_folded(s, e);
	if (!s->fold.wanted)
		status = look_at_users(s, e, &budget, err);
	if (status == STATUS_OK && e->done_out && e->users_out > 0)
		s->checkpoint_due = true;
	return status;
}

/* ---- at open ---- */

static enum status read_leaving(struct store_sqlite *s, struct err *err)
{
	struct query query = query_begin(&s->writer, SQL_WHO_LEAVES);
	enum status status;
	bool found;

	status = query_step(&query, &found, err);
	s->batch.leaving[0] = '\0';
	if (status == STATUS_OK && found)
		status = query_user(&query, 0, s->batch.leaving, err);
	query_end(&query);
	return status;
}

static enum status go_on_alone(struct store_sqlite *s, struct err *err)
{
	enum status status = store_sqlite_begin(s, err);
	size_t n;

	if (status == STATUS_OK)
		status = go_on(s, STORE_EXPIRE_EVENTS, &n, err);
	if (status == STATUS_OK)
		status = store_sqlite_commit(s, err);
	if (status != STATUS_OK)
		store_sqlite_roll_back(s);
	return status;
}

enum status store_sqlite_open_leaving(struct store_sqlite *s, struct err *err)
{
	enum status status = read_leaving(s, err);
	struct err ignored;

	strcpy(s->leaving, s->batch.leaving);
	if (status != STATUS_OK || s->leaving[0] == '\0')
		return status;
	while (status == STATUS_OK && s->batch.leaving[0] != '\0')
		status = go_on_alone(s, &ignored);
	/* on a full disk it is left for later */
	if (status == STATUS_OK)
		s->leaving[0] = '\0';
	store_sqlite_checkpoint(s);
	return STATUS_OK;
}
