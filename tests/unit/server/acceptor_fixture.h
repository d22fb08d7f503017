/* SPDX-License-Identifier: Apache-2.0 */
/* acceptor_fixture.h - an acceptor on a port of its own, in front of lanes that only count. */
#ifndef MICRO_TESTS_ACCEPTOR_FIXTURE_H
#define MICRO_TESTS_ACCEPTOR_FIXTURE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/acceptor.h"

#define ACCEPTING_PATIENCE 10 /* seconds that a client waits */

/* Requests: all of one, and the beginning of one with a long body. */
#define ACCEPTING_SMALL "POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
#define ACCEPTING_HEAD	"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 4194304\r\n\r\n"

enum { ACCEPTING_LANES = 2, ACCEPTING_MAX = 16, ACCEPTING_PLACES = 512 };

/* It says "in" to whom it is given, and counts. */
struct accepting_lane {
	atomic_size_t n, n_idle, n_leaving, n_shed, n_counted;
};

extern struct accepting {
	struct accepting_lane lanes[ACCEPTING_LANES];
	struct metrics metrics;
	struct acceptor *acceptor; /* NULL: stopped by the test */
	uint16_t port;
} accepting;

/** accepting_start(encrypted), accepting_stop(): of the whole. */
void accepting_start(bool encrypted);
void accepting_stop(void);

/** accepting_connect(): a socket, for the caller to close; -1: nobody listens. */
int accepting_connect(void);

/** accepting_send_all(fd, bytes, n): all of it is taken, so that the client comes to reading. */
void accepting_send_all(int fd, const char *bytes, size_t n);

/** accepting_receive_all(fd): all that comes until the end of the connection; static. Closes fd. */
const char *accepting_receive_all(int fd);

/** accepting_assert_refused(text): one 503, and the connection ends. */
void accepting_assert_refused(const char *text);

/** accepting_n_ends(why): how many connections ended so. */
unsigned long long accepting_n_ends(enum connection_end why);

#endif
