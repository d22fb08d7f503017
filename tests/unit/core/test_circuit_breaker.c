/* SPDX-License-Identifier: Apache-2.0 */
#include "core/encode/circuit_breaker.h"
#include "tests/unit/unit.h"

#define N 3 /* failures that open it */

static struct circuit_breaker b;

static void init(void)
{
	circuit_breaker_init(&b, N);
}

static void fail_often(int n, double now)
{
	for (int i = 0; i < n; i++)
		circuit_breaker_failure(&b, now, 0);
}

START_TEST(failures_in_a_row_open_it)
{
	fail_often(N - 1, 1);
	ck_assert_int_eq(b.state, BREAKER_CLOSED);
	circuit_breaker_success(&b);
	fail_often(N - 1, 1);
	ck_assert_int_eq(b.state, BREAKER_CLOSED);
	fail_often(1, 2);
	ck_assert_int_eq(b.state, BREAKER_OPEN);
	ck_assert_uint_eq(b.n_trips, 1);
	ck_assert(b.opened_at == 2);
}
END_TEST

START_TEST(trip_opens_it_at_once)
{
	circuit_breaker_trip(&b, 5, 0);
	ck_assert_int_eq(b.state, BREAKER_OPEN);
	circuit_breaker_trip(&b, 6, 0);
	ck_assert_uint_eq(b.n_trips, 1);
	ck_assert(b.opened_at == 5);
}
END_TEST

START_TEST(one_probes_after_the_wait)
{
	circuit_breaker_trip(&b, 10, 0);
	ck_assert(!circuit_breaker_due(&b, 10));
	ck_assert(!circuit_breaker_due(&b, 10 + CIRCUIT_BREAKER_FIRST_WAIT - 0.01));
	ck_assert(circuit_breaker_due(&b, 10 + CIRCUIT_BREAKER_FIRST_WAIT));
	ck_assert_int_eq(b.state, BREAKER_PROBING);
	ck_assert(!circuit_breaker_due(&b, 100));
	circuit_breaker_success(&b);
	ck_assert_int_eq(b.state, BREAKER_CLOSED);
	ck_assert_uint_eq(b.n_failures, 0);
}
END_TEST

START_TEST(wait_doubles_up_to_its_bound_and_starts_again_after_a_success)
{
	double now = 0, wait = CIRCUIT_BREAKER_FIRST_WAIT;

	circuit_breaker_trip(&b, now, 0);
	for (int i = 0; i < 12; i++) {
		ck_assert(b.retry_at == now + wait);
		now = b.retry_at;
		ck_assert(circuit_breaker_due(&b, now));
		circuit_breaker_failure(&b, now, 0);
		wait = wait * 2 < CIRCUIT_BREAKER_MAX_WAIT ? wait * 2 : CIRCUIT_BREAKER_MAX_WAIT;
	}
	ck_assert(wait == CIRCUIT_BREAKER_MAX_WAIT);
	ck_assert_uint_eq(b.n_trips, 1);
	ck_assert(b.opened_at == 0);
	now = b.retry_at;
	ck_assert(circuit_breaker_due(&b, now));
	circuit_breaker_success(&b);
	circuit_breaker_trip(&b, now, 0);
	ck_assert(b.retry_at == now + CIRCUIT_BREAKER_FIRST_WAIT);
	ck_assert_uint_eq(b.n_trips, 2);
}
END_TEST

START_TEST(longer_wait_that_was_asked_for_is_kept)
{
	circuit_breaker_trip(&b, 10, 7);
	ck_assert(b.retry_at == 17);
	ck_assert(!circuit_breaker_due(&b, 16.9) && circuit_breaker_due(&b, 17));
	circuit_breaker_failure(&b, 17, CIRCUIT_BREAKER_FIRST_WAIT);
	ck_assert(b.retry_at == 17 + 2 * CIRCUIT_BREAKER_FIRST_WAIT);
	ck_assert(circuit_breaker_due(&b, b.retry_at));
	circuit_breaker_failure(&b, 20, 40);
	ck_assert(b.retry_at == 60);
}
END_TEST

START_TEST(answers_to_old_questions_change_nothing_while_it_is_open)
{
	circuit_breaker_trip(&b, 1, 0);
	circuit_breaker_success(&b);
	ck_assert_int_eq(b.state, BREAKER_OPEN);
	fail_often(5, 100);
	ck_assert(b.retry_at == 1 + CIRCUIT_BREAKER_FIRST_WAIT);
}
END_TEST

START_TEST(without_a_limit_it_stays_closed)
{
	circuit_breaker_init(&b, 0);
	fail_often(1000, 1);
	circuit_breaker_trip(&b, 1, 0);
	ck_assert_int_eq(b.state, BREAKER_CLOSED);
	ck_assert_str_eq(circuit_breaker_name(BREAKER_CLOSED), "closed");
	ck_assert_str_eq(circuit_breaker_name(BREAKER_OPEN), "open");
	ck_assert_str_eq(circuit_breaker_name(BREAKER_PROBING), "probing");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("circuit breaker");
	TCase *tcase = tcase_create("breaker");

	tcase_add_checked_fixture(tcase, init, NULL);
	tcase_add_test(tcase, failures_in_a_row_open_it);
	tcase_add_test(tcase, trip_opens_it_at_once);
	tcase_add_test(tcase, one_probes_after_the_wait);
	tcase_add_test(tcase, wait_doubles_up_to_its_bound_and_starts_again_after_a_success);
	tcase_add_test(tcase, longer_wait_that_was_asked_for_is_kept);
	tcase_add_test(tcase, answers_to_old_questions_change_nothing_while_it_is_open);
	tcase_add_test(tcase, without_a_limit_it_stays_closed);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
