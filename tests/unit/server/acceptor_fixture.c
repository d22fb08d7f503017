/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/server/acceptor_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/listener.h"
#include "server/log.h"
#include "tests/unit/unit.h"

struct accepting accepting;

static void count(void *context, struct lane_counts *counts_out)
{
	struct accepting_lane *lane = context;

	atomic_fetch_add(&lane->n_counted, 1);
	*counts_out = (struct lane_counts){
	    .n = atomic_load(&lane->n),
	    .n_idle = atomic_load(&lane->n_idle),
	    .n_leaving = atomic_load(&lane->n_leaving),
	};
}

static void give(void *context, int fd, const struct sockaddr *address, socklen_t len)
{
	ck_assert_int_eq(address->sa_family, AF_INET);
	ck_assert_uint_eq(len, sizeof(struct sockaddr_in));
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	atomic_fetch_add(&((struct accepting_lane *)context)->n, 1);
	send(fd, "in", 2, MSG_NOSIGNAL);
	close(fd);
}

static void shed(void *context)
{
	atomic_fetch_add(&((struct accepting_lane *)context)->n_shed, 1);
}

static void same_bytes(void *bytes, size_t n)
{
	memset(bytes, 0x11, n);
}

void accepting_start(bool encrypted)
{
	struct acceptor_options options = {
	    .max_connections = ACCEPTING_MAX,
	    .n_places = ACCEPTING_PLACES,
	    .n_lanes = ACCEPTING_LANES,
	    .encrypted = encrypted,
	    .random_bytes = same_bytes,
	    .metrics = &accepting.metrics,
	};
	struct acceptor_lane targets[ACCEPTING_LANES];
	struct err err = {0};

	log_open(LOG_ERROR, STDERR_FILENO);
	for (int i = 0; i < ACCEPTING_LANES; i++)
		targets[i] = (struct acceptor_lane){
		    .context = &accepting.lanes[i],
		    .count = count,
		    .give = give,
		    .shed = shed,
		};
	ck_assert_int_eq(listener_open("127.0.0.1", 0, &options.listen_fd, &accepting.port, &err),
			 STATUS_OK);
	ck_assert_int_eq(acceptor_start(&options, targets, &accepting.acceptor, &err), STATUS_OK);
}

void accepting_stop(void)
{
	acceptor_stop(accepting.acceptor);
}

int accepting_connect(void)
{
	const struct timeval patience = {.tv_sec = ACCEPTING_PATIENCE};
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(accepting.port),
				      .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

const char *accepting_receive_all(int fd)
{
	static char text[4096];
	size_t len = 0;
	ssize_t n;

	while ((n = recv(fd, text + len, sizeof(text) - 1 - len, 0)) > 0)
		len += (size_t)n;
	ck_assert_msg(n == 0, "the connection ends with %s", strerror(errno));
	text[len] = '\0';
	close(fd);
	return text;
}

unsigned long long accepting_n_ends(enum connection_end why)
{
	return atomic_load(&accepting.metrics.connection_ends[why]);
}

void accepting_send_all(int fd, const char *bytes, size_t n)
{
	for (size_t sent = 0; sent < n;) {
		ssize_t step = send(fd, bytes + sent, n - sent, MSG_NOSIGNAL);

		ck_assert_int_gt(step, 0);
		sent += (size_t)step;
	}
}

void accepting_assert_refused(const char *text)
{
	ck_assert_msg(strstr(text, "HTTP/1.1 503 ") == text, "%s", text);
	ck_assert_ptr_nonnull(strstr(text, "\r\nRetry-After: 1\r\n"));
	ck_assert_ptr_nonnull(strstr(text, "\r\nConnection: close\r\n"));
	ck_assert_ptr_nonnull(
	    strstr(text, "\r\nX-Request-Id: 11111111-1111-4111-9111-111111111111\r\n"));
	ck_assert_ptr_nonnull(strstr(text, "\"code\":\"overloaded\"}}"));
}
