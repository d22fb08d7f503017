/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sqlite_apply.c - learning steps and deletions, many in one transaction.
 *
 * A step is computed in memory before its first write, so an operation that
 * fails by itself has written nothing, and whatever fails later fails the
 * transaction.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/math/logmath.h"
#include "core/model/hedge.h"
#include "core/model/mixture.h"
#include "server/store_sqlite_impl.h"

/* A checkpoint waits this long for readers to end: theirs take microseconds, and
 * another program's long read must not hold up the writes. */
#define CHECKPOINT_WAIT_MS 50

static enum status check_text(const char *what, const char *text, size_t min, struct err *err)
{
	size_t len = strlen(text);

	if (len < min || len > STORE_MAX_ID)
		return err_set(err, STATUS_INVALID_VALUE, "%s of %zu bytes, want %zu to %d", what,
			       len, min, STORE_MAX_ID);
	return STATUS_OK;
}

static enum status check_feedback(const struct store_feedback *f, struct err *err)
{
	enum status status = check_text("user", f->user, 1, err);

	if (status == STATUS_OK)
		status = check_text("context", f->context, 0, err);
	if (status == STATUS_OK)
		status = check_text("event id", f->event_id, 1, err);
	if (status == STATUS_OK)
		status = check_text("model id", f->model_id, 1, err);
	if (status != STATUS_OK)
		return status;
	if (f->n_heads == 0 || f->n_heads > HEADS_MAX)
		return err_set(err, STATUS_INVALID_VALUE, "%zu heads, want 1 to %d", f->n_heads,
			       HEADS_MAX);
	if (!(f->drift >= 0 && f->drift < 1))
		return err_set(err, STATUS_INVALID_VALUE, "drift %g, want 0 <= drift < 1",
			       f->drift);
	if (f->input != NULL && strlen(f->input) > STORE_MAX_INPUT)
		return err_set(err, STATUS_TOO_LARGE,
			       "a pair of %zu bytes to keep, want at most %d", strlen(f->input),
			       STORE_MAX_INPUT);
	return STATUS_OK;
}

/* The first answer again; the row of SQL_FIND_EVENT. */
static enum status repeat_answer(const struct query *row, struct store_feedback *f, struct err *err)
{
	const void *digest = sqlite3_column_blob(row->stmt, 0);
	size_t digest_len = (size_t)sqlite3_column_bytes(row->stmt, 0);
	const unsigned char *model_id = sqlite3_column_text(row->stmt, 3);
	enum status status = query_n_heads(row, 4, &f->n_weights_out, err);

	if (status != STATUS_OK)
		return status;
	if (digest_len != STORE_DIGEST_LEN || memcmp(digest, f->digest, STORE_DIGEST_LEN) != 0)
		return err_set(err, STATUS_EVENT_ID_REUSED,
			       "event id \"%s\" was used for another feedback of this user, want "
			       "a new id, or the same feedback again",
			       f->event_id);
	if (model_id == NULL)
		return conn_fault(row->conn, err);
	snprintf(f->model_id_out, sizeof(f->model_id_out), "%s", (const char *)model_id);
	f->updates_out = (uint64_t)sqlite3_column_int64(row->stmt, 2);
	f->duplicate_out = true;
	return query_doubles(row, 1, f->n_weights_out, f->weights_out, err);
}

/* duplicate_out is set if this event is there already. */
static enum status find_event(struct conn *db, struct store_feedback *f, struct err *err)
{
	struct query query = query_begin(db, SQL_FIND_EVENT);
	enum status status;
	bool found;

	query_text(&query, f->user);
	query_text(&query, f->event_id);
	status = query_step(&query, &found, err);
	if (status == STATUS_OK && found)
		status = repeat_answer(&query, f, err);
	query_end(&query);
	return status;
}

/* model_out: its row, 0 if it has none yet. */
static enum status find_model(struct conn *db, const struct store_feedback *f, int64_t *model_out,
			      struct err *err)
{
	struct query query = query_begin(db, SQL_FIND_MODEL);
	enum status status;
	size_t n_heads;
	bool found;

	*model_out = 0;
	query_text(&query, f->model_id);
	status = query_step(&query, &found, err);
	if (status == STATUS_OK && found) {
		*model_out = sqlite3_column_int64(query.stmt, 0);
		status = query_n_heads(&query, 1, &n_heads, err);
		if (status == STATUS_OK && n_heads != f->n_heads)
			status = err_set(err, STATUS_STATE_CORRUPT,
					 "state %s: model %s has %zu heads there, want %zu",
					 db->name, f->model_id, n_heads, f->n_heads);
	}
	query_end(&query);
	return status;
}

static enum status find_state(struct conn *db, const struct store_feedback *f, const char *context,
			      int64_t model, struct learner *learner, struct err *err)
{
	struct query query = query_begin(db, SQL_FIND_STATE);
	enum status status;
	bool found;

	learner->updates = 0;
	query_text(&query, f->user);
	query_text(&query, context);
	query_int(&query, model);
	status = query_step(&query, &found, err);
	if (status == STATUS_OK && found) {
		learner->updates = (uint64_t)sqlite3_column_int64(query.stmt, 1);
		status = query_doubles(&query, 0, f->n_heads, learner->log_weight, err);
	}
	query_end(&query);
	return status;
}

/* Both states as they are before the step: a new context starts from the overall state. */
static enum status find_states(struct store_sqlite *s, const struct store_feedback *f,
			       int64_t model, struct err *err)
{
	enum status status = find_state(&s->writer, f, "", model, &s->overall, err);

	if (status == STATUS_OK && s->overall.updates == 0)
		hedge_start(s->overall.log_weight, f->n_heads);
	if (status != STATUS_OK || f->context[0] == '\0')
		return status;
	status = find_state(&s->writer, f, f->context, model, &s->in_context, err);
	if (status == STATUS_OK && s->in_context.updates == 0)
		memcpy(s->in_context.log_weight, s->overall.log_weight,
		       f->n_heads * sizeof(double));
	return status;
}

static enum status learn(struct learner *learner, const struct store_feedback *f, struct err *err)
{
	enum status status = hedge_update(learner->log_weight, f->loss, f->n_heads, f->temperature,
					  f->strength, err);

	if (status != STATUS_OK)
		return status;
	if (f->drift > 0)
		hedge_share(learner->log_weight, f->n_heads, f->drift);
	learner->updates++;
	return STATUS_OK;
}

/* w = softmax(g(c,x) + s) */
static enum status answer(const struct learner *learner, struct store_feedback *f, struct err *err)
{
	mixture_log_weights(f->logits, learner->log_weight, f->mask, f->n_heads, f->weights_out);
	for (size_t k = 0; k < f->n_heads; k++)
		f->weights_out[k] = exp(f->weights_out[k]);
	if (!all_finite(f->weights_out, f->n_heads))
		return err_set(err, STATUS_NOT_FINITE, "a weight is not finite after this step");
	f->n_weights_out = f->n_heads;
	snprintf(f->model_id_out, sizeof(f->model_id_out), "%s", f->model_id);
	f->updates_out = learner->updates;
	return STATUS_OK;
}

/* Everything of a learning step but the writes. */
static enum status take_step(struct store_sqlite *s, struct store_feedback *f, int64_t *model_out,
			     struct err *err)
{
	bool has_context = f->context[0] != '\0';
	enum status status = check_feedback(f, err);

	if (status == STATUS_OK)
		status = find_event(&s->writer, f, err);
	if (status != STATUS_OK || f->duplicate_out)
		return status;
	status = find_model(&s->writer, f, model_out, err);
	if (status == STATUS_OK)
		status = find_states(s, f, *model_out, err);
	if (status == STATUS_OK)
		status = learn(&s->overall, f, err);
	if (status == STATUS_OK && has_context)
		status = learn(&s->in_context, f, err);
	if (status != STATUS_OK)
		return status;
	return answer(has_context ? &s->in_context : &s->overall, f, err);
}

static enum status add_model(struct conn *db, const struct store_feedback *f, int64_t *model_out,
			     struct err *err)
{
	struct query query = query_begin(db, SQL_ADD_MODEL);
	enum status status;

	query_text(&query, f->model_id);
	query_int(&query, (int64_t)f->n_heads);
	status = query_run(&query, err);
	*model_out = sqlite3_last_insert_rowid(db->db);
	return status;
}

static enum status put_state(struct conn *db, const struct store_feedback *f, const char *context,
			     int64_t model, const struct learner *learner, struct err *err)
{
	struct query query = query_begin(db, SQL_PUT_STATE);

	query_text(&query, f->user);
	query_text(&query, context);
	query_int(&query, model);
	query_bytes(&query, learner->log_weight, f->n_heads * sizeof(double));
	query_int(&query, (int64_t)learner->updates);
	query_int(&query, f->time_us);
	return query_run(&query, err);
}

static enum status add_event(struct conn *db, const struct store_feedback *f, int64_t model,
			     struct err *err)
{
	struct query query = query_begin(db, SQL_ADD_EVENT);

	query_text(&query, f->user);
	query_text(&query, f->event_id);
	query_text(&query, f->context);
	query_int(&query, model);
	query_int(&query, f->time_us);
	query_real(&query, f->temperature);
	query_real(&query, f->strength);
	query_real(&query, f->drift);
	query_bytes(&query, f->digest, STORE_DIGEST_LEN);
	query_bytes(&query, f->loss, f->n_heads * sizeof(double));
	query_bytes(&query, f->weights_out, f->n_heads * sizeof(double));
	query_int(&query, (int64_t)f->updates_out);
	query_text(&query, f->input);
	return query_run(&query, err);
}

/* The writes of a learning step; model is 0 if it has no row yet. */
static enum status record_step(struct store_sqlite *s, const struct store_feedback *f,
			       int64_t model, struct err *err)
{
	struct conn *db = &s->writer;
	enum status status = STATUS_OK;

	if (model == 0)
		status = add_model(db, f, &model, err);
	if (status == STATUS_OK)
		status = put_state(db, f, "", model, &s->overall, err);
	if (status == STATUS_OK && f->context[0] != '\0')
		status = put_state(db, f, f->context, model, &s->in_context, err);
	if (status == STATUS_OK)
		status = add_event(db, f, model, err);
	return status;
}

static enum status delete_rows(struct conn *db, enum sql sql, const char *user,
			       uint64_t *n_deleted_out, struct err *err)
{
	struct query query = query_begin(db, sql);
	enum status status;

	query_text(&query, user);
	status = query_run(&query, err);
	*n_deleted_out = (uint64_t)sqlite3_changes64(db->db);
	return status;
}

static enum status delete_user(struct store_sqlite *s, struct store_delete *d, struct err *err)
{
	enum status status =
	    delete_rows(&s->writer, SQL_DELETE_STATES, d->user, &d->states_out, err);

	d->events_out = 0;
	if (status == STATUS_OK)
		status = delete_rows(&s->writer, SQL_DELETE_EVENTS, d->user, &d->events_out, err);
	if (d->states_out > 0 || d->events_out > 0)
		s->checkpoint_due = true;
	return status;
}

static enum status apply_feedback(struct store_sqlite *s, struct store_op *op, struct err *err)
{
	struct store_feedback *f = &op->feedback;
	int64_t model = 0;

	f->duplicate_out = false;
	if (take_step(s, f, &model, &op->err) != STATUS_OK) {
		/* SQLite may have rolled everything back: then it is not this operation's fault */
		if (!sqlite3_get_autocommit(s->writer.db))
			return STATUS_OK;
		*err = op->err;
		return err->code;
	}
	return f->duplicate_out ? STATUS_OK : record_step(s, f, model, err);
}

/* Everything of a transaction that is begun; a failure here fails all of it. */
static enum status apply_all(struct store_sqlite *s, struct store_op *const *ops, size_t n_ops,
			     struct err *err)
{
	enum status status = STATUS_OK;

	for (size_t i = 0; i < n_ops && status == STATUS_OK; i++) {
		ops[i]->err.code = STATUS_OK;
		status = ops[i]->kind == STORE_FEEDBACK ? apply_feedback(s, ops[i], err)
							: delete_user(s, &ops[i]->delete_user, err);
	}
	if (status != STATUS_OK)
		return status;
	struct query commit = query_begin(&s->writer, SQL_COMMIT);
	return query_run(&commit, err);
}

/* err is why; what goes wrong on the way back has nothing to add. */
static void roll_back(struct store_sqlite *s)
{
	struct query query = query_begin(&s->writer, SQL_ROLLBACK);
	struct err ignored;

	if (!sqlite3_get_autocommit(s->writer.db))
		query_run(&query, &ignored);
}

enum status store_sqlite_apply(struct store *store, struct store_op *const *ops, size_t n_ops,
			       struct err *err)
{
	struct store_sqlite *s = (struct store_sqlite *)store;
	struct query begin = query_begin(&s->writer, SQL_BEGIN);
	struct err fault;
	enum status status = query_run(&begin, &fault);

	if (status == STATUS_OK)
		status = apply_all(s, ops, n_ops, &fault);
	atomic_store(&s->write_failed, status != STATUS_OK);
	if (status != STATUS_OK) {
		roll_back(s);
		for (size_t i = 0; i < n_ops; i++)
			ops[i]->err = fault;
		return err_set(err, status, "%s", fault.msg);
	}
	if (s->checkpoint_due)
		store_sqlite_checkpoint(s);
	return STATUS_OK;
}

void store_sqlite_checkpoint(struct store_sqlite *s)
{
	sqlite3 *db = s->writer.db;

	sqlite3_busy_timeout(db, CHECKPOINT_WAIT_MS);
	s->checkpoint_due = sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL,
						      NULL) != SQLITE_OK;
	sqlite3_busy_timeout(db, (int)s->busy_timeout_ms);
}
