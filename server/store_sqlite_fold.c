/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store_sqlite_fold.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "server/store_sqlite_impl.h"

/* What a transaction folds at least, and how many events it folds for each new one: folding
 * ends before the next one is due. */
#define MIN_SLICE      16
#define WANTED_SLICE   512 /* the least while somebody waits for it */
#define FOLD_PER_EVENT 2

static void let_go(struct state_cache *cache, struct frozen_state *state)
{
	if (state->learner == NULL)
		return;
	state->learner->frozen_at = 0;
	state_value_release(state->value);
	state_cache_release(cache, state->learner);
	*state = (struct frozen_state){0};
}

void fold_close(struct fold *fold, struct state_cache *cache)
{
	for (size_t i = 0; i < fold->n_frozen; i++)
		let_go(cache, &fold->frozen[i]);
	for (size_t i = 0; i < fold->n_fresh; i++)
		state_cache_release(cache, fold->fresh[i]);
	mem_free(fold->fresh);
	mem_free(fold->frozen);
	*fold = (struct fold){0};
}

enum status fold_reserve(struct fold *fold, size_t n_more, struct err *err)
{
	size_t capacity = fold->capacity == 0 ? FOLD_EVENTS / 16 : fold->capacity;
	struct learner **fresh;

	if (n_more <= fold->capacity - fold->n_fresh)
		return STATUS_OK;
	while (capacity - fold->n_fresh < n_more)
		capacity *= 2;
	fresh = mem_grow(fold->fresh, fold->n_fresh, capacity, sizeof(struct learner *));
	if (fresh == NULL)
		return err_no_memory(err, "changed states");
	fold->fresh = fresh;
	fold->capacity = capacity;
	return STATUS_OK;
}

void fold_note(struct store_sqlite *s, struct learner *learner)
{
	struct fold *fold = &s->fold;

	if (learner->is_fresh)
		return;
	learner->is_fresh = true;
	state_cache_hold(s->cache, learner);
	fold->fresh[fold->n_fresh++] = learner;
	fold->fresh_bytes += learner->bytes;
}

static int compare_states(const void *a, const void *b)
{
	const struct learner *x = ((const struct frozen_state *)a)->learner;
	const struct learner *y = ((const struct frozen_state *)b)->learner;
	int order = strcmp(x->user, y->user);

	if (order == 0)
		order = strcmp(x->context, y->context);
	return order != 0 ? order : strcmp(x->model_id, y->model_id);
}

static enum status freeze(struct store_sqlite *s, struct err *err)
{
	struct fold *fold = &s->fold;
	struct frozen_state *frozen = mem_array(fold->n_fresh, sizeof(*frozen));

	if (frozen == NULL)
		return err_no_memory(err, "changed states");
	if (recent_freeze(&s->recent, err) != STATUS_OK) {
		mem_free(frozen);
		return err->code;
	}
	for (size_t i = 0; i < fold->n_fresh; i++) {
		struct learner *learner = fold->fresh[i];

		learner->is_fresh = false;
		frozen[i] = (struct frozen_state){learner, learner->value};
		learner->value->n_refs++;
	}
	qsort(frozen, fold->n_fresh, sizeof(*frozen), compare_states);
	for (size_t i = 0; i < fold->n_fresh; i++)
		frozen[i].learner->frozen_at = i + 1;
	fold->frozen = frozen;
	fold->n_frozen = fold->n_fresh;
	fold->n_fresh = fold->fresh_bytes = 0;
	fold->n_written = fold->next_written = fold->next_folded = 0;
	fold->frozen_seq = s->next_seq - 1;
	return STATUS_OK;
}

bool fold_is_due(const struct store_sqlite *s)
{
	return s->recent.n >= FOLD_EVENTS || s->fold.fresh_bytes >= s->fold.max_bytes ||
	       (s->fold.wanted && s->recent.n > 0);
}

enum status fold_begin(struct store_sqlite *s, struct err *err)
{
	if (s->fold.frozen != NULL || !fold_is_due(s))
		return STATUS_OK;
	return freeze(s, err);
}

enum status fold_put_state(struct store_sqlite *s, const struct learner *learner,
			   const struct state_value *value, struct err *err)
{
	size_t n_heads;
	int64_t model;
	enum status status = store_sqlite_find_model(s, learner->model_id, &model, &n_heads, err);

	if (status != STATUS_OK)
		return status;
	struct query query = query_begin(&s->writer, SQL_PUT_STATE);
	query_text(&query, learner->user);
	query_text(&query, learner->context);
	query_int(&query, model);
	query_bytes(&query, value->log_weight, value->n_heads * sizeof(double));
	query_int(&query, (int64_t)value->updates);
	query_int(&query, value->updated_us);
	query_int(&query, value->seq);
	return query_run(&query, err);
}

static enum status write_keys(struct store_sqlite *s, size_t end, struct err *err)
{
	const struct recent *recent = &s->recent;
	enum status status = STATUS_OK;

	for (size_t i = recent->n_folded; i < end && status == STATUS_OK; i++) {
		const struct recent_event *event = &recent->event[recent->order[i]];

		if (event->seq <= 0)
			continue;
		struct query query = query_begin(&s->writer, SQL_ADD_KEY);
		query_int(&query, event->key);
		query_int(&query, event->seq);
		status = query_run(&query, err);
	}
	s->fold.next_folded = end;
	return status;
}

/* To the end, and from there on to the end of a user. */
static enum status write_states(struct store_sqlite *s, size_t end, struct err *err)
{
	struct fold *fold = &s->fold;
	enum status status = STATUS_OK;
	size_t i;

	for (i = fold->n_written; i < fold->n_frozen && status == STATUS_OK; i++) {
		const struct frozen_state *state = &fold->frozen[i];

		if (i >= end && i > 0 && strcmp(state->learner->user, state[-1].learner->user) != 0)
			break;
		if (state->value != NULL && state->value->updates > 0)
			status = fold_put_state(s, state->learner, state->value, err);
	}
	fold->next_written = i;
	return status;
}

static enum status write_folded(struct store_sqlite *s, struct err *err)
{
	struct query query = query_begin(&s->writer, SQL_SET_FOLDED);

	query_int(&query, s->fold.frozen_seq);
	return query_run(&query, err);
}

/* As large a share of the states as of the keys, rounded up. */
static size_t share(size_t n_done, size_t n_all, size_t n_states)
{
	if (n_done >= n_all)
		return n_states;
	return (size_t)((double)n_done / (double)n_all * (double)n_states) + 1;
}

enum status fold_write(struct store_sqlite *s, size_t n_events, struct err *err)
{
	struct fold *fold = &s->fold;
	size_t n_keys = s->recent.n_frozen, end = n_keys;
	enum status status;

	if (fold->frozen == NULL)
		return STATUS_OK;
	if (n_events < n_keys / FOLD_PER_EVENT) {
		size_t slice = n_events * FOLD_PER_EVENT;
		size_t least = fold->wanted ? WANTED_SLICE : MIN_SLICE;

		end = s->recent.n_folded + (slice < least ? least : slice);
		end = end < n_keys ? end : n_keys;
	}
	status = write_keys(s, end, err);
	if (status == STATUS_OK)
		status = write_states(s, share(end, n_keys, fold->n_frozen), err);
	if (status == STATUS_OK && end == n_keys)
		status = write_folded(s, err);
	return status;
}

void fold_end(struct store_sqlite *s)
{
	struct fold *fold = &s->fold;

	if (fold->frozen == NULL)
		return;
	/* a learner leaves when its user's others do: write_states() looks at the one before */
	s->recent.n_folded = fold->next_folded;
	fold->n_written = fold->next_written;
	if (fold->next_folded < s->recent.n_frozen)
		return;
	for (size_t i = 0; i < fold->n_frozen; i++)
		let_go(s->cache, &fold->frozen[i]);
	mem_free(fold->frozen);
	fold->frozen = NULL;
	/* whoever waits for more of it says so again */
	fold->wanted = false;
	fold->n_frozen = fold->n_written = fold->next_written = fold->next_folded = 0;
	recent_drop_frozen(&s->recent);
	atomic_fetch_add_explicit(&s->n_folds, 1, memory_order_relaxed);
}

void fold_cancel(struct store_sqlite *s)
{
	s->fold.next_folded = s->recent.n_folded;
	s->fold.next_written = s->fold.n_written;
}

void fold_forget(struct store_sqlite *s, struct learner *learner)
{
	struct frozen_state *state;

	if (learner->frozen_at == 0)
		return;
	state = &s->fold.frozen[learner->frozen_at - 1];
	state_value_release(state->value);
	state->value = NULL;
}

static enum status fold_frozen(struct store_sqlite *s, struct err *err)
{
	enum status status = store_sqlite_begin(s, err);

	if (status == STATUS_OK)
		status = fold_write(s, SIZE_MAX, err);
	if (status == STATUS_OK)
		status = store_sqlite_commit(s, err);
	if (status == STATUS_OK) {
		fold_end(s);
		return STATUS_OK;
	}
	store_sqlite_roll_back(s);
	fold_cancel(s);
	return status;
}

enum status fold_all(struct store_sqlite *s, struct err *err)
{
	enum status status = STATUS_OK;

	while (status == STATUS_OK && (s->fold.frozen != NULL || s->recent.n > 0)) {
		if (s->fold.frozen == NULL)
			status = freeze(s, err);
		if (status == STATUS_OK)
			status = fold_frozen(s, err);
	}
	return status;
}
