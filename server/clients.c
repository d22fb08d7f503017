/* SPDX-License-Identifier: Apache-2.0 */
#include "server/clients.h"

#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <utlist.h>

static struct client **list_of(struct clients *clients, const struct client *client)
{
	return client->phase == CLIENT_IDLE ? &clients->idle : &clients->busy;
}

/* NULL: its phase is not counted. */
static atomic_size_t *counter_of(struct clients *clients, const struct client *client)
{
	if (client->phase == CLIENT_IDLE)
		return &clients->n_idle;
	return client->phase == CLIENT_ENDED ? &clients->n_ended : NULL;
}

static void note_idlest(struct clients *clients)
{
	if (clients->idle != NULL)
		atomic_store_explicit(&clients->idlest_since, clients->idle->since,
				      memory_order_relaxed);
}

/* As the newest of its list. */
static void append(struct clients *clients, struct client *client)
{
	struct client **list = list_of(clients, client);
	atomic_size_t *counter = counter_of(clients, client);

	DL_APPEND(*list, client);
	if (counter != NULL)
		atomic_fetch_add(counter, 1);
	note_idlest(clients);
}

static void take_out(struct clients *clients, struct client *client)
{
	struct client **list = list_of(clients, client);
	atomic_size_t *counter = counter_of(clients, client);

	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is on the list of its phase */
	DL_DELETE(*list, client);
	if (counter != NULL)
		atomic_fetch_sub(counter, 1);
	note_idlest(clients);
}

void clients_add(struct clients *clients, struct client *client, int fd, double now)
{
	client->fd = fd;
	client->phase = CLIENT_IDLE;
	client->since = now;
	append(clients, client);
}

void clients_remove(struct clients *clients, struct client *client)
{
	take_out(clients, client);
}

void clients_enter(struct clients *clients, struct client *client, enum client_phase phase,
		   double now)
{
	take_out(clients, client);
	client->phase = phase;
	client->since = now;
	append(clients, client);
}

size_t clients_count_idle(struct clients *clients, double before)
{
	size_t n = atomic_load(&clients->n_idle);

	return atomic_load(&clients->idlest_since) < before ? n : 0;
}

size_t clients_count_ended(struct clients *clients)
{
	return atomic_load(&clients->n_ended);
}

/* The thread that serves it finds its end, and removes it. */
static void end(struct clients *clients, struct client *client, double now)
{
	shutdown(client->fd, SHUT_RDWR);
	clients_enter(clients, client, CLIENT_ENDED, now);
}

/* A request may have come that nobody has looked at. */
static bool has_unread(const struct client *client)
{
	int n = 0;

	return ioctl(client->fd, FIONREAD, &n) == 0 && n > 0;
}

size_t clients_end_idlest(struct clients *clients, size_t n, double now)
{
	struct client *client, *next;
	size_t n_ended = 0;

	DL_FOREACH_SAFE(clients->idle, client, next)
	{
		if (n_ended == n || now - client->since < CLIENT_GRACE_SECONDS)
			break;
		if (has_unread(client))
			continue;
		end(clients, client, now);
		n_ended++;
	}
	return n_ended;
}

/* Of one list, whose oldest are first. */
static size_t end_older(struct clients *clients, struct client *list, double limit, double now)
{
	struct client *client, *next;
	size_t n_ended = 0;

	DL_FOREACH_SAFE(list, client, next)
	{
		if (now - client->since <= limit)
			break;
		if (client->phase == CLIENT_WAITING || client->phase == CLIENT_ENDED)
			continue;
		end(clients, client, now);
		n_ended++;
	}
	return n_ended;
}

size_t clients_end_slow(struct clients *clients, const struct client_limits *limits, double now)
{
	/* the busy first: an ended one becomes one of them */
	return end_older(clients, clients->busy, limits->busy, now) +
	       end_older(clients, clients->idle, limits->idle, now);
}
