/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sqlite_apply.c - learning steps and deletions, many in one transaction.
 *
 * A step is computed in memory before its first write, so an operation that
 * fails by itself has written nothing, and whatever fails later fails the
 * transaction.
 */
#include <stdio.h>
#include <string.h>

#include "core/math/logmath.h"
#include "core/model/hedge.h"
#include "core/model/mixture.h"
#include "server/store_sqlite_batch.h"

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
			       "a pair of %zu bytes to keep, want at most %zu", strlen(f->input),
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

/* The row of user and id that the query, bound as far as they are, may have. */
static enum status find_row(struct query *query, struct store_feedback *f, struct err *err)
{
	enum status status;
	bool found;

	query_text(query, f->user);
	query_text(query, f->event_id);
	status = query_step(query, &found, err);
	if (status == STATUS_OK && found)
		status = repeat_answer(query, f, err);
	query_end(query);
	return status;
}

enum status store_sqlite_find_event(struct store_sqlite *s, struct store_feedback *f, int64_t key,
				    struct err *err)
{
	enum status status = STATUS_OK;
	uint32_t at = 0;

	while (status == STATUS_OK && !f->duplicate_out &&
	       (at = recent_find(&s->recent, key, at)) != 0) {
		struct query query = query_begin(&s->writer, SQL_FIND_RECENT);

		query_int(&query, s->recent.event[at - 1].seq);
		status = find_row(&query, f, err);
	}
	if (status != STATUS_OK || f->duplicate_out)
		return status;
	struct query query = query_begin(&s->writer, SQL_FIND_EVENT);
	query_int(&query, key);
	return find_row(&query, f, err);
}

/* model_out: its row, 0 if it has none yet. */
static enum status find_model(struct store_sqlite *s, const struct store_feedback *f,
			      int64_t *model_out, struct err *err)
{
	size_t n_heads;
	enum status status = store_sqlite_find_model(s, f->model_id, model_out, &n_heads, err);

	if (status == STATUS_OK && *model_out != 0 && n_heads != f->n_heads)
		return err_set(err, STATUS_STATE_CORRUPT,
			       "state %s: model %s has %zu heads there, want %zu", s->name,
			       f->model_id, n_heads, f->n_heads);
	return status;
}

static enum status find_learner(struct store_sqlite *s, const struct store_feedback *f,
				const char *context, struct learner **learner_out, struct err *err)
{
	const struct state_key key = {f->user, context, f->model_id};
	enum status status = store_sqlite_take_learner(s, &key, f->n_heads, learner_out, err);

	return status == STATUS_OK ? batch_take(s, *learner_out, err) : status;
}

/* w = softmax(g(c,x) + s) */
static void weigh(const struct state_value *state, const struct store_feedback *f, double *w_out)
{
	mixture_log_weights(f->logits, state->log_weight, f->mask, f->n_heads, w_out);
	mixture_weights(w_out, f->n_heads, w_out);
}

static enum status answer(const struct state_value *state, struct store_feedback *f,
			  struct err *err)
{
	weigh(state, f, f->weights_out);
	if (!all_finite(f->weights_out, f->n_heads))
		return err_set(err, STATUS_NOT_FINITE, "a weight is not finite after this step");
	f->n_weights_out = f->n_heads;
	snprintf(f->model_id_out, sizeof(f->model_id_out), "%s", f->model_id);
	f->updates_out = state->updates;
	return STATUS_OK;
}

/* A learning step that was computed and is not staged yet. */
struct step {
	int64_t key;			      /* of the event */
	int64_t model;			      /* 0: it has no row yet */
	struct learner *overall, *in_context; /* the batch's; in_context NULL: no context */
	struct state_value *next_overall, *next_in_context;
};

static void drop_step(struct step *step)
{
	state_value_release(step->next_overall);
	state_value_release(step->next_in_context);
	*step = (struct step){0};
}

static enum status compute_step(struct store_sqlite *s, struct store_feedback *f, struct step *step,
				struct err *err)
{
	const struct learning learning = {s->next_seq,	  f->time_us,  f->n_heads, f->loss,
					  f->temperature, f->strength, f->drift};
	bool has_context = f->context[0] != '\0';
	enum status status = find_learner(s, f, "", &step->overall, err);

	if (status == STATUS_OK && has_context)
		status = find_learner(s, f, f->context, &step->in_context, err);
	if (status != STATUS_OK)
		return status;
	const struct state_value *overall = store_sqlite_state_of(step->overall);
	const struct state_value *before = overall;
	if (has_context && store_sqlite_state_of(step->in_context)->updates > 0)
		before = store_sqlite_state_of(step->in_context);
	if (f->before_out != NULL)
		weigh(before, f, f->before_out);
	status = store_sqlite_learn(overall, overall, &learning, &step->next_overall, err);
	if (status == STATUS_OK && has_context)
		status = store_sqlite_learn(store_sqlite_state_of(step->in_context), overall,
					    &learning, &step->next_in_context, err);
	return status == STATUS_OK
		   ? answer(has_context ? step->next_in_context : step->next_overall, f, err)
		   : status;
}

/* Everything of a learning step but the writes; drop_step() also after an error. */
static enum status take_step(struct store_sqlite *s, struct store_feedback *f, struct step *step,
			     struct err *err)
{
	enum status status = check_feedback(f, err);

	if (status != STATUS_OK)
		return status;
	step->key = recent_key(s->recent.hash_key, f->user, f->event_id);
	status = store_sqlite_find_event(s, f, step->key, err);
	if (status != STATUS_OK || f->duplicate_out)
		return status;
	status = find_model(s, f, &step->model, err);
	return status == STATUS_OK ? compute_step(s, f, step, err) : status;
}

enum status store_sqlite_add_event(struct store_sqlite *s, const char *user, int64_t key,
				   const struct store_event *event, int64_t model, struct err *err)
{
	struct query query = query_begin(&s->writer, SQL_ADD_EVENT);
	enum status status;

	query_int(&query, s->next_seq);
	query_text(&query, user);
	query_text(&query, event->id);
	query_text(&query, event->context);
	query_int(&query, model);
	query_int(&query, event->time_us);
	query_real(&query, event->temperature);
	query_real(&query, event->strength);
	query_real(&query, event->drift);
	query_bytes(&query, event->digest, STORE_DIGEST_LEN);
	query_bytes(&query, event->loss, event->n_heads * sizeof(double));
	query_bytes(&query, event->weights, event->n_heads * sizeof(double));
	query_int(&query, (int64_t)event->updates);
	query_text(&query, event->input);
	status = query_run(&query, err);
	if (status != STATUS_OK)
		return status;
	recent_add(&s->recent, key, s->next_seq++);
	s->batch.n_events++;
	return STATUS_OK;
}

static enum status add_event(struct store_sqlite *s, const struct store_feedback *f,
			     const struct step *step, struct err *err)
{
	struct store_event event = {
	    .id = f->event_id,
	    .context = f->context,
	    .time_us = f->time_us,
	    .temperature = f->temperature,
	    .strength = f->strength,
	    .drift = f->drift,
	    .n_heads = f->n_heads,
	    .loss = f->loss,
	    .weights = f->weights_out,
	    .updates = f->updates_out,
	    .input = f->input,
	};

	memcpy(event.digest, f->digest, STORE_DIGEST_LEN);
	return store_sqlite_add_event(s, f->user, step->key, &event, step->model, err);
}

/* The writes of a learning step. */
static enum status record_step(struct store_sqlite *s, const struct store_feedback *f,
			       struct step *step, struct err *err)
{
	enum status status = STATUS_OK;

	if (step->model == 0)
		status = store_sqlite_add_model(s, f->model_id, f->n_heads, &step->model, err);
	if (status == STATUS_OK)
		status = add_event(s, f, step, err);
	if (status != STATUS_OK)
		return status;
	store_sqlite_stage(step->overall, step->next_overall);
	if (step->in_context != NULL)
		store_sqlite_stage(step->in_context, step->next_in_context);
	step->next_overall = step->next_in_context = NULL;
	return STATUS_OK;
}

static enum status apply_feedback(struct store_sqlite *s, struct store_op *op, struct err *err)
{
	struct store_feedback *f = &op->feedback;
	struct step step = {0};
	enum status status = STATUS_OK;

	f->duplicate_out = false;
	if (take_step(s, f, &step, &op->err) != STATUS_OK) {
		/* SQLite may have rolled everything back: then it is not this operation's fault */
		if (sqlite3_get_autocommit(s->writer.db)) {
			*err = op->err;
			status = err->code;
		}
	} else if (!f->duplicate_out && !f->dry_run) {
		status = record_step(s, f, &step, err);
	}
	drop_step(&step);
	return status;
}

static enum status apply_op(struct store_sqlite *s, struct store_op *op, struct err *err)
{
	enum status status = STATUS_OK;

	op->err.code = STATUS_OK;
	switch (op->kind) {
	case STORE_FEEDBACK:
		if (s->batch.leaving[0] != '\0')
			status = store_sqlite_end_leaving(s, op->feedback.user, err);
		return status == STATUS_OK ? apply_feedback(s, op, err) : status;
	case STORE_DELETE_USER:
		return store_sqlite_delete_user(s, &op->delete_user, err);
	case STORE_IMPORT:
		status = store_sqlite_end_leaving(s, op->import.user, err);
		return status == STATUS_OK ? store_sqlite_import(s, op, err) : status;
	case STORE_EXPIRE:
		return store_sqlite_expire(s, op->expire, err);
	}
	return err_set(err, STATUS_INTERNAL, "an operation of an unknown kind");
}

/* Everything of a transaction that is begun; a failure here fails all of it. */
static enum status apply_all(struct store_sqlite *s, struct store_op *const *ops, size_t n_ops,
			     struct err *err)
{
	enum status status = STATUS_OK;

	for (size_t i = 0; i < n_ops && status == STATUS_OK; i++)
		status = apply_op(s, ops[i], err);
	/* what is frozen may be of a user who is deleted here */
	if (status == STATUS_OK && s->batch.n_deleted == 0)
		status = fold_write(s, s->batch.n_events, err);
	return status == STATUS_OK ? batch_commit(s, err) : status;
}

static enum status apply(struct store_sqlite *s, struct store_op *const *ops, size_t n_ops,
			 struct err *err)
{
	enum status status = fold_begin(s, err);

	if (status == STATUS_OK)
		status = batch_begin(s, n_ops, err);
	if (status != STATUS_OK)
		return status;
	status = store_sqlite_begin(s, err);
	if (status == STATUS_OK)
		status = apply_all(s, ops, n_ops, err);
	if (status == STATUS_OK) {
		fold_end(s);
	} else {
		store_sqlite_roll_back(s);
		fold_cancel(s);
		batch_cancel(s);
	}
	atomic_store_explicit(&s->n_recent, s->recent.n, memory_order_relaxed);
	return status;
}

enum status store_sqlite_apply(struct store *store, struct store_op *const *ops, size_t n_ops,
			       struct err *err)
{
	struct store_sqlite *s = (struct store_sqlite *)store;
	struct err fault;
	enum status status = apply(s, ops, n_ops, &fault);

	atomic_store(&s->write_failed, status != STATUS_OK);
	if (status != STATUS_OK) {
		for (size_t i = 0; i < n_ops; i++)
			ops[i]->err = fault;
		return err_set(err, status, "%s", fault.msg);
	}
	if (s->checkpoint_due)
		store_sqlite_checkpoint(s);
	return STATUS_OK;
}

enum status store_sqlite_begin(struct store_sqlite *s, struct err *err)
{
	struct query query = query_begin(&s->writer, SQL_BEGIN);

	return query_run(&query, err);
}

enum status store_sqlite_commit(struct store_sqlite *s, struct err *err)
{
	struct query query = query_begin(&s->writer, SQL_COMMIT);

	return query_run(&query, err);
}

/* What goes wrong on the way back has nothing to add to why. */
void store_sqlite_roll_back(struct store_sqlite *s)
{
	struct query query = query_begin(&s->writer, SQL_ROLLBACK);
	struct err ignored;

	if (!sqlite3_get_autocommit(s->writer.db))
		query_run(&query, &ignored);
}

void store_sqlite_checkpoint(struct store_sqlite *s)
{
	sqlite3 *db = s->writer.db;

	sqlite3_busy_timeout(db, CHECKPOINT_WAIT_MS);
	s->checkpoint_due = sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL,
						      NULL) != SQLITE_OK;
	sqlite3_busy_timeout(db, (int)s->busy_timeout_ms);
}
