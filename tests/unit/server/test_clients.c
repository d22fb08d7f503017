/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/clients.h"
#include "tests/unit/unit.h"

enum { N = 4 };

static struct clients clients;
static struct client client[N];
static int other_end[N];

/* Client i came at second i. */
static void set_up(void)
{
	clients = (struct clients){0};
	for (int i = 0; i < N; i++) {
		int pair[2];

		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		other_end[i] = pair[1];
		client[i] = (struct client){0};
		clients_add(&clients, &client[i], pair[0], i);
	}
}

#define LATER 1e6 /* seconds */

static void tear_down(void)
{
	for (int i = 0; i < N; i++) {
		clients_remove(&clients, &client[i]);
		close(client[i].fd);
		close(other_end[i]);
	}
	ck_assert_uint_eq(clients_count_idle(&clients, LATER), 0);
	ck_assert_ptr_null(clients.idle);
	ck_assert_ptr_null(clients.busy);
}

static bool has_ended(int i)
{
	char byte;

	return recv(other_end[i], &byte, 1, MSG_DONTWAIT) == 0;
}

/* Which of them have ended, as bits. */
static unsigned ended(void)
{
	unsigned bits = 0;

	for (int i = 0; i < N; i++)
		bits |= has_ended(i) ? 1u << i : 0;
	return bits;
}

START_TEST(those_without_a_request_are_counted)
{
	ck_assert_uint_eq(clients_count_idle(&clients, LATER), N);
	clients_enter(&clients, &client[1], CLIENT_SENDING, 5);
	clients_enter(&clients, &client[2], CLIENT_WAITING, 5);
	ck_assert_uint_eq(clients_count_idle(&clients, LATER), N - 2);
	clients_enter(&clients, &client[1], CLIENT_IDLE, 6);
	ck_assert_uint_eq(clients_count_idle(&clients, LATER), N - 1);
	/* the first of them has been there since 0 */
	ck_assert_uint_eq(clients_count_idle(&clients, 0.5), N - 1);
	ck_assert_uint_eq(clients_count_idle(&clients, 0), 0);
}
END_TEST

START_TEST(who_is_idle_for_longest_is_ended_first)
{
	clients_enter(&clients, &client[0], CLIENT_SENDING, 5);
	clients_enter(&clients, &client[0], CLIENT_IDLE, 6);
	ck_assert_uint_eq(clients_end_idlest(&clients, 2, 7), 2);
	ck_assert_uint_eq(ended(), 1u << 1 | 1u << 2);
	ck_assert_uint_eq(clients_count_idle(&clients, LATER), 2);
	ck_assert_uint_eq(clients_end_idlest(&clients, N, 7), 2);
	ck_assert_uint_eq(clients_end_idlest(&clients, N, 7), 0);
	ck_assert_uint_eq(ended(), (1u << N) - 1);
}
END_TEST

START_TEST(who_has_just_come_or_been_answered_is_not_ended)
{
	double now = N - 1 + CLIENT_GRACE_SECONDS / 2;

	clients_enter(&clients, &client[0], CLIENT_SENDING, now);
	clients_enter(&clients, &client[0], CLIENT_IDLE, now);
	ck_assert_uint_eq(clients_end_idlest(&clients, N, now), N - 2);
	ck_assert_uint_eq(ended(), 1u << 1 | 1u << 2);
}
END_TEST

START_TEST(who_has_a_request_is_not_ended_for_room)
{
	for (int i = 0; i < N; i++)
		clients_enter(&clients, &client[i], i % 2 ? CLIENT_READING : CLIENT_WAITING, 5);
	ck_assert_uint_eq(clients_end_idlest(&clients, N, 7), 0);
	ck_assert_uint_eq(ended(), 0);
}
END_TEST

START_TEST(request_that_nobody_has_read_is_not_lost)
{
	ck_assert_int_eq(send(other_end[0], "G", 1, 0), 1);
	ck_assert_uint_eq(clients_end_idlest(&clients, 1, 7), 1);
	ck_assert_uint_eq(ended(), 1u << 1);
}
END_TEST

START_TEST(each_phase_has_its_limit)
{
	static const struct client_limits limits = {.idle = 100, .busy = 10};

	clients_enter(&clients, &client[1], CLIENT_SENDING, 50);
	clients_enter(&clients, &client[2], CLIENT_WAITING, 50);
	clients_enter(&clients, &client[3], CLIENT_READING, 51);
	ck_assert_uint_eq(clients_end_slow(&clients, &limits, 60), 0);
	ck_assert_uint_eq(clients_end_slow(&clients, &limits, 60.5), 1);
	ck_assert_uint_eq(ended(), 1u << 1);
	ck_assert_uint_eq(clients_end_slow(&clients, &limits, 61.5), 1);
	ck_assert_uint_eq(ended(), 1u << 1 | 1u << 3);
	ck_assert_uint_eq(clients_end_slow(&clients, &limits, 100), 0);
	ck_assert_uint_eq(clients_end_slow(&clients, &limits, 100.5), 1);
	ck_assert_uint_eq(ended(), 1u << 0 | 1u << 1 | 1u << 3);
	ck_assert_uint_eq(clients_end_slow(&clients, &limits, 1e6), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("clients");
	TCase *tc = tcase_create("clients");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, those_without_a_request_are_counted);
	tcase_add_test(tc, who_is_idle_for_longest_is_ended_first);
	tcase_add_test(tc, who_has_just_come_or_been_answered_is_not_ended);
	tcase_add_test(tc, who_has_a_request_is_not_ended_for_room);
	tcase_add_test(tc, request_that_nobody_has_read_is_not_lost);
	tcase_add_test(tc, each_phase_has_its_limit);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
