/* SPDX-License-Identifier: Apache-2.0 */
/* arrivals.h - connections on their way from who accepts them to the thread that serves them. */
#ifndef MICRO_SERVER_ARRIVALS_H
#define MICRO_SERVER_ARRIVALS_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>

struct arrival {
	int fd;
	socklen_t len;
	struct sockaddr_storage address; /* [len]: the client's */
	struct arrival *next;
};

/* Any thread may add. */
struct arrivals {
	pthread_mutex_t lock; /* guards first */
	struct arrival *first;
};

/** arrivals_open(arrivals), arrivals_close(arrivals): the latter closes the sockets of those that
 * nobody took. */
void arrivals_open(struct arrivals *arrivals);
void arrivals_close(struct arrivals *arrivals);

/** arrivals_add(arrivals, fd, address, len): owns fd; false: there was no memory for it, and it is
 * closed. */
bool arrivals_add(struct arrivals *arrivals, int fd, const struct sockaddr *address, socklen_t len);

/** arrivals_take(arrivals): all that have come, a list; the caller serves the socket of each, and
 * frees it with mem_free(). */
struct arrival *arrivals_take(struct arrivals *arrivals);

#endif
