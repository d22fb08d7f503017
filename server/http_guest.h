/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_guest.h - a connection that libmicrohttpd serves: what it is at, and whether its client has
 * ended.
 *
 * libmicrohttpd (0.9.75) is told of each change once, so the end of a client that came together
 * with its last bytes goes unnoticed until the idle timeout. Here the ends are watched, and said
 * again.
 *
 * For one thread.
 */
#ifndef MICRO_SERVER_HTTP_GUEST_H
#define MICRO_SERVER_HTTP_GUEST_H

#include <stdbool.h>

#include "server/clients.h"

/* A connection, of which the kernel tells once that its client has ended. */
struct http_guest {
	struct client client;
	struct http_table *table; /* where it sits */
	bool has_ended;
	int n_unread; /* bytes that were there when libmicrohttpd was last told so; -1: never */
	struct http_guest *prev, *next; /* among http_guests.ended */
};

/* Zeroed but for epoll there are none. */
struct http_guests {
	int epoll; /* tells of their ends; data: the guest's address */
	struct clients clients;
	struct http_guest *ended; /* what they sent is not read to its end yet */
};

/** http_guest_welcome(guests, fd, table, now): for a new connection's socket; http_guest_part()
 * releases it. Without memory for it, NULL, the connection is ended: it might stay for ever. */
struct http_guest *http_guest_welcome(struct http_guests *guests, int fd, struct http_table *table,
				      double now);

/** http_guest_part(guests, guest): the connection is at its end, its socket still open; NULL does
 * nothing. */
void http_guest_part(struct http_guests *guests, struct http_guest *guest);

/** http_guest_end(guests, guest): the kernel says that the client has ended. */
void http_guest_end(struct http_guests *guests, struct http_guest *guest);

/** http_guest_tell_ends(guests): after libmicrohttpd has read, whether all or a part: it may
 * believe that this was all. */
void http_guest_tell_ends(struct http_guests *guests);

#endif
