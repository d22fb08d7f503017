/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>

#include "core/tool/interrupt.h"
#include "core/tool/stopwatch.h"
#include "tests/unit/unit.h"

static const int signals[] = {SIGINT, SIGTERM};

START_TEST(signal_is_noted_and_does_not_kill)
{
	interrupt_catch();
	ck_assert(!interrupt_seen());
	raise(signals[_i]);
	ck_assert(interrupt_seen());
}
END_TEST

START_TEST(stopwatch_never_goes_back)
{
	double earlier = stopwatch_seconds();

	ck_assert_double_ge(stopwatch_seconds(), earlier);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("interrupt");
	TCase *tcase = tcase_create("interrupt");

	tcase_add_loop_test(tcase, signal_is_noted_and_does_not_kill, 0, (int)LENGTH(signals));
	tcase_add_test(tcase, stopwatch_never_goes_back);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
