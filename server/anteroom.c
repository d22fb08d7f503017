/* SPDX-License-Identifier: Apache-2.0 */
#include "server/anteroom.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/mem.h"

#define REFUSAL                                                                                    \
	"{\"error\":{\"message\":\"all connections are in use: try again later\","                 \
	"\"type\":\"overloaded_error\",\"param\":null,\"code\":\"overloaded\"}}"
#define REFUSAL_HEAD                                                                               \
	"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"                                   \
	"Content-Type: application/json\r\nContent-Length: 126\r\nX-Request-Id: "
#define ALIVE "{\"status\":\"ok\"}"
#define ALIVE_HEAD                                                                                 \
	"HTTP/1.1 200 OK\r\n"                                                                      \
	"Content-Type: application/json\r\nContent-Length: 15\r\nX-Request-Id: "
#define ANSWER_SIZE   512
#define AT_ONCE	      (1u << 20) /* bytes thrown away by one call */
#define HEAD_SIZE     1024	 /* of a request that is looked at */
#define WAIT_FOR      (1u << 20) /* bytes of a body that may come before the answer */
#define CROWDED_SHARE 16 /* when less than this part is free, nobody stays after the answer */
#define N_CANDIDATES  16 /* of whom one has to go */

_Static_assert(sizeof(REFUSAL) - 1 == 126 && sizeof(ALIVE) - 1 == 15, "as their heads say");

enum status anteroom_open(struct anteroom *room, size_t n_slots, struct err *err)
{
	*room = (struct anteroom){
	    .slots = mem_array(n_slots, sizeof(*room->slots)),
	    .free = mem_array(n_slots, sizeof(*room->free)),
	};
	if (room->slots == NULL || room->free == NULL) {
		mem_free(room->slots);
		mem_free(room->free);
		*room = (struct anteroom){.n_slots = 0};
		return err_no_memory(err, "the HTTP server");
	}
	room->n_slots = n_slots;
	for (size_t i = n_slots; i-- > 0;) {
		room->slots[i].fd = -1;
		room->free[room->n_free++] = i;
	}
	return STATUS_OK;
}

/* text [*len_out + strlen(more)] */
static void append(char *text, size_t *len_out, const char *more)
{
	size_t n = strlen(more);

	memcpy(text + *len_out, more, n);
	*len_out += n;
}

static void answer(const struct anteroom *room, const struct waiting *to, const char *head,
		   const char *body)
{
	char request_id[UUID_LEN + 1], text[ANSWER_SIZE];
	size_t len = 0;

	identifier_uuid(room->random_bytes, request_id);
	append(text, &len, head);
	append(text, &len, request_id);
	append(text, &len, to->ask.may_stay ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n");
	append(text, &len, to->ask.is_head ? "" : body);
	/* an empty buffer takes it as a whole */
	(void)send(to->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Counted first, so that who is told finds it counted. Who is told no is still alive, and must
 * not be restarted for it. */
static void reply(struct anteroom *room, const struct waiting *to)
{
	if (to->ask.is_probe) {
		answer(room, to, ALIVE_HEAD, ALIVE);
		return;
	}
	metrics_connections(room->metrics, to->why, 1);
	room->n_refused++;
	if (!room->encrypted)
		answer(room, to, REFUSAL_HEAD, REFUSAL);
}

/* What a line says of name, which ends with a colon; NULL: it is of something else. */
static const char *value_in(const char *line, const char *name)
{
	size_t len = strlen(name);

	return strncasecmp(line, name, len) == 0 ? line + len + strspn(line + len, " \t") : NULL;
}

static bool is_http_1_1(const char *head, const char *second_line)
{
	static const char version[] = " HTTP/1.1\r\n";
	const ptrdiff_t len = sizeof(version) - 1;

	return second_line - head > len && memcmp(second_line - len, version, (size_t)len) == 0;
}

/* Digits and nothing else, as many as a length may have that is waited for. */
static bool read_length(const char *text, unsigned long long *n_out)
{
	size_t n_digits = strspn(text, "0123456789");
	const char *rest = text + n_digits + strspn(text + n_digits, " \t");

	*n_out = strtoull(text, NULL, 10);
	return n_digits > 0 && *rest == '\r';
}

/* One header, which everybody takes for the same: a name, a colon, and no end but CR LF. */
static bool is_clear(const char *line)
{
	size_t len = strcspn(line, "\r\n"), n_name = strcspn(line, ": \t\r\n");

	return n_name > 0 && line[n_name] == ':' && line[len] == '\r' && line[len + 1] == '\n';
}

/* What the lines of a head with its end at end say of the request. Of a length that is not clear
 * nothing is said: what is a body to us must not be the next request to a proxy in front. */
static void measure(const char *head, const char *end, struct ask *ask)
{
	const char *line = strchr(head, '\n') + 1;
	bool closes = !is_http_1_1(head, line);
	bool is_known = true;
	unsigned long long n_body = 0;
	size_t n_lengths = 0;

	for (; line < end; line = strchr(line, '\n') + 1) {
		const char *length = value_in(line, "Content-Length:");
		const char *connection = value_in(line, "Connection:");

		is_known &= is_clear(line) && (length == NULL || read_length(length, &n_body)) &&
			    value_in(line, "Transfer-Encoding:") == NULL &&
			    value_in(line, "Expect:") == NULL;
		n_lengths += length != NULL;
		closes |= connection != NULL && strncasecmp(connection, "close", 5) == 0;
	}
	/* so long, or who knows how long, or not before an answer: not to be waited for */
	if (n_body > WAIT_FOR || n_lengths > 1 || !is_known)
		return;
	ask->n_bytes = (size_t)(end + 4 - head) + (size_t)n_body;
	ask->may_stay = !closes;
}

/* false: the connection is at its end. */
static bool look_at(int fd, struct ask *ask_out)
{
	static const char *const probes[] = {"GET /livez ", "GET /v1/livez "};
	char head[HEAD_SIZE];
	ssize_t n = recv(fd, head, sizeof(head) - 1, MSG_PEEK | MSG_DONTWAIT);
	const char *end;

	*ask_out = (struct ask){.has_begun = n > 0, .has_head = n == HEAD_SIZE - 1};
	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	head[n] = '\0';
	end = strstr(head, "\r\n\r\n");
	if (end == NULL)
		return true;
	ask_out->has_head = true;
	ask_out->is_head = strncmp(head, "HEAD ", 5) == 0;
	measure(head, end, ask_out);
	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++)
		ask_out->is_probe |= strncmp(head, probes[i], strlen(probes[i])) == 0;
	return true;
}

/* Up to n bytes; of TCP, MSG_TRUNC does so without copying. */
static ssize_t throw_away(int fd, size_t n)
{
	return recv(fd, NULL, n, MSG_TRUNC | MSG_DONTWAIT);
}

static void leave(struct anteroom *room, size_t slot)
{
	if (room->slots[slot].asks)
		room->n_asking--;
	room->slots[slot] = (struct waiting){.fd = -1};
	room->free[room->n_free++] = slot;
}

static void end_stay(struct anteroom *room, size_t slot)
{
	struct waiting *waiting = &room->slots[slot];

	if (waiting->fd < 0)
		return;
	if (waiting->is_leaving)
		throw_away(waiting->fd, AT_ONCE);
	close(waiting->fd);
	leave(room, slot);
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

/* The next request, or what follows it. */
static bool has_unread(int fd)
{
	int n = 0;

	return ioctl(fd, FIONREAD, &n) == 0 && n > 0;
}

/* That, or the end: what came before the answer is told of no more. */
static bool has_news(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
	       (errno != EAGAIN && errno != EWOULDBLOCK);
}

/* Who is told may stay to ask again: that costs both sides less than a new connection. */
static void tell(struct anteroom *room, size_t slot, double now)
{
	struct waiting *waiting = &room->slots[slot];
	bool is_whole = waiting->ask.n_bytes > 0 && waiting->n_left == 0;

	waiting->ask.may_stay &= is_whole && !room->encrypted &&
				 waiting->why == CONNECTION_REFUSED_LIMIT &&
				 room->n_free > room->n_slots / CROWDED_SHARE;
	waiting->until = now + ANTEROOM_SECONDS;
	waiting->n_left = 0;
	reply(room, waiting);
	waiting->was_told = true;
	if (waiting->ask.may_stay) {
		waiting->ask = (struct ask){0};
		/* what comes after this is told of anyway */
		if (has_news(waiting->fd))
			watch(room, slot, EPOLL_CTL_MOD);
		return;
	}
	if (room->encrypted || (is_whole && !has_unread(waiting->fd))) {
		end_stay(room, slot);
		return;
	}
	waiting->is_leaving = true;
	shutdown(waiting->fd, SHUT_WR);
	watch(room, slot, EPOLL_CTL_MOD);
}

/* What there is of the request, and with its last byte comes the answer. */
static void swallow(struct anteroom *room, size_t slot, double now)
{
	struct waiting *waiting = &room->slots[slot];
	ssize_t n;

	do {
		n = throw_away(waiting->fd, waiting->n_left);
		if (n > 0)
			waiting->n_left -= (size_t)n;
	} while (n > 0 && waiting->n_left > 0);
	/* at the end of what it sends it may still read */
	if (waiting->n_left == 0 || n == 0)
		tell(room, slot, now);
	else if (errno != EAGAIN && errno != EINTR)
		end_stay(room, slot);
}

void anteroom_send_away(struct anteroom *room, size_t slot, double now)
{
	struct waiting *waiting = &room->slots[slot];

	if (waiting->asks)
		room->n_asking--;
	waiting->asks = false;
	waiting->was_told = false;
	waiting->until = now + ANTEROOM_SECONDS;
	waiting->n_left = room->encrypted ? 0 : waiting->ask.n_bytes;
	if (waiting->n_left > 0)
		swallow(room, slot, now);
	else
		tell(room, slot, now);
}

/* At once, as far as that goes. */
static void cut_off(struct anteroom *room, size_t slot)
{
	struct waiting *waiting = &room->slots[slot];

	waiting->ask = (struct ask){0};
	if (!waiting->was_told)
		tell(room, slot, 0);
	end_stay(room, slot);
}

/* Not who is in the middle of asking, if there is anybody else soon. */
static size_t choose_victim(struct anteroom *room)
{
	size_t slot = room->next;

	for (int i = 0; i < N_CANDIDATES; i++) {
		const struct waiting *waiting = &room->slots[slot];

		if (waiting->n_left == 0 && !waiting->asks)
			break;
		slot = (slot + 1) % room->n_slots;
	}
	room->next = (slot + 1) % room->n_slots;
	return slot;
}

size_t anteroom_add(struct anteroom *room, const struct waiting *client, double now)
{
	size_t slot;

	if (room->n_free == 0)
		cut_off(room, choose_victim(room));
	slot = room->free[--room->n_free];
	room->slots[slot] = *client;
	room->slots[slot].until = now + ANTEROOM_SECONDS;
	watch(room, slot, EPOLL_CTL_ADD);
	return slot;
}

bool anteroom_look(struct anteroom *room, size_t slot, double now)
{
	struct waiting *waiting = &room->slots[slot];
	ssize_t n;

	if (waiting->fd < 0)
		return false;
	if (waiting->n_left > 0) {
		swallow(room, slot, now);
		return false;
	}
	if (!waiting->is_leaving) {
		if (!look_at(waiting->fd, &waiting->ask)) {
			end_stay(room, slot);
			return false;
		}
		waiting->was_told &= !waiting->ask.has_begun;
		return waiting->ask.has_begun;
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

	epoll_ctl(room->epoll, EPOLL_CTL_DEL, waiting.fd, NULL);
	leave(room, slot);
	return waiting;
}

/* Of somebody whose time is over. */
static void expire(struct anteroom *room, size_t slot, double now)
{
	struct waiting *waiting = &room->slots[slot];

	if (waiting->n_left > 0) {
		tell(room, slot, now);
	} else if (!waiting->was_told) {
		anteroom_send_away(room, slot, now);
	} else if (waiting->is_leaving || !look_at(waiting->fd, &waiting->ask) ||
		   !waiting->ask.has_begun) {
		/* nothing is said unasked after an answer: it would be taken for the next one */
		end_stay(room, slot);
	}
}

bool anteroom_expire(struct anteroom *room, double now)
{
	for (size_t i = 0; i < room->n_slots && room->n_free < room->n_slots; i++) {
		if (room->slots[i].fd >= 0 && room->slots[i].until <= now)
			expire(room, i, now);
	}
	return room->n_free < room->n_slots;
}

void anteroom_close(struct anteroom *room)
{
	for (size_t i = 0; i < room->n_slots; i++)
		end_stay(room, i);
	mem_free(room->slots);
	mem_free(room->free);
	*room = (struct anteroom){.n_slots = 0};
}
