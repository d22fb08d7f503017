/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store_sqlite_batch.h"

#include <string.h>

#include "core/base/mem.h"

/* Room in an array of pointers; *array stays valid without it. */
static enum status reserve(void **array, size_t n, size_t *capacity, size_t n_more, struct err *err)
{
	size_t wanted = *capacity == 0 ? 64 : *capacity;
	void *grown;

	if (n_more <= *capacity - n)
		return STATUS_OK;
	while (wanted - n < n_more)
		wanted *= 2;
	grown = mem_grow(*array, n, wanted, sizeof(void *));
	if (grown == NULL)
		return err_no_memory(err, "a transaction");
	*array = grown;
	*capacity = wanted;
	return STATUS_OK;
}

static enum status reserve_taken(struct batch *batch, size_t n_more, struct err *err)
{
	void *taken = batch->taken;
	enum status status = reserve(&taken, batch->n_taken, &batch->capacity, n_more, err);

	batch->taken = taken;
	return status;
}

static enum status reserve_deleted(struct batch *batch, size_t n_more, struct err *err)
{
	void *deleted = batch->deleted;
	enum status status =
	    reserve(&deleted, batch->n_deleted, &batch->deleted_capacity, n_more, err);

	batch->deleted = deleted;
	return status;
}

enum status batch_begin(struct store_sqlite *s, size_t n_ops, struct err *err)
{
	struct batch *batch = &s->batch;
	enum status status = recent_reserve(&s->recent, n_ops, err);

	batch->n_taken = batch->n_deleted = batch->n_events = batch->n_changes = 0;
	batch->n_ops = n_ops;
	strcpy(batch->leaving, s->leaving);
	batch->n_recent = s->recent.n;
	batch->first_seq = s->next_seq;
	if (status == STATUS_OK)
		status = reserve_taken(batch, 2 * n_ops, err);
	if (status == STATUS_OK)
		status = reserve_deleted(batch, n_ops, err);
	/* states that a deletion changes are not counted here: they are let go, not folded */
	return status == STATUS_OK ? batch_expect(s, 2 * n_ops, err) : status;
}

enum status batch_expect(struct store_sqlite *s, size_t n_states, struct err *err)
{
	s->batch.n_changes += n_states;
	return fold_reserve(&s->fold, s->batch.n_changes, err);
}

enum status batch_expect_events(struct store_sqlite *s, size_t n_events, struct err *err)
{
	/* and of each operation after it one more */
	return recent_reserve(&s->recent, n_events + s->batch.n_ops, err);
}

enum status batch_take(struct store_sqlite *s, struct learner *learner, struct err *err)
{
	enum status status = reserve_taken(&s->batch, 1, err);

	if (status == STATUS_OK)
		s->batch.taken[s->batch.n_taken++] = learner;
	else
		state_cache_release(s->cache, learner);
	return status;
}

/* Stage that there is no such state. */
static enum status stage_absence(struct learner *learner, struct err *err)
{
	struct state_value *absent = state_value_new(0);

	if (absent == NULL)
		return err_no_memory(err, "a deletion");
	store_sqlite_stage(learner, absent);
	return STATUS_OK;
}

enum status batch_delete(struct store_sqlite *s, const char *user, struct err *err)
{
	struct learner **learners;
	size_t n;
	enum status status = state_cache_take_user(s->cache, user, &learners, &n, err);

	if (status != STATUS_OK)
		return status;
	status = reserve_taken(&s->batch, n, err);
	if (status == STATUS_OK)
		status = reserve_deleted(&s->batch, 1, err);
	for (size_t i = 0; i < n; i++) {
		if (status != STATUS_OK) {
			state_cache_release(s->cache, learners[i]);
			continue;
		}
		s->batch.taken[s->batch.n_taken++] = learners[i];
		status = stage_absence(learners[i], err);
	}
	mem_free(learners);
	if (status == STATUS_OK)
		s->batch.deleted[s->batch.n_deleted++] = user;
	return status;
}

bool batch_has_deleted(const struct store_sqlite *s, const char *user)
{
	for (size_t i = 0; i < s->batch.n_deleted; i++) {
		if (strcmp(s->batch.deleted[i], user) == 0)
			return true;
	}
	return false;
}

static void publish_deletions(struct store_sqlite *s)
{
	struct batch *batch = &s->batch;

	if (batch->n_deleted == 0)
		return;
	recent_end_deletion(&s->recent, true);
	for (size_t i = 0; i < batch->n_taken; i++) {
		if (batch_has_deleted(s, batch->taken[i]->user))
			fold_forget(s, batch->taken[i]);
	}
	for (size_t i = 0; i < batch->n_deleted; i++)
		state_cache_forget(s->cache, batch->deleted[i]);
}

static void publish_states(struct store_sqlite *s)
{
	struct batch *batch = &s->batch;

	for (size_t i = 0; i < batch->n_taken; i++) {
		struct learner *learner = batch->taken[i];

		if (learner->staged == NULL)
			continue;
		state_cache_publish(s->cache, learner);
		/* what is not there any more has no row either */
		if (learner->value->updates > 0)
			fold_note(s, learner);
	}
}

static void release(struct store_sqlite *s)
{
	for (size_t i = 0; i < s->batch.n_taken; i++)
		state_cache_release(s->cache, s->batch.taken[i]);
	s->batch.n_taken = s->batch.n_deleted = 0;
}

void batch_publish(struct store_sqlite *s)
{
	strcpy(s->leaving, s->batch.leaving);
	publish_deletions(s);
	publish_states(s);
	release(s);
}

enum status batch_commit(struct store_sqlite *s, struct err *err)
{
	bool deletes = s->batch.n_deleted > 0;
	enum status status;

	/* nobody reads a user who is gone from the tables and not yet from the cache */
	if (deletes)
		pthread_mutex_lock(&s->publishing);
	status = store_sqlite_commit(s, err);
	if (status == STATUS_OK) {
		if (!deletes)
			pthread_mutex_lock(&s->publishing);
		batch_publish(s);
		pthread_mutex_unlock(&s->publishing);
	} else if (deletes) {
		pthread_mutex_unlock(&s->publishing);
	}
	return status;
}

void batch_cancel(struct store_sqlite *s)
{
	struct batch *batch = &s->batch;

	for (size_t i = 0; i < batch->n_taken; i++) {
		state_value_release(batch->taken[i]->staged);
		batch->taken[i]->staged = NULL;
	}
	if (batch->n_deleted > 0)
		recent_end_deletion(&s->recent, false);
	release(s);
	recent_take_back(&s->recent, batch->n_recent);
	s->next_seq = batch->first_seq;
	/* it may be one that was added */
	s->model.model = 0;
}

void batch_close(struct store_sqlite *s)
{
	mem_free(s->batch.taken);
	mem_free(s->batch.deleted);
}
