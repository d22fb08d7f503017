/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clients.h - the connections of one thread: what each is at, and since when.
 *
 * A connection without a request may be ended when others need its place, and one whose client
 * takes too long is. libmicrohttpd's own timeout begins anew with every byte.
 *
 * For one thread, but for the counts.
 */
#ifndef MICRO_SERVER_CLIENTS_H
#define MICRO_SERVER_CLIENTS_H

#include <stdatomic.h>
#include <stddef.h>

/* Who has come, or was answered, within this time may be about to send a request. */
#define CLIENT_GRACE_SECONDS 0.25

enum client_phase {
	CLIENT_IDLE,	/* no headers yet, of the first request or the next */
	CLIENT_SENDING, /* a body */
	CLIENT_WAITING, /* for the answer: no time of its own counts */
	CLIENT_READING, /* the answer */
	CLIENT_ENDED,	/* by us */
};

/* A connection; owned by whoever adds it. */
struct client {
	int fd;
	enum client_phase phase;
	double since; /* the phase, in seconds of clock_monotonic() */
	struct client *prev, *next;
};

/* Zeroed it has none. Both lists begin with who is in its phase for longest. */
struct clients {
	struct client *idle;
	struct client *busy; /* all other phases */
	atomic_size_t n_idle, n_ended;
	_Atomic double idlest_since; /* when the first of idle became so, if there is one */
};

/* How long a phase may last, in seconds. */
struct client_limits {
	double idle; /* while bytes come that do not become headers */
	double busy; /* sending and reading, each */
};

/** clients_add(clients, client, fd, now): a new connection, idle. */
void clients_add(struct clients *clients, struct client *client, int fd, double now);

/** clients_remove(clients, client): its connection is at its end. */
void clients_remove(struct clients *clients, struct client *client);

/** clients_enter(clients, client, phase, now): it is at something else. */
void clients_enter(struct clients *clients, struct client *client, enum client_phase phase,
		   double now);

/** clients_count_idle(clients, before): how many are idle, if any of them is since before that
 * moment; else 0. Any thread. */
size_t clients_count_idle(struct clients *clients, double before);

/** clients_count_ended(clients): how many are ended, and not removed yet. Any thread. */
size_t clients_count_ended(struct clients *clients);

/**
 * clients_end_idlest(clients, n, now): shut down up to n connections that are idle for longest,
 * past the grace, and have sent nothing that is not read; how many. They are removed when the
 * thread that serves them finds their end.
 */
size_t clients_end_idlest(struct clients *clients, size_t n, double now);

/** clients_end_slow(clients, limits, now): shut down those past a limit; how many. */
size_t clients_end_slow(struct clients *clients, const struct client_limits *limits, double now);

#endif
