/* SPDX-License-Identifier: Apache-2.0 */
#include "server/in_progress.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include <utlist.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all lists */

bool in_progress_enter(struct in_progress *list, struct in_progress_entry *entry, const char *user,
		       const char *key)
{
	struct in_progress_entry *other;

	entry->user = user;
	entry->key = key;
	pthread_mutex_lock(&lock);
	/* most keys differ early, and most users have one */
	DL_FOREACH(list->first, other)
	{
		if (strcmp(other->key, key) == 0 && strcmp(other->user, user) == 0)
			break;
	}
	if (other == NULL)
		DL_APPEND(list->first, entry);
	else
		entry->key = NULL;
	pthread_mutex_unlock(&lock);
	return other == NULL;
}

void in_progress_leave(struct in_progress *list, struct in_progress_entry *entry)
{
	if (entry->key == NULL)
		return;
	pthread_mutex_lock(&lock);
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is on the list */
	DL_DELETE(list->first, entry);
	pthread_mutex_unlock(&lock);
	entry->key = NULL;
}
