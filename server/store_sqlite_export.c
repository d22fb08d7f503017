/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sqlite_export.c - all that is stored of a user at one moment, a record at a time.
 *
 * It has a connection of its own, because a client may take its time. The states are as of the
 * last event that is in them: what was not in memory, and all events up to that one, are in the
 * database since before its read transaction begins.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "server/store_sqlite_impl.h"

enum column {
	SEQ,
	ID,
	CONTEXT,
	MODEL_ID,
	N_HEADS,
	TIME_US,
	TAU,
	STRENGTH,
	DRIFT,
	DIGEST,
	LOSSES,
	WEIGHTS,
	UPDATES,
	INPUT
};

/* The events in two parts: those before and after folded.seq. */
enum part { PART_FOLDED, PART_RECENT, PART_NONE };

static const enum sql part_sql[] = {SQL_EXPORT_FOLDED, SQL_EXPORT_RECENT};

struct sqlite_export {
	struct store_export base; /* first */
	struct store_sqlite *s;
	struct conn conn;
	char *user;
	struct store_user states;
	size_t n_given;	    /* of the states */
	int64_t folded_seq; /* of the moment */
	int64_t last_seq;   /* of the last event in the states */
	enum part part;
	bool asking;	    /* query is begun */
	struct query query; /* of the part */
	double loss[HEADS_MAX], weights[HEADS_MAX];
};

static struct sqlite_export *export_of(struct store_export *export)
{
	return (struct sqlite_export *)export;
}

static enum status open_conn(struct sqlite_export *x, struct err *err)
{
	struct store_sqlite *s = x->s;
	enum status status =
	    conn_open(&x->conn, s->name, s->path, CONN_READER, s->busy_timeout_ms, err);

	if (status == STATUS_OK)
		status = conn_set_pragmas(&x->conn, CONN_READER, err);
	if (status == STATUS_OK)
		status = conn_prepare(&x->conn, CONN_READER, err);
	x->conn.damage = &s->damage;
	return status;
}

/* Nothing becomes visible between the look into memory and the begin of the transaction, whose
 * first read fixes its moment. */
static enum status fix_moment(struct sqlite_export *x, struct err *err)
{
	struct store_sqlite *s = x->s;
	uint64_t epoch;
	enum status status = conn_exec(&x->conn, "BEGIN", err);

	if (status != STATUS_OK)
		return status;
	pthread_mutex_lock(&s->publishing);
	status = state_cache_copy_user(s->cache, x->user, NULL, &x->states, &epoch, err);
	if (status == STATUS_OK)
		status = conn_read_int(&x->conn, "SELECT seq FROM folded", &x->folded_seq, err);
	pthread_mutex_unlock(&s->publishing);
	return status;
}

static enum status read_states(struct sqlite_export *x, struct err *err)
{
	enum status status = store_sqlite_add_rows(&x->conn, x->user, NULL, &x->states, err);

	if (status != STATUS_OK)
		return status;
	if (x->states.n_states == 0)
		return err_set(err, STATUS_NOT_FOUND, "nothing is stored of this user");
	for (size_t i = 0; i < x->states.n_states; i++) {
		if (x->states.states[i].seq > x->last_seq)
			x->last_seq = x->states.states[i].seq;
	}
	return STATUS_OK;
}

static void begin_part(struct sqlite_export *x)
{
	int64_t first, last;

	x->query = query_begin(&x->conn, part_sql[x->part]);
	query_text(&x->query, x->user);
	if (x->part == PART_FOLDED) {
		recent_user_keys(x->s->recent.hash_key, x->user, &first, &last);
		query_int(&x->query, first);
		query_int(&x->query, last);
	}
	query_int(&x->query, x->folded_seq);
	query_int(&x->query, x->last_seq);
	x->asking = true;
}

static const char *text_of(const struct sqlite_export *x, enum column column)
{
	return (const char *)sqlite3_column_text(x->query.stmt, (int)column);
}

static enum status take_event(struct sqlite_export *x, struct store_event *event, struct err *err)
{
	sqlite3_stmt *row = x->query.stmt;
	enum status status = query_n_heads(&x->query, N_HEADS, &event->n_heads, err);

	if (status != STATUS_OK)
		return status;
	event->id = text_of(x, ID);
	event->context = text_of(x, CONTEXT);
	event->model_id = text_of(x, MODEL_ID);
	event->input = text_of(x, INPUT);
	if (event->id == NULL || event->context == NULL || event->model_id == NULL ||
	    (event->input == NULL && sqlite3_column_type(row, INPUT) != SQLITE_NULL))
		return conn_fault(&x->conn, err);
	if (sqlite3_column_bytes(row, DIGEST) != STORE_DIGEST_LEN)
		return err_set(err, STATUS_STATE_CORRUPT, "state %s: a digest of %d bytes, want %d",
			       x->conn.name, sqlite3_column_bytes(row, DIGEST), STORE_DIGEST_LEN);
	memcpy(event->digest, sqlite3_column_blob(row, DIGEST), STORE_DIGEST_LEN);
	event->time_us = sqlite3_column_int64(row, TIME_US);
	event->temperature = sqlite3_column_double(row, TAU);
	event->strength = sqlite3_column_double(row, STRENGTH);
	event->drift = sqlite3_column_double(row, DRIFT);
	event->updates = (uint64_t)sqlite3_column_int64(row, UPDATES);
	event->loss = x->loss;
	event->weights = x->weights;
	status = query_doubles(&x->query, LOSSES, event->n_heads, x->loss, err);
	return status == STATUS_OK
		   ? query_doubles(&x->query, WEIGHTS, event->n_heads, x->weights, err)
		   : status;
}

static enum status next_event(struct sqlite_export *x, struct store_record *record_out,
			      struct err *err)
{
	enum status status;
	bool found;

	for (; x->part < PART_NONE; x->part++) {
		if (!x->asking)
			begin_part(x);
		status = query_step(&x->query, &found, err);
		if (status != STATUS_OK)
			return status;
		if (found) {
			record_out->kind = STORE_RECORD_EVENT;
			return take_event(x, &record_out->event, err);
		}
		query_end(&x->query);
		x->asking = false;
	}
	return STATUS_OK;
}

static enum status next_record(struct store_export *export, struct store_record *record_out,
			       struct err *err)
{
	struct sqlite_export *x = export_of(export);

	*record_out = (struct store_record){.kind = STORE_RECORD_NONE};
	if (x->n_given == x->states.n_states)
		return next_event(x, record_out, err);
	record_out->kind = STORE_RECORD_STATE;
	record_out->state = x->states.states[x->n_given++];
	return STATUS_OK;
}

static void close_export(struct store_export *export)
{
	struct sqlite_export *x = export_of(export);

	if (x->asking)
		query_end(&x->query);
	conn_close(&x->conn);
	store_user_free(&x->states);
	atomic_fetch_sub(&x->s->n_exports, 1);
	mem_free(x->user);
	mem_free(x);
}

static const struct store_export_ops operations = {
    .next = next_record,
    .close = close_export,
};

static enum status open_export(struct sqlite_export *x, const char *user, struct err *err)
{
	enum status status;

	x->user = mem_string(user, strlen(user));
	if (x->user == NULL)
		return err_no_memory(err, "an export");
	status = open_conn(x, err);
	if (status == STATUS_OK)
		status = fix_moment(x, err);
	return status == STATUS_OK ? read_states(x, err) : status;
}

enum status store_sqlite_export(struct store *store, const char *user,
				struct store_export **export_out, struct err *err)
{
	struct store_sqlite *s = (struct store_sqlite *)store;
	struct sqlite_export *x;
	enum status status;

	*export_out = NULL;
	if (atomic_fetch_add(&s->n_exports, 1) >= STORE_MAX_EXPORTS) {
		atomic_fetch_sub(&s->n_exports, 1);
		return err_set(err, STATUS_OVERLOADED,
			       "%d exports are being read, the most at once: try again later",
			       STORE_MAX_EXPORTS);
	}
	x = mem_array(1, sizeof(*x));
	if (x == NULL) {
		atomic_fetch_sub(&s->n_exports, 1);
		return err_no_memory(err, "an export");
	}
	x->base.ops = &operations;
	x->s = s;
	status = open_export(x, user, err);
	if (status == STATUS_OK)
		*export_out = &x->base;
	else
		close_export(&x->base);
	return status;
}
