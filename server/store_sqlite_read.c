/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sqlite_read.c - states for any thread: from the cache, and what is not in it from the
 * database.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "server/store_sqlite_impl.h"

/* A user who learns without a pause is shown as of almost one moment. */
#define MAX_LOOKS 4

/* ---- one state ---- */

/* The rows of a context and of the overall state, if they are there. */
struct state_rows {
	struct state_value *context, *overall;
};

static void take_row(const struct query *row, struct state_value *value)
{
	value->updates = (uint64_t)sqlite3_column_int64(row->stmt, 1);
	value->updated_us = sqlite3_column_int64(row->stmt, 2);
	value->seq = sqlite3_column_int64(row->stmt, 3);
}

static enum status query_rows(struct query *query, size_t n_heads, struct state_rows *rows,
			      struct err *err)
{
	enum status status = STATUS_OK;
	bool found = true;

	while (status == STATUS_OK && found) {
		status = query_step(query, &found, err);
		if (status != STATUS_OK || !found)
			break;
		struct state_value *value =
		    sqlite3_column_bytes(query->stmt, 4) == 0 ? rows->overall : rows->context;
		take_row(query, value);
		status = query_doubles(query, 0, n_heads, value->log_weight, err);
	}
	return status;
}

static enum status read_rows(struct store_sqlite *s, const struct state_key *key, size_t n_heads,
			     struct state_rows *rows, struct err *err)
{
	struct conn *conn;
	enum status status = readers_take(&s->readers, &conn, err);

	if (status != STATUS_OK)
		return status;
	struct query query = query_begin(conn, SQL_READ_STATE);
	query_text(&query, key->model_id);
	query_text(&query, key->user);
	query_text(&query, key->context);
	status = query_rows(&query, n_heads, rows, err);
	query_end(&query);
	readers_give(&s->readers, conn);
	return status;
}

/* What was not known goes into the cache, which takes it over. */
static void fill(struct store_sqlite *s, const struct state_key *key, const struct state_miss *miss,
		 struct state_rows *rows)
{
	const struct state_key overall = {key->user, "", key->model_id};

	if (miss->context) {
		state_cache_fill(s->cache, key, miss->epoch, rows->context);
		rows->context = NULL;
	}
	if (miss->overall) {
		state_cache_fill(s->cache, &overall, miss->epoch, rows->overall);
		rows->overall = NULL;
	}
}

static enum status read_missing(struct store_sqlite *s, const struct state_key *key, size_t n_heads,
				const struct state_miss *miss, double *log_weight_out,
				uint64_t *updates_out, struct err *err)
{
	struct state_rows rows = {state_value_new(n_heads), state_value_new(n_heads)};
	const struct state_value *used = NULL;
	enum status status = rows.context == NULL || rows.overall == NULL
				 ? err_no_memory(err, "a state")
				 : read_rows(s, key, n_heads, &rows, err);

	if (status == STATUS_OK) {
		if (miss->context && rows.context->updates > 0)
			used = rows.context;
		else if (miss->overall && rows.overall->updates > 0)
			used = rows.overall;
		if (used != NULL) {
			*updates_out = used->updates;
			memcpy(log_weight_out, used->log_weight, n_heads * sizeof(double));
		}
		fill(s, key, miss, &rows);
	}
	state_value_release(rows.context);
	state_value_release(rows.overall);
	return status;
}

enum status store_sqlite_read_state(struct store *store, const char *user, const char *context,
				    const char *model_id, size_t n_heads, double *log_weight_out,
				    uint64_t *updates_out, struct err *err)
{
	struct store_sqlite *s = (struct store_sqlite *)store;
	const struct state_key key = {user, context, model_id};
	struct state_miss miss;

	if (state_cache_read(s->cache, &key, n_heads, log_weight_out, updates_out, &miss))
		return STATUS_OK;
	return read_missing(s, &key, n_heads, &miss, log_weight_out, updates_out, err);
}

/* ---- a user ---- */

static char *copy_text(const struct query *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row->stmt, column);

	return text == NULL ? NULL : mem_string(text, strlen(text));
}

/* state is zeroed; on error it may be filled in part. */
static enum status copy_state(const struct query *row, struct store_state *state, struct err *err)
{
	enum status status = query_n_heads(row, 2, &state->n_heads, err);

	if (status != STATUS_OK)
		return status;
	state->context = copy_text(row, 0);
	state->model_id = copy_text(row, 1);
	state->log_weight = mem_array(state->n_heads, sizeof(double));
	if (state->context == NULL || state->model_id == NULL || state->log_weight == NULL)
		return err_no_memory(err, "a user's states");
	state->updates = (uint64_t)sqlite3_column_int64(row->stmt, 4);
	state->updated_us = sqlite3_column_int64(row->stmt, 5);
	state->seq = sqlite3_column_int64(row->stmt, 6);
	return query_doubles(row, 3, state->n_heads, state->log_weight, err);
}

/* The array of states has room for capacity of them. */
static enum status grow(struct store_user *user, size_t *capacity, struct err *err)
{
	size_t wanted = *capacity < 4 ? 4 : 2 * *capacity;
	struct store_state *states;

	if (user->n_states < *capacity)
		return STATUS_OK;
	states = mem_grow(user->states, user->n_states, wanted, sizeof(*states));
	if (states == NULL)
		return err_no_memory(err, "a user's states");
	user->states = states;
	*capacity = wanted;
	return STATUS_OK;
}

static enum status add_rows(struct query *query, struct store_user *user, struct err *err)
{
	size_t capacity = user->n_states;
	enum status status = STATUS_OK;
	bool found = true;

	while (status == STATUS_OK && found) {
		status = query_step(query, &found, err);
		if (status == STATUS_OK && found)
			status = grow(user, &capacity, err);
		if (status != STATUS_OK || !found)
			continue;
		user->states[user->n_states] = (struct store_state){0};
		status = copy_state(query, &user->states[user->n_states++], err);
	}
	return status;
}

/* By context, then model, then from the latest to the oldest. */
static int compare_states(const void *a, const void *b)
{
	const struct store_state *x = a, *y = b;
	int order = strcmp(x->context, y->context);

	if (order == 0)
		order = strcmp(x->model_id, y->model_id);
	return order != 0 ? order : (x->seq < y->seq) - (x->seq > y->seq);
}

/* Each event is a step of the overall state of its model, and of its context's. */
static void count_events(struct store_user *user, const char *context)
{
	if (context == NULL)
		context = "";
	user->n_events = 0;
	for (size_t i = 0; i < user->n_states; i++) {
		if (strcmp(user->states[i].context, context) == 0)
			user->n_events += user->states[i].updates;
	}
}

/* Of the same state in memory and in the database the later one stays. */
static void keep_latest(struct store_user *user)
{
	size_t n = 0;

	qsort(user->states, user->n_states, sizeof(*user->states), compare_states);
	for (size_t i = 0; i < user->n_states; i++) {
		struct store_state *state = &user->states[i];
		bool is_older = n > 0 && strcmp(state->context, user->states[n - 1].context) == 0 &&
				strcmp(state->model_id, user->states[n - 1].model_id) == 0;

		if (is_older)
			store_state_free(state);
		else
			user->states[n++] = *state;
	}
	user->n_states = n;
}

enum status store_sqlite_add_rows(struct conn *conn, const char *user, const char *context,
				  struct store_user *user_out, struct err *err)
{
	struct query query = query_begin(conn, context == NULL ? SQL_READ_USER : SQL_READ_CONTEXT);
	enum status status;

	query_text(&query, user);
	if (context != NULL)
		query_text(&query, context);
	status = add_rows(&query, user_out, err);
	query_end(&query);
	if (status != STATUS_OK) {
		store_user_free(user_out);
		return status;
	}
	keep_latest(user_out);
	count_events(user_out, context);
	return STATUS_OK;
}

static enum status look(struct store_sqlite *s, struct conn *conn, const char *user,
			const char *context, struct store_user *user_out, uint64_t *epoch_out,
			struct err *err)
{
	enum status status;

	pthread_mutex_lock(&s->publishing);
	status = state_cache_copy_user(s->cache, user, context, user_out, epoch_out, err);
	pthread_mutex_unlock(&s->publishing);
	if (status != STATUS_OK)
		return status;
	/* from here on: what was not in the cache is in the database */
	return store_sqlite_add_rows(conn, user, context, user_out, err);
}

static uint64_t epoch_now(struct store_sqlite *s, const char *user)
{
	uint64_t epoch;

	pthread_mutex_lock(&s->publishing);
	epoch = state_cache_epoch(s->cache, user);
	pthread_mutex_unlock(&s->publishing);
	return epoch;
}

enum status store_sqlite_read_user(struct store *store, const char *user, const char *context,
				   struct store_user *user_out, struct err *err)
{
	struct store_sqlite *s = (struct store_sqlite *)store;
	struct conn *conn;
	enum status status = readers_take(&s->readers, &conn, err);
	uint64_t epoch;

	*user_out = (struct store_user){0};
	if (status != STATUS_OK)
		return status;
	for (int i = 0; i < MAX_LOOKS; i++) {
		store_user_free(user_out);
		status = look(s, conn, user, context, user_out, &epoch, err);
		if (status != STATUS_OK || epoch_now(s, user) == epoch)
			break;
	}
	readers_give(&s->readers, conn);
	if (status == STATUS_OK && user_out->n_states == 0) {
		store_user_free(user_out);
		return err_set(err, STATUS_NOT_FOUND, "this user has no state%s",
			       context == NULL ? "" : " in this context");
	}
	return status;
}
