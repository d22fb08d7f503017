/* SPDX-License-Identifier: Apache-2.0 */
#include <pty.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/tool/terminal.h"
#include "tests/unit/unit.h"

static int master, slave;
static FILE *out;

static void setup(void)
{
	struct winsize size = {.ws_row = 24, .ws_col = 123};

	ck_assert_int_eq(openpty(&master, &slave, NULL, NULL, &size), 0);
	out = fdopen(slave, "w");
	ck_assert_ptr_nonnull(out);
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
}

static void teardown(void)
{
	fclose(out);
	close(master);
}

START_TEST(terminal_is_interactive_and_coloured)
{
	struct terminal terminal;

	terminal_init(&terminal, out);
	ck_assert(terminal.interactive && terminal.colour);
	ck_assert_int_eq(terminal.width, 123);
	ck_assert_str_eq(terminal_style(&terminal, STYLE_BOLD), "\033[1m");
}
END_TEST

START_TEST(no_color_takes_only_the_colours)
{
	struct terminal terminal;

	setenv("NO_COLOR", "1", 1);
	terminal_init(&terminal, out);
	ck_assert(terminal.interactive && !terminal.colour);
	ck_assert_str_eq(terminal_style(&terminal, STYLE_BOLD), "");
	ck_assert_str_eq(terminal_style(&terminal, STYLE_PLAIN), "");
}
END_TEST

START_TEST(empty_no_color_counts_as_unset)
{
	struct terminal terminal;

	setenv("NO_COLOR", "", 1);
	terminal_init(&terminal, out);
	ck_assert(terminal.colour);
}
END_TEST

static const char *const dumb[] = {"dumb", NULL};

START_TEST(terminal_that_cannot_redraw_is_not_interactive)
{
	struct terminal terminal;

	if (dumb[_i] == NULL)
		unsetenv("TERM");
	else
		setenv("TERM", dumb[_i], 1);
	terminal_init(&terminal, out);
	ck_assert(!terminal.interactive && !terminal.colour);
}
END_TEST

START_TEST(file_is_not_interactive_and_has_the_usual_width)
{
	struct terminal terminal;
	FILE *file = tmpfile();

	terminal_init(&terminal, file);
	ck_assert(!terminal.interactive && !terminal.colour);
	ck_assert_int_eq(terminal.width, TERMINAL_DEFAULT_WIDTH);
	fclose(file);
}
END_TEST

START_TEST(measure_follows_the_window)
{
	struct winsize size = {.ws_row = 24, .ws_col = 40};
	struct terminal terminal;

	terminal_init(&terminal, out);
	ck_assert_int_eq(ioctl(slave, TIOCSWINSZ, &size), 0);
	terminal_measure(&terminal);
	ck_assert_int_eq(terminal.width, 40);
}
END_TEST

START_TEST(window_of_unknown_size_keeps_the_width)
{
	struct winsize size = {0};
	struct terminal terminal;

	ck_assert_int_eq(ioctl(slave, TIOCSWINSZ, &size), 0);
	terminal_init(&terminal, out);
	ck_assert_int_eq(terminal.width, TERMINAL_DEFAULT_WIDTH);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("terminal");
	TCase *tcase = tcase_create("terminal");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, terminal_is_interactive_and_coloured);
	tcase_add_test(tcase, no_color_takes_only_the_colours);
	tcase_add_test(tcase, empty_no_color_counts_as_unset);
	tcase_add_loop_test(tcase, terminal_that_cannot_redraw_is_not_interactive, 0,
			    (int)LENGTH(dumb));
	tcase_add_test(tcase, file_is_not_interactive_and_has_the_usual_width);
	tcase_add_test(tcase, measure_follows_the_window);
	tcase_add_test(tcase, window_of_unknown_size_keeps_the_width);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
