/* SPDX-License-Identifier: Apache-2.0 */
/* service_users.c - what is stored, and of whom. */
#include <string.h>

#include "core/math/logmath.h"
#include "core/model/mixture.h"
#include "server/service.h"

enum status service_read_user(const struct service *service, const char *user, const char *context,
			      struct arena *arena, struct user_view *view_out, struct err *err)
{
	*view_out = (struct user_view){.user = user};

	struct store_user *stored = &view_out->stored;
	enum status status = store_read_user(service->store, user, context, stored, err);

	if (status != STATUS_OK)
		return status;
	view_out->weights = arena_array(arena, stored->n_states, sizeof(*view_out->weights));
	if (view_out->weights == NULL)
		return err_no_memory(err, "a user");
	for (size_t i = 0; i < stored->n_states; i++) {
		const struct store_state *state = &stored->states[i];
		double *weight = arena_array(arena, state->n_heads, sizeof(*weight));

		if (weight == NULL)
			return err_no_memory(err, "a user");
		memcpy(weight, state->log_weight, state->n_heads * sizeof(*weight));
		log_softmax(weight, state->n_heads);
		mixture_weights(weight, state->n_heads, weight);
		if (!all_finite(weight, state->n_heads))
			return err_set(err, STATUS_STATE_CORRUPT,
				       "a stored log-weight is not finite");
		view_out->weights[i] = weight;
	}
	return STATUS_OK;
}

void service_free_user(struct user_view *view)
{
	store_user_free(&view->stored);
}

enum status service_list_users(const struct service *service, const struct page *page,
			       struct arena *arena, struct user_list *list_out, struct err *err)
{
	struct store_listed *users = arena_array(arena, page->limit, sizeof(*users));
	char cursor[PAGE_CURSOR_LEN + 1];
	bool more;
	enum status status;

	*list_out = (struct user_list){.users = users};
	if (users == NULL)
		return err_no_memory(err, "a list of users");
	status = store_list_users(service->store, page->after, page->limit, users,
				  &list_out->n_users, &more, err);
	if (status != STATUS_OK || !more)
		return status;
	page_cursor(users[list_out->n_users - 1].user, cursor);
	list_out->next_cursor = arena_string(arena, cursor, strlen(cursor));
	return list_out->next_cursor == NULL ? err_no_memory(err, "a list of users") : STATUS_OK;
}
