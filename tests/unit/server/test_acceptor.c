/* SPDX-License-Identifier: Apache-2.0 */
/* test_acceptor.c - who gets in, and where to */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/server/acceptor_fixture.h"
#include "tests/unit/unit.h"

static void set_up(void)
{
	accepting_start(false);
}

START_TEST(connections_go_to_the_lane_that_has_fewest)
{
	atomic_store(&accepting.lanes[0].n, 3);
	for (int i = 0; i < 6; i++)
		ck_assert_str_eq(accepting_receive_all(accepting_connect()), "in");
	ck_assert_uint_ge(accepting.lanes[0].n, 4);
	ck_assert_uint_le(accepting.lanes[0].n, 5);
	ck_assert_uint_eq(accepting.lanes[0].n + accepting.lanes[1].n, 9);
}
END_TEST

START_TEST(who_asks_when_there_is_room_again_gets_in)
{
	char answer[2];
	int fd;

	atomic_store(&accepting.lanes[1].n, ACCEPTING_MAX);
	fd = accepting_connect();
	while (atomic_load(&accepting.lanes[1].n_counted) == 0)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	atomic_store(&accepting.lanes[1].n, ACCEPTING_MAX - 1);
	accepting_send_all(fd, "G", 1);
	ck_assert_int_eq(recv(fd, answer, sizeof(answer), MSG_WAITALL), sizeof(answer));
	ck_assert_uint_eq(accepting_n_ends(CONNECTION_REFUSED_LIMIT), 0);
	close(fd);
}
END_TEST

/* Told by another thread: somebody leaves a moment later. */
static void *leave(void *unused)
{
	(void)unused;
	nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	atomic_store(&accepting.lanes[1].n, ACCEPTING_MAX - 1);
	atomic_store(&accepting.lanes[1].n_leaving, 0);
	return NULL;
}

START_TEST(who_asks_while_somebody_leaves_waits_for_the_place)
{
	char answer[2];
	pthread_t thread;
	int fd;

	atomic_store(&accepting.lanes[1].n, ACCEPTING_MAX);
	atomic_store(&accepting.lanes[1].n_leaving, 1);
	fd = accepting_connect();
	accepting_send_all(fd, ACCEPTING_SMALL, sizeof(ACCEPTING_SMALL) - 1);
	ck_assert_int_eq(pthread_create(&thread, NULL, leave, NULL), 0);
	ck_assert_int_eq(recv(fd, answer, sizeof(answer), MSG_WAITALL), sizeof(answer));
	ck_assert_uint_eq(accepting_n_ends(CONNECTION_REFUSED_LIMIT), 0);
	pthread_join(thread, NULL);
	close(fd);
}
END_TEST

START_TEST(who_waits_for_a_place_is_told_when_nobody_leaves)
{
	int fd;

	atomic_store(&accepting.lanes[1].n, ACCEPTING_MAX);
	atomic_store(&accepting.lanes[1].n_leaving, 1);
	fd = accepting_connect();
	accepting_send_all(fd, ACCEPTING_HEAD, sizeof(ACCEPTING_HEAD) - 1);
	accepting_assert_refused(accepting_receive_all(fd));
	ck_assert_uint_eq(accepting.lanes[0].n_shed + accepting.lanes[1].n_shed, 0);
}
END_TEST

START_TEST(near_the_limit_the_idlest_lane_makes_room)
{
	atomic_store(&accepting.lanes[0].n, ACCEPTING_MAX / 2);
	atomic_store(&accepting.lanes[0].n_idle, 1);
	atomic_store(&accepting.lanes[1].n_idle, 2);
	ck_assert_str_eq(accepting_receive_all(accepting_connect()), "in");
	ck_assert_uint_eq(accepting.lanes[0].n_shed + accepting.lanes[1].n_shed, 0);
	atomic_store(&accepting.lanes[0].n, ACCEPTING_MAX - 2);
	ck_assert_str_eq(accepting_receive_all(accepting_connect()), "in");
	ck_assert_uint_eq(accepting.lanes[0].n_shed, 0);
	ck_assert_uint_eq(accepting.lanes[1].n_shed, 1);
}
END_TEST

START_TEST(encrypted_connections_past_the_limit_are_closed)
{
	char byte;
	int fd;

	accepting_stop();
	accepting_start(true);
	atomic_store(&accepting.lanes[0].n, ACCEPTING_MAX);
	fd = accepting_connect();
	accepting_send_all(fd, "G", 1);
	ck_assert_int_le(recv(fd, &byte, 1, 0), 0);
	ck_assert_uint_eq(accepting_n_ends(CONNECTION_REFUSED_LIMIT), 1);
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

	for (int i = 0; i < 1000 * ACCEPTING_PATIENCE; i++) {
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
		const struct timeval patience = {.tv_sec = ACCEPTING_PATIENCE};
		struct sockaddr_in address = {.sin_family = AF_INET,
					      .sin_port = htons(accepting.port),
					      .sin_addr = {htonl(INADDR_LOOPBACK)}};
		const char *text;

		setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		ck_assert_int_eq(connect(fds[i], (struct sockaddr *)&address, sizeof(address)), 0);
		accepting_send_all(fds[i], ACCEPTING_SMALL, sizeof(ACCEPTING_SMALL) - 1);
		shutdown(fds[i], SHUT_WR);
		text = accepting_receive_all(fds[i]);
		ck_assert_ptr_eq(strstr(text, "HTTP/1.1 503 "), text);
		take_a_file();
	}
	ck_assert_uint_eq(accepting_n_ends(CONNECTION_REFUSED_FILES), LENGTH(fds));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_str_eq(accepting_receive_all(accepting_connect()), "in");
}
END_TEST

START_TEST(after_stop_nobody_gets_in)
{
	acceptor_stop(accepting.acceptor);
	accepting.acceptor = NULL;
	ck_assert_int_eq(accepting_connect(), -1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("acceptor");
	TCase *tc = tcase_create("acceptor");

	tcase_add_checked_fixture(tc, set_up, accepting_stop);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, connections_go_to_the_lane_that_has_fewest);
	tcase_add_test(tc, who_asks_when_there_is_room_again_gets_in);
	tcase_add_test(tc, who_asks_while_somebody_leaves_waits_for_the_place);
	tcase_add_test(tc, who_waits_for_a_place_is_told_when_nobody_leaves);
	tcase_add_test(tc, near_the_limit_the_idlest_lane_makes_room);
	tcase_add_test(tc, encrypted_connections_past_the_limit_are_closed);
	tcase_add_test(tc, without_files_each_is_told_503_until_there_are_some_again);
	tcase_add_test(tc, after_stop_nobody_gets_in);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
