/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/log.h"
#include "tests/unit/unit.h"

static int ends[2];

static void set_up(void)
{
	ck_assert_int_eq(pipe(ends), 0);
	log_open(LOG_INFO, ends[1]);
}

static void tear_down(void)
{
	close(ends[0]);
	close(ends[1]);
}

/* What was logged, without its time. */
static const char *logged(void)
{
	static char text[8192];
	const char *rest;
	ssize_t n;

	close(ends[1]);
	n = read(ends[0], text, sizeof(text) - 1);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	rest = strchr(text, ' ');
	ck_assert_msg(n == 0 ||
			  (strncmp(text, "time=", 5) == 0 && rest == text + 5 + CLOCK_TEXT_LEN),
		      "%s", text);
	return n == 0 ? text : rest + 1;
}

START_TEST(line_has_keys_and_values)
{
	struct log_line line;

	log_begin(&line, LOG_INFO, "listening");
	log_text(&line, "address", "127.0.0.1");
	log_int(&line, "port", 8080);
	log_real(&line, "ms", 0.25);
	log_end(&line);
	ck_assert_str_eq(logged(),
			 "level=info event=listening address=127.0.0.1 port=8080 ms=0.25\n");
}
END_TEST

START_TEST(value_is_quoted_when_needed)
{
	struct log_line line;

	log_begin(&line, LOG_ERROR, "x");
	log_text(&line, "empty", "");
	log_text(&line, "space", "a b");
	log_text(&line, "quote", "a\"b\\");
	log_text(&line, "newline", "a\nlevel=error");
	log_text(&line, "equals", "a=b");
	log_text(&line, "utf8", "ü");
	log_end(&line);
	ck_assert_str_eq(logged(), "level=error event=x empty=\"\" space=\"a b\" "
				   "quote=\"a\\\"b\\\\\" newline=\"a\\x0alevel=error\" "
				   "equals=\"a=b\" utf8=ü\n");
}
END_TEST

START_TEST(line_below_the_level_is_dropped)
{
	struct log_line line;

	log_begin(&line, LOG_DEBUG, "x");
	log_text(&line, "key", "value");
	log_end(&line);
	ck_assert_str_eq(logged(), "");
}
END_TEST

START_TEST(long_line_is_cut_and_ends_with_a_newline)
{
	char value[4096];
	struct log_line line;
	const char *text;

	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	log_begin(&line, LOG_INFO, "x");
	log_text(&line, "key", value);
	log_text(&line, "after", value);
	log_end(&line);
	text = logged();
	ck_assert_uint_lt(strlen(text), sizeof(line.text));
	ck_assert_int_eq(text[strlen(text) - 1], '\n');
}
END_TEST

/* ---- clock_text ---- */

START_TEST(time_is_rfc_3339)
{
	static const struct {
		int64_t us;
		const char *want;
	} cases[] = {
	    {0, "1970-01-01T00:00:00.000000Z"},
	    {-1, "1969-12-31T23:59:59.999999Z"},
	    {1767225600123456, "2026-01-01T00:00:00.123456Z"},
	    {1709164800000000, "2024-02-29T00:00:00.000000Z"},
	    {INT64_MAX, "9999-12-31T23:59:59.999999Z"},
	    {INT64_MIN, "0000-01-01T00:00:00.000000Z"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		char text[CLOCK_TEXT_LEN + 1];

		clock_text(cases[i].us, text);
		ck_assert_str_eq(text, cases[i].want);
	}
}
END_TEST

START_TEST(clocks_advance)
{
	double begin = clock_monotonic();
	int64_t now = clock_now_us();

	ck_assert_int_gt(now, 1600000000000000);
	ck_assert_double_ge(clock_monotonic(), begin);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *lines = tcase_create("lines");
	TCase *clocks = tcase_create("clock");

	tcase_add_checked_fixture(lines, set_up, tear_down);
	tcase_add_test(lines, line_has_keys_and_values);
	tcase_add_test(lines, value_is_quoted_when_needed);
	tcase_add_test(lines, line_below_the_level_is_dropped);
	tcase_add_test(lines, long_line_is_cut_and_ends_with_a_newline);
	suite_add_tcase(suite, lines);
	tcase_add_test(clocks, time_is_rfc_3339);
	tcase_add_test(clocks, clocks_advance);
	suite_add_tcase(suite, clocks);
	return unit_run(suite);
}
