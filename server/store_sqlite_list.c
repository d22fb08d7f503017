/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sqlite_list.c - who is stored, a page at a time: those of the table of states, and those
 * of the recent events, who may have no row there yet. In one read transaction, because a user
 * goes from the one to the other when events are folded.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "server/store_sqlite_impl.h"

/* One more than a page of each kind: so it is known whether there are more. */
struct listing {
	const char *after;
	size_t n_wanted;
	struct store_listed *users; /* [n], room for 2 * n_wanted */
	size_t n;
};

static enum status add_user(const struct query *row, struct listing *listing, struct err *err)
{
	struct store_listed *listed = &listing->users[listing->n];
	enum status status = query_user(row, 0, listed->user, err);

	if (status != STATUS_OK)
		return status;
	listed->n_events = (uint64_t)sqlite3_column_int64(row->stmt, 1);
	listed->updated_us = sqlite3_column_int64(row->stmt, 2);
	listing->n++;
	return STATUS_OK;
}

/* The sum over no rows is NULL: nobody is left. */
static enum status add_next(struct conn *conn, struct listing *listing, bool *found_out,
			    struct err *err)
{
	struct query query = query_begin(conn, SQL_LIST_STATES);
	enum status status;

	query_text(&query, listing->n == 0 ? listing->after : listing->users[listing->n - 1].user);
	status = query_step(&query, found_out, err);
	*found_out = *found_out && sqlite3_column_type(query.stmt, 0) != SQLITE_NULL;
	if (status == STATUS_OK && *found_out)
		status = add_user(&query, listing, err);
	query_end(&query);
	return status;
}

static enum status add_stored(struct conn *conn, struct listing *listing, struct err *err)
{
	enum status status = STATUS_OK;
	bool found = true;

	while (status == STATUS_OK && found && listing->n < listing->n_wanted)
		status = add_next(conn, listing, &found, err);
	return status;
}

/* Whoever comes after the last of a full page is not on it. */
static enum status add_recent(struct conn *conn, struct listing *listing, struct err *err)
{
	const char *last =
	    listing->n < listing->n_wanted ? NULL : listing->users[listing->n - 1].user;
	struct query query = query_begin(conn, SQL_LIST_RECENT);
	enum status status = STATUS_OK;
	bool found = true;

	query_text(&query, listing->after);
	query_text(&query, last);
	query_int(&query, (int64_t)listing->n_wanted);
	while (status == STATUS_OK && found) {
		status = query_step(&query, &found, err);
		if (status == STATUS_OK && found)
			status = add_user(&query, listing, err);
	}
	query_end(&query);
	return status;
}

static int compare_users(const void *a, const void *b)
{
	return strcmp(((const struct store_listed *)a)->user,
		      ((const struct store_listed *)b)->user);
}

static void merge(struct listing *listing)
{
	size_t n = 0;

	qsort(listing->users, listing->n, sizeof(*listing->users), compare_users);
	for (size_t i = 0; i < listing->n; i++) {
		struct store_listed *last = n == 0 ? NULL : &listing->users[n - 1];
		const struct store_listed *next = &listing->users[i];

		if (last == NULL || strcmp(last->user, next->user) != 0) {
			listing->users[n++] = *next;
			continue;
		}
		last->n_events += next->n_events;
		if (last->updated_us < next->updated_us)
			last->updated_us = next->updated_us;
	}
	listing->n = n;
}

static enum status list(struct conn *conn, struct listing *listing, struct err *err)
{
	enum status status = conn_exec(conn, "BEGIN", err);
	struct err ignored;

	if (status != STATUS_OK)
		return status;
	status = add_stored(conn, listing, err);
	if (status == STATUS_OK)
		status = add_recent(conn, listing, err);
	/* nothing was written */
	conn_exec(conn, "ROLLBACK", &ignored);
	merge(listing);
	return status;
}

enum status store_sqlite_list_users(struct store *store, const char *after, size_t n_max,
				    struct store_listed *users_out, size_t *n_out, bool *more_out,
				    struct err *err)
{
	struct store_sqlite *s = (struct store_sqlite *)store;
	struct listing listing = {
	    .after = after,
	    .n_wanted = n_max + 1,
	    .users = mem_array(n_max + 1, 2 * sizeof(*listing.users)),
	};
	struct conn *conn;
	enum status status = STATUS_OK;

	*n_out = 0;
	*more_out = false;
	if (listing.users == NULL)
		return err_no_memory(err, "a list of users");
	status = readers_take(&s->readers, &conn, err);
	if (status == STATUS_OK) {
		status = list(conn, &listing, err);
		readers_give(&s->readers, conn);
	}
	if (status == STATUS_OK) {
		*more_out = listing.n > n_max;
		*n_out = *more_out ? n_max : listing.n;
		memcpy(users_out, listing.users, *n_out * sizeof(*users_out));
	}
	mem_free(listing.users);
	return status;
}
