/* SPDX-License-Identifier: Apache-2.0 */
#include "server/anteroom.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define REFUSAL                                                                                    \
	"{\"error\":{\"message\":\"all connections are in use: try again later\","                 \
	"\"type\":\"overloaded_error\",\"param\":null,\"code\":\"overloaded\"}}"
#define ALIVE	"{\"status\":\"ok\"}"
#define AT_ONCE (1u << 20) /* bytes thrown away by one call */

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

static void answer(const struct anteroom *room, int fd, const char *status, const char *body)
{
	char request_id[UUID_LEN + 1], text[512];
	int len;

	identifier_uuid(room->random_bytes, request_id);
	len = snprintf(text, sizeof(text),
		       "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
		       "X-Request-Id: %s\r\nConnection: close\r\n\r\n%s",
		       status, strlen(body), request_id, body);
	/* a new socket's buffer takes it as a whole */
	(void)send(fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
	shutdown(fd, SHUT_WR);
}

/* Counted first, so that who is told finds it counted. */
static void refuse(struct anteroom *room, int fd, enum connection_end why)
{
	metrics_connections(room->metrics, why, 1);
	room->n_refused++;
	if (!room->encrypted)
		answer(room, fd, "503 Service Unavailable\r\nRetry-After: 1", REFUSAL);
}

/* Who is told no is still alive, and must not be restarted for it. */
static bool asks_whether_alive(int fd)
{
	static const char *const requests[] = {"GET /livez ", "GET /v1/livez "};
	char bytes[16];
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		size_t len = strlen(requests[i]);

		if (n >= (ssize_t)len && memcmp(bytes, requests[i], len) == 0)
			return true;
	}
	return false;
}

static void end(struct anteroom *room, size_t slot)
{
	struct waiting *waiting = &room->slots[slot];

	if (waiting->fd < 0)
		return;
	if (waiting->asks)
		room->n_asking--;
	close(waiting->fd);
	*waiting = (struct waiting){.fd = -1};
}

static void watch(const struct anteroom *room, size_t slot, int operation, uint32_t events)
{
	struct epoll_event event = {.events = events, .data = {.u64 = slot}};

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
	watch(room, slot, EPOLL_CTL_MOD, 0);
}

static void listen_to(struct anteroom *room, size_t slot)
{
	struct waiting *waiting = &room->slots[slot];

	if (!waiting->asks)
		return;
	waiting->asks = false;
	room->n_asking--;
	watch(room, slot, EPOLL_CTL_MOD, EPOLLIN);
}

void anteroom_send_away(struct anteroom *room, size_t slot)
{
	struct waiting *waiting = &room->slots[slot];

	if (!room->encrypted && asks_whether_alive(waiting->fd))
		answer(room, waiting->fd, "200 OK", ALIVE);
	else
		refuse(room, waiting->fd, waiting->why);
	listen_to(room, slot);
	waiting->answered = true;
	if (room->encrypted)
		end(room, slot);
}

/* At once, as far as that goes. */
static void cut_off(struct anteroom *room, size_t slot)
{
	if (room->slots[slot].fd >= 0 && !room->slots[slot].answered)
		anteroom_send_away(room, slot);
	end(room, slot);
}

void anteroom_add(struct anteroom *room, const struct waiting *client)
{
	size_t slot = room->next;

	room->next = (slot + 1) % ANTEROOM_SIZE;
	cut_off(room, slot);
	room->slots[slot] = *client;
	watch(room, slot, EPOLL_CTL_ADD, EPOLLIN);
}

bool anteroom_look(struct anteroom *room, size_t slot)
{
	struct waiting *waiting = &room->slots[slot];
	char byte;
	ssize_t n;

	if (waiting->fd < 0)
		return false;
	/* of TCP, MSG_TRUNC throws away without copying */
	n = waiting->answered ? recv(waiting->fd, NULL, AT_ONCE, MSG_TRUNC | MSG_DONTWAIT)
			      : recv(waiting->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		end(room, slot);
	return n > 0 && !waiting->answered;
}

struct waiting anteroom_let_in(struct anteroom *room, size_t slot)
{
	struct waiting waiting = room->slots[slot];

	listen_to(room, slot);
	watch(room, slot, EPOLL_CTL_DEL, 0);
	room->slots[slot].fd = -1;
	return waiting;
}

bool anteroom_expire(struct anteroom *room, double now)
{
	bool any = false;

	for (size_t i = 0; i < ANTEROOM_SIZE; i++) {
		struct waiting *waiting = &room->slots[i];

		if (waiting->fd < 0)
			continue;
		if (waiting->until <= now && waiting->answered) {
			end(room, i);
		} else if (waiting->until <= now) {
			waiting->until = now + ANTEROOM_SECONDS;
			anteroom_send_away(room, i);
		}
		any = any || waiting->fd >= 0;
	}
	return any;
}

void anteroom_close(struct anteroom *room)
{
	for (size_t i = 0; i < ANTEROOM_SIZE; i++)
		end(room, i);
}
