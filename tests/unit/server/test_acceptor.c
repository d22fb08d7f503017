/* SPDX-License-Identifier: Apache-2.0 */
/* test_acceptor.c - who gets in, where to, and what the others are told */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "server/acceptor.h"
#include "server/listener.h"
#include "server/log.h"
#include "tests/unit/unit.h"

#define PATIENCE 10 /* seconds */

enum { N_LANES = 2, MAX_CONNECTIONS = 16, N_PLACES = 512 };

/* A thread that only counts. */
struct lane {
	atomic_size_t n, n_idle, n_leaving, n_shed, n_counted;
};

static struct lane lanes[N_LANES];
static struct metrics metrics;
static struct acceptor *acceptor;
static uint16_t port;

static void count(void *context, struct lane_counts *counts_out)
{
	struct lane *lane = context;

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
	atomic_fetch_add(&((struct lane *)context)->n, 1);
	send(fd, "in", 2, MSG_NOSIGNAL);
	close(fd);
}

static void shed(void *context)
{
	atomic_fetch_add(&((struct lane *)context)->n_shed, 1);
}

static void same_bytes(void *bytes, size_t n)
{
	memset(bytes, 0x11, n);
}

static void start(bool encrypted)
{
	struct acceptor_options options = {
	    .max_connections = MAX_CONNECTIONS,
	    .n_places = N_PLACES,
	    .n_lanes = N_LANES,
	    .encrypted = encrypted,
	    .random_bytes = same_bytes,
	    .metrics = &metrics,
	};
	struct acceptor_lane targets[N_LANES];
	struct err err = {0};

	log_open(LOG_ERROR, STDERR_FILENO);
	for (int i = 0; i < N_LANES; i++)
		targets[i] = (struct acceptor_lane){
		    .context = &lanes[i],
		    .count = count,
		    .give = give,
		    .shed = shed,
		};
	ck_assert_int_eq(listener_open("127.0.0.1", 0, &options.listen_fd, &port, &err), STATUS_OK);
	ck_assert_int_eq(acceptor_start(&options, targets, &acceptor, &err), STATUS_OK);
}

static void set_up(void)
{
	start(false);
}

static void tear_down(void)
{
	acceptor_stop(acceptor);
}

static int connect_client(void)
{
	const struct timeval patience = {.tv_sec = PATIENCE};
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* All that comes until the end of the connection; static. Closes fd. */
static const char *receive_all(int fd)
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

static unsigned long long n_ends(enum connection_end why)
{
	return atomic_load(&metrics.connection_ends[why]);
}

START_TEST(connections_go_to_the_lane_that_has_fewest)
{
	atomic_store(&lanes[0].n, 3);
	for (int i = 0; i < 6; i++)
		ck_assert_str_eq(receive_all(connect_client()), "in");
	ck_assert_uint_ge(lanes[0].n, 4);
	ck_assert_uint_le(lanes[0].n, 5);
	ck_assert_uint_eq(lanes[0].n + lanes[1].n, 9);
}
END_TEST

#define HEAD "POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 4194304\r\n\r\n"

#define SMALL "POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"

/* All of it is taken, so that the client comes to reading the answer. */
static void send_all(int fd, const char *bytes, size_t n)
{
	for (size_t sent = 0; sent < n;) {
		ssize_t step = send(fd, bytes + sent, n - sent, MSG_NOSIGNAL);

		ck_assert_int_gt(step, 0);
		sent += (size_t)step;
	}
}

static void assert_refused(const char *text)
{
	ck_assert_msg(strstr(text, "HTTP/1.1 503 ") == text, "%s", text);
	ck_assert_ptr_nonnull(strstr(text, "\r\nRetry-After: 1\r\n"));
	ck_assert_ptr_nonnull(strstr(text, "\r\nConnection: close\r\n"));
	ck_assert_ptr_nonnull(
	    strstr(text, "\r\nX-Request-Id: 11111111-1111-4111-9111-111111111111\r\n"));
	ck_assert_ptr_nonnull(strstr(text, "\"code\":\"overloaded\"}}"));
}

START_TEST(past_the_limit_each_is_told_503_whatever_it_sends)
{
	static char body[1 << 22];

	atomic_store(&lanes[1].n, MAX_CONNECTIONS);
	for (int i = 0; i < 3; i++) {
		int fd = connect_client();

		send_all(fd, HEAD, i == 0 ? 1 : sizeof(HEAD) - 1);
		if (i == 2)
			send_all(fd, body, sizeof(body));
		shutdown(fd, SHUT_WR);
		assert_refused(receive_all(fd));
	}
	ck_assert_uint_eq(n_ends(CONNECTION_REFUSED_LIMIT), 3);
}
END_TEST

START_TEST(past_the_limit_the_silent_are_told_503_too)
{
	atomic_store(&lanes[1].n, MAX_CONNECTIONS);
	assert_refused(receive_all(connect_client()));
	ck_assert_uint_eq(n_ends(CONNECTION_REFUSED_LIMIT), 1);
}
END_TEST

/* One answer of a connection that stays. */
static void assert_refused_but_open(int fd)
{
	char text[1024];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	ck_assert_msg(strstr(text, "HTTP/1.1 503 ") == text, "%s", text);
	ck_assert_ptr_null(strstr(text, "Connection"));
	ck_assert_ptr_nonnull(strstr(text, "\"code\":\"overloaded\"}}"));
}

START_TEST(who_was_refused_may_ask_again_on_the_same_connection)
{
	char answer[2];
	int fd;

	atomic_store(&lanes[1].n, MAX_CONNECTIONS);
	fd = connect_client();
	for (int i = 0; i < 3; i++) {
		/* its parts come one after the other */
		send_all(fd, SMALL, 30);
		send_all(fd, &SMALL[30], sizeof(SMALL) - 1 - 30);
		assert_refused_but_open(fd);
	}
	ck_assert_uint_eq(n_ends(CONNECTION_REFUSED_LIMIT), 3);
	atomic_store(&lanes[1].n, MAX_CONNECTIONS - 1);
	send_all(fd, SMALL, 1);
	ck_assert_int_eq(recv(fd, answer, sizeof(answer), MSG_WAITALL), sizeof(answer));
	ck_assert_mem_eq(answer, "in", 2);
	close(fd);
}
END_TEST

START_TEST(body_that_is_not_short_is_thrown_away_before_the_answer)
{
	static const char head[] =
	    "POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n";
	static char body[300000];
	char byte;
	int fd;

	atomic_store(&lanes[1].n, MAX_CONNECTIONS);
	fd = connect_client();
	for (int i = 0; i < 3; i++) {
		send_all(fd, head, sizeof(head) - 1);
		send_all(fd, body, sizeof(body) - 1);
		ck_assert_int_eq(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
		send_all(fd, body, 1);
		assert_refused_but_open(fd);
	}
	ck_assert_uint_eq(n_ends(CONNECTION_REFUSED_LIMIT), 3);
	close(fd);
}
END_TEST

START_TEST(who_waits_for_an_answer_before_the_body_has_it)
{
	static const char head[] = "POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
				   "Expect: 100-continue\r\n\r\n";
	int fd;

	atomic_store(&lanes[1].n, MAX_CONNECTIONS);
	fd = connect_client();
	send_all(fd, head, sizeof(head) - 1);
	assert_refused(receive_all(fd));
}
END_TEST

START_TEST(body_that_does_not_come_is_not_waited_for)
{
	int fd;

	atomic_store(&lanes[1].n, MAX_CONNECTIONS);
	fd = connect_client();
	send_all(fd, SMALL, sizeof(SMALL) - 2);
	assert_refused(receive_all(fd));
	fd = connect_client();
	send_all(fd, SMALL, sizeof(SMALL) - 2);
	shutdown(fd, SHUT_WR);
	assert_refused(receive_all(fd));
}
END_TEST

START_TEST(two_requests_at_once_have_two_answers)
{
	int fd;

	atomic_store(&lanes[1].n, MAX_CONNECTIONS);
	fd = connect_client();
	send_all(fd, SMALL SMALL, 2 * (sizeof(SMALL) - 1));
	while (n_ends(CONNECTION_REFUSED_LIMIT) < 2)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	close(fd);
}
END_TEST

START_TEST(who_wants_to_close_is_closed)
{
	static const char *const requests[] = {
	    "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n",
	    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"};

	atomic_store(&lanes[1].n, MAX_CONNECTIONS);
	for (size_t i = 0; i < LENGTH(requests); i++) {
		int fd = connect_client();

		send_all(fd, requests[i], strlen(requests[i]));
		assert_refused(receive_all(fd));
	}
}
END_TEST

static size_t count_answers(const char *text)
{
	size_t n = 0;

	while ((text = strstr(text, "HTTP/1.1 503 ")) != NULL) {
		text++;
		n++;
	}
	return n;
}

/* What is a body to us may be the next request to a proxy in front, and the other way round. */
START_TEST(length_that_is_not_clear_ends_the_connection)
{
	static const char *const lines[] = {
	    "Content-Length: 5\r\nContent-Length: 0",
	    "Content-Length: 0\r\nContent-Length: 5",
	    "Content-Length: 0x5",
	    "Content-Length: 0, 5",
	    "Content-Length : 5",
	    "Content-Length: +5",
	    "Content-Length: -18446744073709551611",
	    "Content-Length: 18446744073709551621",
	    "Content-Length:",
	    "Content-Length:\r\n 5",
	    "X: y\r\n folded",
	    "X: y\nContent-Length: 5",
	    "no header",
	    "Transfer-Encoding : chunked",
	    "Transfer-Encoding: chunked\r\nContent-Length: 5",
	};

	atomic_store(&lanes[1].n, MAX_CONNECTIONS);
	for (size_t i = 0; i < LENGTH(lines); i++) {
		static char request[512];
		int len = snprintf(request, sizeof(request),
				   "POST / HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n12345" SMALL, lines[i]);
		int fd = connect_client();
		const char *text;

		send_all(fd, request, (size_t)len);
		text = receive_all(fd);
		assert_refused(text);
		ck_assert_msg(count_answers(text) == 1, "%s: %s", lines[i], text);
	}
}
END_TEST

START_TEST(answer_to_head_has_no_body)
{
	static const char head[] = "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n";
	char text[1024];
	int fd;

	atomic_store(&lanes[1].n, MAX_CONNECTIONS);
	fd = connect_client();
	for (int i = 0; i < 2; i++) {
		ssize_t n;

		send_all(fd, head, sizeof(head) - 1);
		n = recv(fd, text, sizeof(text) - 1, 0);
		ck_assert_int_gt(n, 4);
		text[n] = '\0';
		ck_assert_msg(strstr(text, "HTTP/1.1 503 ") == text, "%s", text);
		ck_assert_str_eq(strstr(text, "\r\n\r\n"), "\r\n\r\n");
	}
	close(fd);
}
END_TEST

START_TEST(answer_is_not_lost_with_what_comes_after_its_request)
{
	static const char last[] = "GET / HTTP/1.1\r\nConnection: close\r\n\r\n" SMALL SMALL;
	int fd;

	atomic_store(&lanes[1].n, MAX_CONNECTIONS);
	fd = connect_client();
	send_all(fd, last, sizeof(last) - 1);
	/* a reset would throw away what has come */
	while (n_ends(CONNECTION_REFUSED_LIMIT) < 1)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	assert_refused(receive_all(fd));
}
END_TEST

START_TEST(who_asks_when_there_is_room_again_gets_in)
{
	char answer[2];
	int fd;

	atomic_store(&lanes[1].n, MAX_CONNECTIONS);
	fd = connect_client();
	while (atomic_load(&lanes[1].n_counted) == 0)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	atomic_store(&lanes[1].n, MAX_CONNECTIONS - 1);
	send_all(fd, "G", 1);
	ck_assert_int_eq(recv(fd, answer, sizeof(answer), MSG_WAITALL), sizeof(answer));
	ck_assert_uint_eq(n_ends(CONNECTION_REFUSED_LIMIT), 0);
	close(fd);
}
END_TEST

/* Told by another thread: somebody leaves a moment later. */
static void *leave(void *unused)
{
	(void)unused;
	nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	atomic_store(&lanes[1].n, MAX_CONNECTIONS - 1);
	atomic_store(&lanes[1].n_leaving, 0);
	return NULL;
}

START_TEST(who_asks_while_somebody_leaves_waits_for_the_place)
{
	char answer[2];
	pthread_t thread;
	int fd;

	atomic_store(&lanes[1].n, MAX_CONNECTIONS);
	atomic_store(&lanes[1].n_leaving, 1);
	fd = connect_client();
	send_all(fd, SMALL, sizeof(SMALL) - 1);
	ck_assert_int_eq(pthread_create(&thread, NULL, leave, NULL), 0);
	ck_assert_int_eq(recv(fd, answer, sizeof(answer), MSG_WAITALL), sizeof(answer));
	ck_assert_uint_eq(n_ends(CONNECTION_REFUSED_LIMIT), 0);
	pthread_join(thread, NULL);
	close(fd);
}
END_TEST

START_TEST(who_waits_for_a_place_is_told_when_nobody_leaves)
{
	int fd;

	atomic_store(&lanes[1].n, MAX_CONNECTIONS);
	atomic_store(&lanes[1].n_leaving, 1);
	fd = connect_client();
	send_all(fd, HEAD, sizeof(HEAD) - 1);
	assert_refused(receive_all(fd));
	ck_assert_uint_eq(lanes[0].n_shed + lanes[1].n_shed, 0);
}
END_TEST

START_TEST(past_the_limit_the_process_is_alive)
{
	static const char *const requests[] = {
	    "GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n",
	    "GET /v1/livez HTTP/1.1\r\nConnection: close\r\n\r\n"};

	atomic_store(&lanes[1].n, MAX_CONNECTIONS);
	for (size_t i = 0; i < LENGTH(requests); i++) {
		int fd = connect_client();
		const char *text;

		send_all(fd, requests[i], strlen(requests[i]));
		text = receive_all(fd);
		ck_assert_msg(strstr(text, "HTTP/1.1 200 ") == text, "%s", text);
		ck_assert_ptr_nonnull(strstr(text, "{\"status\":\"ok\"}"));
	}
	ck_assert_uint_eq(n_ends(CONNECTION_REFUSED_LIMIT), 0);
}
END_TEST

START_TEST(more_refused_than_are_waited_for)
{
	enum { N = N_PLACES + 88 };
	static int fds[N];

	atomic_store(&lanes[0].n, MAX_CONNECTIONS);
	for (int i = 0; i < N; i++)
		fds[i] = connect_client();
	for (int i = 0; i < N; i++)
		ck_assert_ptr_nonnull(strstr(receive_all(fds[i]), "HTTP/1.1 503 "));
	ck_assert_uint_eq(n_ends(CONNECTION_REFUSED_LIMIT), N);
}
END_TEST

START_TEST(near_the_limit_the_idlest_lane_makes_room)
{
	atomic_store(&lanes[0].n, MAX_CONNECTIONS / 2);
	atomic_store(&lanes[0].n_idle, 1);
	atomic_store(&lanes[1].n_idle, 2);
	ck_assert_str_eq(receive_all(connect_client()), "in");
	ck_assert_uint_eq(lanes[0].n_shed + lanes[1].n_shed, 0);
	atomic_store(&lanes[0].n, MAX_CONNECTIONS - 2);
	ck_assert_str_eq(receive_all(connect_client()), "in");
	ck_assert_uint_eq(lanes[0].n_shed, 0);
	ck_assert_uint_eq(lanes[1].n_shed, 1);
}
END_TEST

START_TEST(encrypted_connections_past_the_limit_are_closed)
{
	char byte;
	int fd;

	tear_down();
	start(true);
	atomic_store(&lanes[0].n, MAX_CONNECTIONS);
	fd = connect_client();
	send_all(fd, "G", 1);
	ck_assert_int_le(recv(fd, &byte, 1, 0), 0);
	ck_assert_uint_eq(n_ends(CONNECTION_REFUSED_LIMIT), 1);
	close(fd);
}
END_TEST

/* The number of files that are open, when all lower numbers are in use. */
static rlim_t first_free(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return (rlim_t)fd;
}

/* Closing a file made a place for one, which accept4() may have for a moment. */
static void take_a_file(void)
{
	int fd;

	for (int i = 0; i < 1000 * PATIENCE; i++) {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			return;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	ck_abort_msg("no file can be opened: %s", strerror(errno));
}

START_TEST(without_files_each_is_told_503_until_there_are_some_again)
{
	struct rlimit before, none;
	int fds[4];

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (size_t i = 0; i < LENGTH(fds); i++)
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	none = (struct rlimit){first_free(), before.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (size_t i = 0; i < LENGTH(fds); i++) {
		const struct timeval patience = {.tv_sec = PATIENCE};
		struct sockaddr_in address = {.sin_family = AF_INET,
					      .sin_port = htons(port),
					      .sin_addr = {htonl(INADDR_LOOPBACK)}};
		const char *text;

		setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		ck_assert_int_eq(connect(fds[i], (struct sockaddr *)&address, sizeof(address)), 0);
		send_all(fds[i], SMALL, sizeof(SMALL) - 1);
		shutdown(fds[i], SHUT_WR);
		text = receive_all(fds[i]);
		ck_assert_ptr_eq(strstr(text, "HTTP/1.1 503 "), text);
		take_a_file();
	}
	ck_assert_uint_eq(n_ends(CONNECTION_REFUSED_FILES), LENGTH(fds));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_str_eq(receive_all(connect_client()), "in");
}
END_TEST

START_TEST(after_stop_nobody_gets_in)
{
	acceptor_stop(acceptor);
	acceptor = NULL;
	ck_assert_int_eq(connect_client(), -1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("acceptor");
	TCase *tc = tcase_create("acceptor");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, connections_go_to_the_lane_that_has_fewest);
	tcase_add_test(tc, past_the_limit_each_is_told_503_whatever_it_sends);
	tcase_add_test(tc, past_the_limit_the_silent_are_told_503_too);
	tcase_add_test(tc, who_was_refused_may_ask_again_on_the_same_connection);
	tcase_add_test(tc, body_that_is_not_short_is_thrown_away_before_the_answer);
	tcase_add_test(tc, who_waits_for_an_answer_before_the_body_has_it);
	tcase_add_test(tc, body_that_does_not_come_is_not_waited_for);
	tcase_add_test(tc, two_requests_at_once_have_two_answers);
	tcase_add_test(tc, who_wants_to_close_is_closed);
	tcase_add_test(tc, length_that_is_not_clear_ends_the_connection);
	tcase_add_test(tc, answer_to_head_has_no_body);
	tcase_add_test(tc, answer_is_not_lost_with_what_comes_after_its_request);
	tcase_add_test(tc, who_asks_when_there_is_room_again_gets_in);
	tcase_add_test(tc, who_asks_while_somebody_leaves_waits_for_the_place);
	tcase_add_test(tc, who_waits_for_a_place_is_told_when_nobody_leaves);
	tcase_add_test(tc, past_the_limit_the_process_is_alive);
	tcase_add_test(tc, more_refused_than_are_waited_for);
	tcase_add_test(tc, near_the_limit_the_idlest_lane_makes_room);
	tcase_add_test(tc, encrypted_connections_past_the_limit_are_closed);
	tcase_add_test(tc, without_files_each_is_told_503_until_there_are_some_again);
	tcase_add_test(tc, after_stop_nobody_gets_in);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
