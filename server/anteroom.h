/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anteroom.h - connections past the limit, until they are let in or sent away.
 *
 * Whoever asks while there is still no room is told 503, and whoever asks whether the process
 * lives is told so. Saying no must cost little, or those who are served pay for it: a request
 * whose length is known is thrown away as it comes, unread, and answered at its end, so that its
 * connection can stay for the next one. A socket that is closed while bytes of its client are
 * unread resets the connection, and the client may lose the answer with it: so of a request
 * without a known length, or a long one, the answer comes first, and what follows is thrown away
 * until the client closes. What takes too long, or is too many, is cut off.
 *
 * For one thread.
 */
#ifndef MICRO_SERVER_ANTEROOM_H
#define MICRO_SERVER_ANTEROOM_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "core/base/err.h"
#include "server/identifier.h"
#include "server/metrics.h"

#define ANTEROOM_SECONDS 2 /* that a connection may stay without asking */

/* What the client of a connection has sent. */
struct ask {
	bool has_begun;
	bool has_head;	/* all of it, or more than is looked at */
	size_t n_bytes; /* of the whole request, to be waited for; 0: not known, or too many */
	bool is_probe;	/* whether the process lives */
	bool is_head;	/* the answer has no body */
	bool may_stay;	/* after the answer */
};

/* A connection there. */
struct waiting {
	int fd;			     /* -1: none */
	enum connection_end why;     /* it is not let in; CONNECTION_REFUSED_LIMIT: yet */
	struct ask ask;		     /* when it was last looked at */
	bool asks;		     /* and is put off until there is room, or none */
	bool was_told;		     /* that there is none */
	size_t n_left;		     /* bytes to be thrown away before the answer */
	bool is_leaving;	     /* whatever it sends is thrown away */
	struct sockaddr_in6 address; /* of its client; has room for IPv4's */
	socklen_t len;
	double until;
};

struct anteroom {
	int epoll;	/* tells of their sockets; data: the number of the slot */
	bool encrypted; /* nothing can be told to them */
	random_bytes_fn *random_bytes;
	struct metrics *metrics;
	size_t n_refused, n_asking;
	size_t n_slots, n_free;
	struct waiting *slots; /* [n_slots] */
	size_t *free;	       /* [n_slots]; the first n_free are of slots without a connection */
	size_t next;	       /* the slot that gives way when none is free */
};

/** anteroom_open(room, n_slots, err): empty, for so many connections at once; the caller sets
 * epoll, encrypted, random_bytes and metrics, which outlives it. anteroom_close() releases it. */
enum status anteroom_open(struct anteroom *room, size_t n_slots, struct err *err);

/** anteroom_add(room, client, now): let client->fd wait for its client's first bytes, and own it;
 * somebody else is cut off when there is no place. Its slot. */
size_t anteroom_add(struct anteroom *room, const struct waiting *client, double now);

/** anteroom_look(room, slot, now): epoll told of this slot's socket, or of the one before; whether
 * its client has begun to ask for something, and is to be let in or, when ask.has_head, sent away.
 */
bool anteroom_look(struct anteroom *room, size_t slot, double now);

/** anteroom_put_off(room, slot, until): who asks has to wait, but not for longer than until. */
void anteroom_put_off(struct anteroom *room, size_t slot, double until);

/** anteroom_let_in(room, slot): who it was, for the caller to own. */
struct waiting anteroom_let_in(struct anteroom *room, size_t slot);

/** anteroom_send_away(room, slot, now): answer, as soon as what was announced has come; the
 * client may stay to ask again. */
void anteroom_send_away(struct anteroom *room, size_t slot, double now);

/** anteroom_expire(room, now): send away who is there for too long; whether any is left. */
bool anteroom_expire(struct anteroom *room, double now);

/** anteroom_close(room): close them all, free. */
void anteroom_close(struct anteroom *room);

#endif
