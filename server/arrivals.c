/* SPDX-License-Identifier: Apache-2.0 */
#include "server/arrivals.h"

#include <string.h>
#include <unistd.h>

#include <utlist.h>

#include "core/base/mem.h"

void arrivals_open(struct arrivals *arrivals)
{
	pthread_mutex_init(&arrivals->lock, NULL);
	arrivals->first = NULL;
}

void arrivals_close(struct arrivals *arrivals)
{
	struct arrival *arrival, *next;

	LL_FOREACH_SAFE(arrivals->first, arrival, next)
	{
		close(arrival->fd);
		mem_free(arrival);
	}
	pthread_mutex_destroy(&arrivals->lock);
}

bool arrivals_add(struct arrivals *arrivals, int fd, const struct sockaddr *address, socklen_t len)
{
	struct arrival *arrival = mem_array(1, sizeof(*arrival));

	if (arrival == NULL || len > sizeof(arrival->address)) {
		mem_free(arrival);
		close(fd);
		return false;
	}
	arrival->fd = fd;
	arrival->len = len;
	memcpy(&arrival->address, address, len);
	pthread_mutex_lock(&arrivals->lock);
	LL_PREPEND(arrivals->first, arrival);
	pthread_mutex_unlock(&arrivals->lock);
	return true;
}

struct arrival *arrivals_take(struct arrivals *arrivals)
{
	struct arrival *first;

	pthread_mutex_lock(&arrivals->lock);
	first = arrivals->first;
	arrivals->first = NULL;
	pthread_mutex_unlock(&arrivals->lock);
	return first;
}
