/* SPDX-License-Identifier: Apache-2.0 */
/* store_sqlite_learner.c - what the writer knows of models and states, from memory or their rows,
 * and the step that a state takes. */
#include <stdio.h>
#include <string.h>

#include "core/model/hedge.h"
#include "server/store_sqlite_batch.h"

enum status store_sqlite_find_model(struct store_sqlite *s, const char *model_id,
				    int64_t *model_out, size_t *n_heads_out, struct err *err)
{
	struct known_model *known = &s->model;
	struct query query;
	enum status status = STATUS_OK;
	bool found;

	if (known->model == 0 || strcmp(known->id, model_id) != 0) {
		known->model = 0;
		query = query_begin(&s->writer, SQL_FIND_MODEL);
		query_text(&query, model_id);
		status = query_step(&query, &found, err);
		if (status == STATUS_OK && found)
			status = query_n_heads(&query, 1, &known->n_heads, err);
		if (status == STATUS_OK && found) {
			known->model = sqlite3_column_int64(query.stmt, 0);
			snprintf(known->id, sizeof(known->id), "%s", model_id);
		}
		query_end(&query);
	}
	*model_out = known->model;
	*n_heads_out = known->n_heads;
	return status;
}

enum status store_sqlite_add_model(struct store_sqlite *s, const char *model_id, size_t n_heads,
				   int64_t *model_out, struct err *err)
{
	struct query query = query_begin(&s->writer, SQL_ADD_MODEL);
	enum status status;

	query_text(&query, model_id);
	query_int(&query, (int64_t)n_heads);
	status = query_run(&query, err);
	*model_out = sqlite3_last_insert_rowid(s->writer.db);
	return status;
}

/* The row of a state, or that there is none. */
static enum status read_row(struct store_sqlite *s, const struct state_key *key, int64_t model,
			    size_t n_heads, struct state_value *value, struct err *err)
{
	struct query query = query_begin(&s->writer, SQL_FIND_STATE);
	enum status status;
	bool found;

	query_text(&query, key->user);
	query_text(&query, key->context);
	query_int(&query, model);
	status = query_step(&query, &found, err);
	if (status == STATUS_OK && found) {
		value->updates = (uint64_t)sqlite3_column_int64(query.stmt, 1);
		value->updated_us = sqlite3_column_int64(query.stmt, 2);
		value->seq = sqlite3_column_int64(query.stmt, 3);
		status = query_doubles(&query, 0, n_heads, value->log_weight, err);
	}
	query_end(&query);
	return status;
}

/* Another thread may have brought back, from before it, what this transaction deletes. */
static enum status distrust(struct store_sqlite *s, struct learner *learner, struct err *err)
{
	struct state_value *absent;

	if (learner->staged != NULL || !batch_has_deleted(s, learner->user))
		return STATUS_OK;
	absent = state_value_new(0);
	if (absent == NULL) {
		state_cache_release(s->cache, learner);
		return err_no_memory(err, "a state");
	}
	store_sqlite_stage(learner, absent);
	return STATUS_OK;
}

static enum status add_learner(struct store_sqlite *s, const struct state_key *key,
			       struct state_value *value, struct learner **learner_out,
			       struct err *err)
{
	bool deleted = batch_has_deleted(s, key->user);

	/* that the user is deleted is not true for others before COMMIT */
	*learner_out = state_cache_add(s->cache, key, deleted ? NULL : value);
	if (deleted && *learner_out != NULL)
		(*learner_out)->staged = value;
	else if (deleted)
		state_value_release(value);
	return *learner_out == NULL ? err_no_memory(err, "a state") : STATUS_OK;
}

enum status store_sqlite_take_learner(struct store_sqlite *s, const struct state_key *key,
				      size_t n_heads, struct learner **learner_out, struct err *err)
{
	struct state_value *value;
	enum status status;
	int64_t model;
	size_t n;

	*learner_out = state_cache_take(s->cache, key);
	if (*learner_out != NULL)
		return distrust(s, *learner_out, err);
	status = store_sqlite_find_model(s, key->model_id, &model, &n, err);
	if (status != STATUS_OK)
		return status;
	value = state_value_new(n_heads);
	if (value == NULL)
		return err_no_memory(err, "a state");
	if (model != 0)
		status = read_row(s, key, model, n_heads, value, err);
	if (status == STATUS_OK)
		return add_learner(s, key, value, learner_out, err);
	state_value_release(value);
	return status;
}

enum status store_sqlite_learn(const struct state_value *now, const struct state_value *begin,
			       const struct learning *step, struct state_value **next_out,
			       struct err *err)
{
	struct state_value *next = state_value_new(step->n_heads);
	enum status status;

	*next_out = next;
	if (next == NULL)
		return err_no_memory(err, "a state");
	if (now->updates > 0)
		begin = now;
	if (begin->updates > 0)
		memcpy(next->log_weight, begin->log_weight, step->n_heads * sizeof(double));
	else
		hedge_start(next->log_weight, step->n_heads);
	status = hedge_update(next->log_weight, step->loss, step->n_heads, step->temperature,
			      step->strength, err);
	if (status == STATUS_OK && step->drift > 0)
		hedge_share(next->log_weight, step->n_heads, step->drift);
	next->updates = now->updates + 1;
	next->updated_us = step->time_us;
	next->seq = step->seq;
	return status;
}

void store_sqlite_stage(struct learner *learner, struct state_value *next)
{
	state_value_release(learner->staged);
	learner->staged = next;
}
