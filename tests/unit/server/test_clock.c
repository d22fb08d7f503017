/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "server/clock.h"
#include "tests/unit/unit.h"

START_TEST(text_reads_back_as_the_same_moment)
{
	static const int64_t times[] = {0,
					1,
					-1,
					1767225600000000,
					1767225599999999,
					-62167219200000000,
					253402300799999999,
					951782400000000 /* 2000-02-29 */};

	for (size_t i = 0; i < LENGTH(times); i++) {
		char text[CLOCK_TEXT_LEN + 1];
		int64_t time_us = 7;

		clock_text(times[i], text);
		ck_assert_msg(clock_parse(text, strlen(text), &time_us), "%s", text);
		ck_assert_int_eq(time_us, times[i]);
	}
}
END_TEST

START_TEST(what_is_no_such_text_is_refused)
{
	static const char *const bad[] = {
	    "",
	    "2026-01-01T00:00:00Z",
	    "2026-01-01T00:00:00.000Z",
	    "2026-01-01 00:00:00.000000Z",
	    "2026-01-01T00:00:00.000000z",
	    "2026-01-01T00:00:00.000000+",
	    "2026-02-30T00:00:00.000000Z",
	    "2025-02-29T00:00:00.000000Z",
	    "2026-00-01T00:00:00.000000Z",
	    "2026-13-01T00:00:00.000000Z",
	    "2026-01-00T00:00:00.000000Z",
	    "2026-01-01T24:00:00.000000Z",
	    "2026-01-01T00:60:00.000000Z",
	    "2026-01-01T00:00:60.000000Z",
	    "2026-01-01T00:00:00.00000xZ",
	    "+026-01-01T00:00:00.000000Z",
	};

	for (size_t i = 0; i < LENGTH(bad); i++) {
		int64_t time_us;

		ck_assert_msg(!clock_parse(bad[i], strlen(bad[i]), &time_us), "%s", bad[i]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("clock");
	TCase *tcase = tcase_create("clock");

	tcase_add_test(tcase, text_reads_back_as_the_same_moment);
	tcase_add_test(tcase, what_is_no_such_text_is_refused);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
