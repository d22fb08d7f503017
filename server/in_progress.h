/* SPDX-License-Identifier: Apache-2.0 */
/*
 * in_progress.h - the Idempotency-Keys of requests that are not answered yet: a second request with
 * one of them is told 409 (draft-ietf-httpapi-idempotency-key-header-07).
 */
#ifndef MICRO_SERVER_IN_PROGRESS_H
#define MICRO_SERVER_IN_PROGRESS_H

#include <stdbool.h>

/* One of them; the caller's. Zeroed: it is not on the list. */
struct in_progress_entry {
	const char *user, *key;
	struct in_progress_entry *prev, *next;
};

/* As many as there are such requests at once, at most one of each connection. Zeroed: none. */
struct in_progress {
	struct in_progress_entry *first;
};

/** in_progress_enter(list, entry, user, key): false: the key of this user is there already. The
 * texts live until in_progress_leave(). Any thread. */
bool in_progress_enter(struct in_progress *list, struct in_progress_entry *entry, const char *user,
		       const char *key);

/** in_progress_leave(list, entry): before its answer is sent; nothing if it is not there. */
void in_progress_leave(struct in_progress *list, struct in_progress_entry *entry);

#endif
