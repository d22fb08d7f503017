/* SPDX-License-Identifier: Apache-2.0 */
/* test_anteroom.c - what those are told who do not get in */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "server/clock.h"
#include "tests/unit/server/acceptor_fixture.h"
#include "tests/unit/unit.h"

static void set_up(void)
{
	accepting_start(false);
}

START_TEST(past_the_limit_each_is_told_503_whatever_it_sends)
{
	static char body[1 << 22];

	atomic_store(&accepting.lanes[1].n, ACCEPTING_MAX);
	for (int i = 0; i < 3; i++) {
		int fd = accepting_connect();

		accepting_send_all(fd, ACCEPTING_HEAD, i == 0 ? 1 : sizeof(ACCEPTING_HEAD) - 1);
		if (i == 2)
			accepting_send_all(fd, body, sizeof(body));
		shutdown(fd, SHUT_WR);
		accepting_assert_refused(accepting_receive_all(fd));
	}
	ck_assert_uint_eq(accepting_n_ends(CONNECTION_REFUSED_LIMIT), 3);
}
END_TEST

START_TEST(past_the_limit_the_silent_are_told_503_too)
{
	atomic_store(&accepting.lanes[1].n, ACCEPTING_MAX);
	accepting_assert_refused(accepting_receive_all(accepting_connect()));
	ck_assert_uint_eq(accepting_n_ends(CONNECTION_REFUSED_LIMIT), 1);
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

	atomic_store(&accepting.lanes[1].n, ACCEPTING_MAX);
	fd = accepting_connect();
	for (int i = 0; i < 3; i++) {
		/* its parts come one after the other */
		accepting_send_all(fd, ACCEPTING_SMALL, 30);
		accepting_send_all(fd, &ACCEPTING_SMALL[30], sizeof(ACCEPTING_SMALL) - 1 - 30);
		assert_refused_but_open(fd);
	}
	ck_assert_uint_eq(accepting_n_ends(CONNECTION_REFUSED_LIMIT), 3);
	atomic_store(&accepting.lanes[1].n, ACCEPTING_MAX - 1);
	accepting_send_all(fd, ACCEPTING_SMALL, 1);
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

	atomic_store(&accepting.lanes[1].n, ACCEPTING_MAX);
	fd = accepting_connect();
	for (int i = 0; i < 3; i++) {
		accepting_send_all(fd, head, sizeof(head) - 1);
		accepting_send_all(fd, body, sizeof(body) - 1);
		ck_assert_int_eq(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
		accepting_send_all(fd, body, 1);
		assert_refused_but_open(fd);
	}
	ck_assert_uint_eq(accepting_n_ends(CONNECTION_REFUSED_LIMIT), 3);
	close(fd);
}
END_TEST

START_TEST(who_waits_for_an_answer_before_the_body_has_it)
{
	static const char head[] = "POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
				   "Expect: 100-continue\r\n\r\n";
	int fd;

	atomic_store(&accepting.lanes[1].n, ACCEPTING_MAX);
	fd = accepting_connect();
	accepting_send_all(fd, head, sizeof(head) - 1);
	accepting_assert_refused(accepting_receive_all(fd));
}
END_TEST

START_TEST(body_that_does_not_come_is_not_waited_for)
{
	int fd;

	atomic_store(&accepting.lanes[1].n, ACCEPTING_MAX);
	fd = accepting_connect();
	accepting_send_all(fd, ACCEPTING_SMALL, sizeof(ACCEPTING_SMALL) - 2);
	accepting_assert_refused(accepting_receive_all(fd));
	fd = accepting_connect();
	accepting_send_all(fd, ACCEPTING_SMALL, sizeof(ACCEPTING_SMALL) - 2);
	shutdown(fd, SHUT_WR);
	accepting_assert_refused(accepting_receive_all(fd));
}
END_TEST

START_TEST(two_requests_at_once_have_two_answers)
{
	int fd;

	atomic_store(&accepting.lanes[1].n, ACCEPTING_MAX);
	fd = accepting_connect();
	accepting_send_all(fd, ACCEPTING_SMALL ACCEPTING_SMALL, 2 * (sizeof(ACCEPTING_SMALL) - 1));
	while (accepting_n_ends(CONNECTION_REFUSED_LIMIT) < 2)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	close(fd);
}
END_TEST

/* The end comes together with the request. */
START_TEST(who_has_ended_is_let_go_after_the_answer)
{
	double began = clock_monotonic();

	atomic_store(&accepting.lanes[1].n, ACCEPTING_MAX);
	for (int i = 0; i < 10; i++) {
		int fd = accepting_connect();

		/* it is in the room, and what it sends is one packet */
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
		ck_assert_int_eq(send(fd, ACCEPTING_SMALL, sizeof(ACCEPTING_SMALL) - 1, MSG_MORE),
				 sizeof(ACCEPTING_SMALL) - 1);
		shutdown(fd, SHUT_WR);
		ck_assert_ptr_nonnull(strstr(accepting_receive_all(fd), "HTTP/1.1 503 "));
	}
	/* each would stay for 2 s if its end was missed */
	ck_assert(clock_monotonic() - began < 10);
}
END_TEST

START_TEST(who_wants_to_close_is_closed)
{
	static const char *const requests[] = {
	    "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n",
	    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"};

	atomic_store(&accepting.lanes[1].n, ACCEPTING_MAX);
	for (size_t i = 0; i < LENGTH(requests); i++) {
		int fd = accepting_connect();

		accepting_send_all(fd, requests[i], strlen(requests[i]));
		accepting_assert_refused(accepting_receive_all(fd));
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

	atomic_store(&accepting.lanes[1].n, ACCEPTING_MAX);
	for (size_t i = 0; i < LENGTH(lines); i++) {
		static char request[512];
		int len = snprintf(request, sizeof(request),
				   "POST / HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n12345" ACCEPTING_SMALL,
				   lines[i]);
		int fd = accepting_connect();
		const char *text;

		accepting_send_all(fd, request, (size_t)len);
		text = accepting_receive_all(fd);
		accepting_assert_refused(text);
		ck_assert_msg(count_answers(text) == 1, "%s: %s", lines[i], text);
	}
}
END_TEST

START_TEST(answer_to_head_has_no_body)
{
	static const char head[] = "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n";
	char text[1024];
	int fd;

	atomic_store(&accepting.lanes[1].n, ACCEPTING_MAX);
	fd = accepting_connect();
	for (int i = 0; i < 2; i++) {
		ssize_t n;

		accepting_send_all(fd, head, sizeof(head) - 1);
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
	static const char last[] =
	    "GET / HTTP/1.1\r\nConnection: close\r\n\r\n" ACCEPTING_SMALL ACCEPTING_SMALL;
	int fd;

	atomic_store(&accepting.lanes[1].n, ACCEPTING_MAX);
	fd = accepting_connect();
	accepting_send_all(fd, last, sizeof(last) - 1);
	/* a reset would throw away what has come */
	while (accepting_n_ends(CONNECTION_REFUSED_LIMIT) < 1)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	accepting_assert_refused(accepting_receive_all(fd));
}
END_TEST

START_TEST(past_the_limit_the_process_is_alive)
{
	static const char *const requests[] = {
	    "GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n",
	    "GET /v1/livez HTTP/1.1\r\nConnection: close\r\n\r\n"};

	atomic_store(&accepting.lanes[1].n, ACCEPTING_MAX);
	for (size_t i = 0; i < LENGTH(requests); i++) {
		int fd = accepting_connect();
		const char *text;

		accepting_send_all(fd, requests[i], strlen(requests[i]));
		text = accepting_receive_all(fd);
		ck_assert_msg(strstr(text, "HTTP/1.1 200 ") == text, "%s", text);
		ck_assert_ptr_nonnull(strstr(text, "{\"status\":\"ok\"}"));
	}
	ck_assert_uint_eq(accepting_n_ends(CONNECTION_REFUSED_LIMIT), 0);
}
END_TEST

START_TEST(more_refused_than_are_waited_for)
{
	enum { N = ACCEPTING_PLACES + 88 };
	static int fds[N];

	atomic_store(&accepting.lanes[0].n, ACCEPTING_MAX);
	for (int i = 0; i < N; i++)
		fds[i] = accepting_connect();
	for (int i = 0; i < N; i++)
		ck_assert_ptr_nonnull(strstr(accepting_receive_all(fds[i]), "HTTP/1.1 503 "));
	ck_assert_uint_eq(accepting_n_ends(CONNECTION_REFUSED_LIMIT), N);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("anteroom");
	TCase *tc = tcase_create("anteroom");

	tcase_add_checked_fixture(tc, set_up, accepting_stop);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, past_the_limit_each_is_told_503_whatever_it_sends);
	tcase_add_test(tc, past_the_limit_the_silent_are_told_503_too);
	tcase_add_test(tc, who_was_refused_may_ask_again_on_the_same_connection);
	tcase_add_test(tc, body_that_is_not_short_is_thrown_away_before_the_answer);
	tcase_add_test(tc, who_waits_for_an_answer_before_the_body_has_it);
	tcase_add_test(tc, body_that_does_not_come_is_not_waited_for);
	tcase_add_test(tc, two_requests_at_once_have_two_answers);
	tcase_add_test(tc, who_wants_to_close_is_closed);
	tcase_add_test(tc, who_has_ended_is_let_go_after_the_answer);
	tcase_add_test(tc, length_that_is_not_clear_ends_the_connection);
	tcase_add_test(tc, answer_to_head_has_no_body);
	tcase_add_test(tc, answer_is_not_lost_with_what_comes_after_its_request);
	tcase_add_test(tc, past_the_limit_the_process_is_alive);
	tcase_add_test(tc, more_refused_than_are_waited_for);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
