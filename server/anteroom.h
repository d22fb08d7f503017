/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anteroom.h - connections past the limit, until they are let in or sent away.
 *
 * Whoever asks while there is still no room is told 503 at once, and whoever asks whether the
 * process lives is told so. A socket that is closed while bytes of its client are unread resets
 * the connection, and the client may lose the answer with it: so what is not there yet of the
 * request is thrown away until the client closes. What takes too long, or is too many, is cut off.
 *
 * For one thread.
 */
#ifndef MICRO_SERVER_ANTEROOM_H
#define MICRO_SERVER_ANTEROOM_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "server/identifier.h"
#include "server/metrics.h"

#define ANTEROOM_SIZE	 512 /* connections */
#define ANTEROOM_SECONDS 2   /* that each may stay */

/* What the client of a connection has sent. */
struct ask {
	bool has_begun;
	bool is_coming; /* its end will be there soon */
	size_t n_bytes; /* of the whole request, to be waited for; 0: not known, or too many */
	bool is_probe;	/* whether the process lives */
	bool may_stay;	/* after the answer */
};

/* A connection there. */
struct waiting {
	int fd;			     /* -1: none */
	enum connection_end why;     /* it is not let in; CONNECTION_REFUSED_LIMIT: yet */
	struct ask ask;		     /* when it was last looked at */
	bool asks;		     /* and is put off until there is room, or none */
	bool was_told;		     /* that there is none */
	bool is_leaving;	     /* what it sends is thrown away */
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
	struct waiting slots[ANTEROOM_SIZE];
	size_t next; /* the slot that was taken first, and is taken next */
};

/** anteroom_init(room, epoll, encrypted, random_bytes, metrics): empty; metrics outlives it. */
void anteroom_init(struct anteroom *room, int epoll, bool encrypted, random_bytes_fn *random_bytes,
		   struct metrics *metrics);

/** anteroom_add(room, client): let client->fd wait for its client's first bytes, and own it;
 * whoever is there for longest is sent away when there is no place. Its slot. */
size_t anteroom_add(struct anteroom *room, const struct waiting *client);

/** anteroom_look(room, slot): epoll told of this slot's socket, or of the one before; whether
 * its client has begun to ask for something, and is to be let in or, when all of it has come,
 * sent away. */
bool anteroom_look(struct anteroom *room, size_t slot);

/** anteroom_put_off(room, slot, until): who asks has to wait, but not for longer than until. */
void anteroom_put_off(struct anteroom *room, size_t slot, double until);

/** anteroom_let_in(room, slot): who it was, for the caller to own. */
struct waiting anteroom_let_in(struct anteroom *room, size_t slot);

/** anteroom_send_away(room, slot, now): answer; the client may stay to ask again. */
void anteroom_send_away(struct anteroom *room, size_t slot, double now);

/** anteroom_expire(room, now): send away who is there for too long; whether any is left. */
bool anteroom_expire(struct anteroom *room, double now);

/** anteroom_close(room): close them all. */
void anteroom_close(struct anteroom *room);

#endif
