/* SPDX-License-Identifier: Apache-2.0 */
/* test_httpd.c - what only sockets show: suspended requests, vanished clients, limits */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/server/httpd_fixture.h"
#include "tests/unit/unit.h"

#define V	 "{\"embedding\":[1,0,0,0]}"
#define FEEDBACK "{\"user\":\"u\",\"chosen\":" V ",\"rejected\":" V "}"

static struct httpd_fixture served;

/* While closed, the writer waits before it applies what it has taken. */
static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER; /* guards gate_closed */
static pthread_cond_t gate_opened = PTHREAD_COND_INITIALIZER;
static bool gate_closed;
static bool at_gate; /* the writer waits there */

static void pass_gate(void)
{
	pthread_mutex_lock(&gate_lock);
	at_gate = true;
	while (gate_closed)
		pthread_cond_wait(&gate_opened, &gate_lock);
	at_gate = false;
	pthread_mutex_unlock(&gate_lock);
}

static void set_gate(bool closed)
{
	pthread_mutex_lock(&gate_lock);
	gate_closed = closed;
	pthread_cond_broadcast(&gate_opened);
	pthread_mutex_unlock(&gate_lock);
}

static void set_up(void)
{
	httpd_fixture_start(&served, 2, 64);
	served.fake.before_apply = pass_gate;
}

static void tear_down(void)
{
	httpd_fixture_stop(&served);
}

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static int connect_client(void)
{
	return httpd_fixture_connect(&served);
}

static void send_text(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void send_post(int fd, const char *route, const char *body)
{
	char request[1024];

	snprintf(request, sizeof(request),
		 "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", route,
		 strlen(body), body);
	send_text(fd, request);
}

/* What has come so far; static. */
static const char *receive(int fd)
{
	static char answer[16384];
	ssize_t n = recv(fd, answer, sizeof(answer) - 1, 0);

	answer[n < 0 ? 0 : n] = '\0';
	return answer;
}

static void assert_received(int fd, const char *part)
{
	const char *answer = receive(fd);

	ck_assert_msg(strstr(answer, part) != NULL, "no \"%s\" in \"%s\"", part, answer);
}

static void wait_in_flight(long long want)
{
	for (int ms = 0; ms < HTTPD_PATIENCE * 1000; ms++) {
		if (atomic_load(&served.api.metrics.in_flight) == want)
			return;
		nap();
	}
	ck_abort_msg("%lld in flight, want %lld",
		     (long long)atomic_load(&served.api.metrics.in_flight), want);
}

/* A write is on its way, whatever becomes of its client. */
static void wait_at_gate(void)
{
	bool arrived = false;

	for (int ms = 0; ms < HTTPD_PATIENCE * 1000 && !arrived; ms++) {
		pthread_mutex_lock(&gate_lock);
		arrived = at_gate;
		pthread_mutex_unlock(&gate_lock);
		nap();
	}
	ck_assert_msg(arrived, "the writer has nothing to write");
}

static void wait_queued(size_t want)
{
	struct writer_stats stats = {0};

	for (int ms = 0; ms < HTTPD_PATIENCE * 1000; ms++) {
		writer_stats(served.api.writer, &stats);
		if (stats.queued == want)
			return;
		nap();
	}
	ck_abort_msg("%zu queued, want %zu", stats.queued, want);
}

START_TEST(feedback_is_answered_only_after_the_commit)
{
	int fd = connect_client(), other = connect_client();
	char byte;

	set_gate(true);
	send_post(fd, "/feedback", FEEDBACK);
	wait_at_gate();
	/* others are served meanwhile */
	send_text(other, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_received(other, "HTTP/1.1 200");
	ck_assert_int_eq(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	set_gate(false);
	assert_received(fd, "\"duplicate\":false");
	close(fd);
	close(other);
}
END_TEST

START_TEST(full_queue_is_503_with_retry_after)
{
	int fds[4];

	set_gate(true);
	/* one with the writer, two in the queue, one too many */
	for (size_t i = 0; i < LENGTH(fds); i++) {
		fds[i] = connect_client();
		send_post(fds[i], "/feedback", FEEDBACK);
		if (i == 0)
			wait_at_gate();
		if (i < 3)
			wait_queued(i);
	}
	const char *answer = receive(fds[3]);
	ck_assert_msg(strstr(answer, "HTTP/1.1 503") == answer, "%s", answer);
	ck_assert_ptr_nonnull(strstr(answer, "Retry-After: 1"));
	ck_assert_ptr_nonnull(strstr(answer, "\"code\":\"overloaded\""));
	set_gate(false);
	for (size_t i = 0; i < 3; i++)
		assert_received(fds[i], "HTTP/1.1 200");
	for (size_t i = 0; i < LENGTH(fds); i++)
		close(fds[i]);
	ck_assert_uint_eq(served.fake.n_applied, 3);
}
END_TEST

START_TEST(client_that_vanishes_while_suspended_leaves_nothing)
{
	for (unsigned round = 0; round < 50; round++) {
		const struct linger reset = {.l_onoff = 1, .l_linger = 0};
		int fd = connect_client();

		set_gate(true);
		send_post(fd, "/feedback", FEEDBACK);
		wait_at_gate();
		if (round % 2 == 1)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
		set_gate(false);
		wait_in_flight(0);
		ck_assert_uint_eq(served.fake.n_applied, round + 1);
	}
}
END_TEST

START_TEST(client_that_vanishes_while_sending_leaves_nothing)
{
	for (size_t round = 0; round < 50; round++) {
		int fd = connect_client();

		send_text(fd, "POST /feedback HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\n");
		if (round % 2 == 1)
			send_text(fd, "{");
		close(fd);
	}
	/* with or without having seen them come, the daemon sees them go */
	for (size_t ms = 0; ms < 200; ms++)
		nap();
	wait_in_flight(0);
	ck_assert_uint_eq(served.fake.n_applied, 0);
}
END_TEST

START_TEST(deletion_waits_for_the_writer_too)
{
	int fd = connect_client();

	send_text(fd, "DELETE /users/a%2Fb HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_received(fd, "{\"user\":\"a/b\",\"deleted\"");
	close(fd);
}
END_TEST

START_TEST(body_over_the_limit_is_read_and_refused)
{
	static char body[5000];
	int fd = connect_client();

	memset(body, ' ', sizeof(body) - 1);
	send_text(fd, "POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 4999\r\n\r\n");
	send_text(fd, body);
	assert_received(fd, "HTTP/1.1 413");
	/* the connection is still good */
	send_text(fd, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_received(fd, "HTTP/1.1 200");
	close(fd);
}
END_TEST

/* Whoever stands in front may have believed the other length, and what is a body to one of
 * the two is the next request to the other. */
START_TEST(body_of_two_lengths_is_refused_and_the_connection_closed)
{
	static const struct {
		const char *line, *headers, *want;
	} cases[] = {
	    {"POST /score", "Content-Length: 0\r\nContent-Length: 2", "HTTP/1.1 400"},
	    {"POST /score", "content-length: 2\r\nContent-Length: 2", "HTTP/1.1 400"},
	    {"POST /score", "Content-Length: 2\r\nTransfer-Encoding: chunked", "HTTP/1.1 400"},
	    {"POST /score", "Transfer-Encoding: gzip, chunked", "HTTP/1.1 400"},
	    {"GET /livez", "Content-Length: 0\r\nContent-Length: 2", "HTTP/1.1 400"},
	    {"GET /none", "Content-Length: 0\r\nContent-Length: 2", "HTTP/1.1 404"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		int fd = connect_client();
		char head[256];

		snprintf(head, sizeof(head), "%s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", cases[i].line,
			 cases[i].headers);
		send_text(fd, head);
		const char *answer = receive(fd);
		ck_assert_msg(strstr(answer, cases[i].want) == answer, "%zu: %s", i, answer);
		ck_assert_msg(strstr(answer, "Connection: close") != NULL, "%zu: %s", i, answer);
		ck_assert_msg(*receive(fd) == '\0', "%zu: not closed", i);
		close(fd);
	}
}
END_TEST

START_TEST(body_far_over_the_limit_is_refused_at_once)
{
	int fd = connect_client();

	send_text(fd, "POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n");
	assert_received(fd, "4096 bytes, the limit of --max-body");
	ck_assert_str_eq(receive(fd), "");
	close(fd);
}
END_TEST

START_TEST(body_is_asked_for_only_if_it_may_come)
{
	int fd = connect_client();

	send_text(fd, "POST /score HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
		      "Content-Length: 2\r\n\r\n");
	assert_received(fd, "HTTP/1.1 100");
	send_text(fd, "{}");
	assert_received(fd, "HTTP/1.1 422");
	send_text(fd, "POST /score HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
		      "Content-Length: 5000\r\n\r\n");
	assert_received(fd, "HTTP/1.1 413");
	close(fd);
}
END_TEST

START_TEST(drain_waits_for_what_is_in_flight)
{
	int fd = connect_client();

	set_gate(true);
	send_post(fd, "/feedback", FEEDBACK);
	wait_at_gate();
	ck_assert(!httpd_drain(served.httpd, 0.05));
	set_gate(false);
	const char *answer = receive(fd);
	ck_assert_msg(strstr(answer, "HTTP/1.1 200") == answer, "%s", answer);
	ck_assert_ptr_nonnull(strstr(answer, "Connection: close"));
	close(fd);
}
END_TEST

START_TEST(drain_lets_nobody_in)
{
	int fd = connect_client(), late = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(served.port),
				      .sin_addr = {htonl(INADDR_LOOPBACK)}};

	set_gate(true);
	send_post(fd, "/feedback", FEEDBACK);
	wait_at_gate();
	ck_assert(!httpd_drain(served.httpd, 0));
	ck_assert_int_ne(connect(late, (struct sockaddr *)&address, sizeof(address)), 0);
	close(late);
	set_gate(false);
	assert_received(fd, "HTTP/1.1 200");
	close(fd);
}
END_TEST

START_TEST(stop_waits_for_the_writes_of_those_who_are_late)
{
	int fd = connect_client();

	set_gate(true);
	send_post(fd, "/feedback", FEEDBACK);
	wait_at_gate();
	ck_assert(!httpd_drain(served.httpd, 0));
	set_gate(false);
	httpd_stop(served.httpd);
	served.httpd = NULL;
	ck_assert_uint_eq(served.fake.n_applied, 1);
	ck_assert_int_eq(atomic_load(&served.api.metrics.in_flight), 0);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("httpd");
	TCase *tcase = tcase_create("httpd");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, feedback_is_answered_only_after_the_commit);
	tcase_add_test(tcase, full_queue_is_503_with_retry_after);
	tcase_add_test(tcase, client_that_vanishes_while_suspended_leaves_nothing);
	tcase_add_test(tcase, client_that_vanishes_while_sending_leaves_nothing);
	tcase_add_test(tcase, deletion_waits_for_the_writer_too);
	tcase_add_test(tcase, body_over_the_limit_is_read_and_refused);
	tcase_add_test(tcase, body_of_two_lengths_is_refused_and_the_connection_closed);
	tcase_add_test(tcase, body_far_over_the_limit_is_refused_at_once);
	tcase_add_test(tcase, body_is_asked_for_only_if_it_may_come);
	tcase_add_test(tcase, drain_waits_for_what_is_in_flight);
	tcase_add_test(tcase, drain_lets_nobody_in);
	tcase_add_test(tcase, stop_waits_for_the_writes_of_those_who_are_late);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
