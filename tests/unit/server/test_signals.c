/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "server/signals.h"
#include "tests/unit/unit.h"

START_TEST(signals_before_the_wait_are_kept)
{
	signals_open();
	kill(getpid(), SIGHUP);
	kill(getpid(), SIGHUP);
	ck_assert_int_eq(signals_wait(), SIGNALS_RELOAD);
	kill(getpid(), SIGTERM);
	ck_assert_int_eq(signals_wait(), SIGNALS_STOP);
}
END_TEST

START_TEST(stop_comes_before_reload)
{
	signals_open();
	kill(getpid(), SIGHUP);
	kill(getpid(), SIGINT);
	ck_assert_int_eq(signals_wait(), SIGNALS_STOP);
}
END_TEST

static void *wait_for_ever(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

/* As OpenBLAS's threads do, which are there before main(). */
START_TEST(thread_that_does_not_block_signals_takes_them_for_us)
{
	pthread_t stranger;

	ck_assert_int_eq(pthread_create(&stranger, NULL, wait_for_ever, NULL), 0);
	signals_open();
	ck_assert_int_eq(pthread_kill(stranger, SIGHUP), 0);
	ck_assert_int_eq(signals_wait(), SIGNALS_RELOAD);
	ck_assert_int_eq(pthread_kill(stranger, SIGTERM), 0);
	ck_assert_int_eq(signals_wait(), SIGNALS_STOP);
}
END_TEST

START_TEST(broken_pipe_is_an_error_and_no_end)
{
	int ends[2];

	signals_open();
	ck_assert_int_eq(pipe(ends), 0);
	close(ends[0]);
	ck_assert_int_eq(write(ends[1], "x", 1), -1);
	close(ends[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("signals");
	TCase *tcase = tcase_create("signals");

	tcase_add_test(tcase, signals_before_the_wait_are_kept);
	tcase_add_test(tcase, stop_comes_before_reload);
	tcase_add_test(tcase, thread_that_does_not_block_signals_takes_them_for_us);
	tcase_add_test(tcase, broken_pipe_is_an_error_and_no_end);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
