/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store.h"

#include "core/base/mem.h"

enum status store_apply(struct store *store, struct store_op *const *ops, size_t n_ops,
			struct err *err)
{
	return store->ops->apply(store, ops, n_ops, err);
}

enum status store_read_state(struct store *store, const char *user, const char *context,
			     const char *model_id, size_t n_heads, double *log_weight_out,
			     uint64_t *updates_out, struct err *err)
{
	return store->ops->read_state(store, user, context, model_id, n_heads, log_weight_out,
				      updates_out, err);
}

enum status store_read_user(struct store *store, const char *user, const char *context,
			    struct store_user *user_out, struct err *err)
{
	return store->ops->read_user(store, user, context, user_out, err);
}

enum status store_list_users(struct store *store, const char *after, size_t n_max,
			     struct store_listed *users_out, size_t *n_out, bool *more_out,
			     struct err *err)
{
	return store->ops->list_users(store, after, n_max, users_out, n_out, more_out, err);
}

enum status store_export(struct store *store, const char *user, struct store_export **export_out,
			 struct err *err)
{
	return store->ops->export_user(store, user, export_out, err);
}

enum status store_export_next(struct store_export *export, struct store_record *record_out,
			      struct err *err)
{
	return export->ops->next(export, record_out, err);
}

void store_export_close(struct store_export *export)
{
	if (export != NULL)
		export->ops->close(export);
}

void store_state_free(struct store_state *state)
{
	mem_free(state->context);
	mem_free(state->model_id);
	mem_free(state->log_weight);
	*state = (struct store_state){0};
}

void store_user_free(struct store_user *user)
{
	for (size_t i = 0; i < user->n_states; i++)
		store_state_free(&user->states[i]);
	mem_free(user->states);
	*user = (struct store_user){0};
}

enum status store_check(struct store *store, struct err *err)
{
	return store->ops->check(store, err);
}

void store_stats(struct store *store, struct store_stats *stats_out)
{
	store->ops->stats(store, stats_out);
}

void store_close(struct store *store)
{
	if (store != NULL)
		store->ops->close(store);
}
