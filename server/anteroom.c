/* SPDX-License-Identifier: Apache-2.0 */
#include "server/anteroom.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REFUSAL                                                                                    \
	"{\"error\":{\"message\":\"all connections are in use: try again later\","                 \
	"\"type\":\"overloaded_error\",\"param\":null,\"code\":\"overloaded\"}}"
#define ALIVE	  "{\"status\":\"ok\"}"
#define AT_ONCE	  (1u << 20)  /* bytes thrown away by one call */
#define HEAD_SIZE 1024	      /* of a request that is looked at */
#define WAIT_FOR  (64u << 10) /* bytes of a body: it fits into a socket's buffer */

void anteroom_init(struct anteroom *room, int epoll, bool encrypted, random_bytes_fn *random_bytes,
		   struct metrics *metrics)
{
	*room = (struct anteroom){
	    .epoll = epoll,
	    .encrypted = encrypted,
	    .random_bytes = random_bytes,
	    .metrics = metrics,
	};
	for (size_t i = 0; i < ANTEROOM_SIZE; i++)
		room->slots[i].fd = -1;
}

static void answer(const struct anteroom *room, const struct waiting *to, const char *status,
		   const char *body)
{
	char request_id[UUID_LEN + 1], text[512];
	int len;

	identifier_uuid(room->random_bytes, request_id);
	len = snprintf(text, sizeof(text),
		       "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
		       "X-Request-Id: %s\r\n%s\r\n%s",
		       status, strlen(body), request_id,
		       to->ask.may_stay ? "" : "Connection: close\r\n", body);
	/* an empty buffer takes it as a whole */
	(void)send(to->fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (!to->ask.may_stay)
		shutdown(to->fd, SHUT_WR);
}

/* Counted first, so that who is told finds it counted. Who is told no is still alive, and must
 * not be restarted for it. */
static void reply(struct anteroom *room, const struct waiting *to)
{
	if (to->ask.is_probe) {
		answer(room, to, "200 OK", ALIVE);
		return;
	}
	metrics_connections(room->metrics, to->why, 1);
	room->n_refused++;
	if (!room->encrypted)
		answer(room, to, "503 Service Unavailable\r\nRetry-After: 1", REFUSAL);
}

/* A header's value in a head that ends at end; NULL: none. */
static const char *value_of(const char *head, const char *end, const char *name)
{
	const char *found = strcasestr(head, name);

	return found == NULL || found >= end ? NULL : found + strlen(name);
}

/* Of a head with its end. */
static void measure(const char *head, const char *end, size_t n_unread, struct ask *ask)
{
	const char *length = value_of(head, end, "\r\nContent-Length:");
	const char *connection = value_of(head, end, "\r\nConnection:");
	const char *version = value_of(head, end, " HTTP/1.1\r\n");
	unsigned long long n_body = length == NULL ? 0 : strtoull(length, NULL, 10);

	if (n_body > WAIT_FOR || value_of(head, end, "\r\nTransfer-Encoding:") != NULL)
		return; /* so long, or who knows how long: not to be waited for */
	ask->n_bytes = (size_t)(end + 4 - head) + (size_t)n_body;
	ask->is_coming = n_unread < ask->n_bytes;
	ask->may_stay =
	    version != NULL && (connection == NULL || strncasecmp(connection, " close", 6) != 0);
}

/* false: the connection is at its end. */
static bool look_at(int fd, struct ask *ask_out)
{
	static const char *const probes[] = {"GET /livez ", "GET /v1/livez "};
	char head[HEAD_SIZE];
	ssize_t n = recv(fd, head, sizeof(head) - 1, MSG_PEEK | MSG_DONTWAIT);
	const char *end;
	int n_unread = 0;

	*ask_out = (struct ask){.has_begun = n > 0, .is_coming = n < HEAD_SIZE - 1};
	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	head[n] = '\0';
	end = strstr(head, "\r\n\r\n");
	if (end == NULL || ioctl(fd, FIONREAD, &n_unread) != 0)
		return true;
	ask_out->is_coming = false;
	measure(head, end, (size_t)n_unread, ask_out);
	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++)
		ask_out->is_probe |= strncmp(head, probes[i], strlen(probes[i])) == 0;
	return true;
}

/* Up to n bytes; of TCP, MSG_TRUNC does so without copying. */
static ssize_t throw_away(int fd, size_t n)
{
	return recv(fd, NULL, n, MSG_TRUNC | MSG_DONTWAIT);
}

static void end_stay(struct anteroom *room, size_t slot)
{
	struct waiting *waiting = &room->slots[slot];

	if (waiting->fd < 0)
		return;
	if (waiting->asks)
		room->n_asking--;
	if (waiting->is_leaving)
		throw_away(waiting->fd, AT_ONCE);
	close(waiting->fd);
	*waiting = (struct waiting){.fd = -1};
}

/* Each change is told once; with EPOLL_CTL_MOD, what is there already is told again. */
static void watch(const struct anteroom *room, size_t slot, int operation)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data = {.u64 = slot}};

	epoll_ctl(room->epoll, operation, room->slots[slot].fd, &event);
}

void anteroom_put_off(struct anteroom *room, size_t slot, double until)
{
	struct waiting *waiting = &room->slots[slot];

	if (waiting->asks)
		return;
	waiting->asks = true;
	if (waiting->until > until)
		waiting->until = until;
	room->n_asking++;
}

/* Whoever asks for something small may ask again on the same connection: that costs both sides
 * less than a new one. */
void anteroom_send_away(struct anteroom *room, size_t slot, double now)
{
	struct waiting *waiting = &room->slots[slot];
	bool is_whole = waiting->ask.n_bytes > 0 && !waiting->ask.is_coming;

	if (waiting->asks)
		room->n_asking--;
	waiting->asks = false;
	waiting->until = now + ANTEROOM_SECONDS;
	waiting->ask.may_stay &=
	    is_whole && !room->encrypted && waiting->why == CONNECTION_REFUSED_LIMIT;
	reply(room, waiting);
	waiting->was_told = true;
	if (is_whole)
		throw_away(waiting->fd, waiting->ask.n_bytes);
	if (waiting->ask.may_stay) {
		waiting->ask = (struct ask){0};
		watch(room, slot, EPOLL_CTL_MOD);
		return;
	}
	waiting->is_leaving = true;
	if (is_whole || room->encrypted)
		end_stay(room, slot);
	else
		watch(room, slot, EPOLL_CTL_MOD);
}

/* At once, as far as that goes. */
static void cut_off(struct anteroom *room, size_t slot)
{
	struct waiting *waiting = &room->slots[slot];

	waiting->ask.may_stay = false;
	if (waiting->fd >= 0 && !waiting->was_told)
		anteroom_send_away(room, slot, 0);
	end_stay(room, slot);
}

size_t anteroom_add(struct anteroom *room, const struct waiting *client)
{
	size_t slot = room->next;

	room->next = (slot + 1) % ANTEROOM_SIZE;
	cut_off(room, slot);
	room->slots[slot] = *client;
	watch(room, slot, EPOLL_CTL_ADD);
	return slot;
}

bool anteroom_look(struct anteroom *room, size_t slot)
{
	struct waiting *waiting = &room->slots[slot];
	ssize_t n;

	if (waiting->fd < 0)
		return false;
	if (!waiting->is_leaving) {
		if (look_at(waiting->fd, &waiting->ask))
			return waiting->ask.has_begun;
		end_stay(room, slot);
		return false;
	}
	do
		n = throw_away(waiting->fd, AT_ONCE);
	while (n > 0);
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		end_stay(room, slot);
	return false;
}

struct waiting anteroom_let_in(struct anteroom *room, size_t slot)
{
	struct waiting waiting = room->slots[slot];

	if (waiting.asks)
		room->n_asking--;
	epoll_ctl(room->epoll, EPOLL_CTL_DEL, waiting.fd, NULL);
	room->slots[slot] = (struct waiting){.fd = -1};
	return waiting;
}

bool anteroom_expire(struct anteroom *room, double now)
{
	bool any = false;

	for (size_t i = 0; i < ANTEROOM_SIZE; i++) {
		struct waiting *waiting = &room->slots[i];

		if (waiting->fd < 0)
			continue;
		/* nothing is said unasked after an answer: it would be taken for the next one */
		if (waiting->until <= now && waiting->was_told)
			end_stay(room, i);
		else if (waiting->until <= now)
			anteroom_send_away(room, i, now);
		any = any || waiting->fd >= 0;
	}
	return any;
}

void anteroom_close(struct anteroom *room)
{
	for (size_t i = 0; i < ANTEROOM_SIZE; i++)
		end_stay(room, i);
}
