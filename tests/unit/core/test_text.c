/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/report/measure.h"
#include "core/report/text.h"
#include "tests/unit/core/capture_fixture.h"
#include "tests/unit/unit.h"

static struct capture capture;

static void setup(void)
{
	capture_start(&capture, false, false);
}

static void teardown(void)
{
	capture_end(&capture);
}

static const struct {
	const char *text, *want;
} text_cases[] = {
    {"plain", "plain"},
    {"</svg><script>alert('x')</script>",
     "&lt;/svg&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"},
    {"\"a\" & b", "&quot;a&quot; &amp; b"},
    {"two\nlines\t\x1b[31m\x7f", "two\u21b5lines\u2409\u241b[31m\u2421"},
    {"\u00e9\u4e2d\U0001f600", "\u00e9\u4e2d\U0001f600"},
    {"\xc2\x85 \xc2\x9b", "\ufffd \ufffd"}, /* C1 controls */
    {"a\u202e"
     "b\u2066"
     "c",
     "a\ufffd"
     "b\ufffd"
     "c"},					  /* would reorder */
    {"\xef\xbf\xbe\xef\xbf\xbf", "\ufffd\ufffd"}, /* no characters */
    {"a\xff"
     "b",
     "a\ufffd"
     "b"}, /* no UTF-8 */
    {"", ""},
};

START_TEST(text_is_only_shown)
{
	text_print(capture.terminal.out, text_cases[_i].text);
	ck_assert_str_eq(capture_text(&capture), text_cases[_i].want);
}
END_TEST

START_TEST(bytes_that_are_no_text_end_as_text)
{
	text_print(capture.terminal.out, "\xed\xa0\x80 \xf0\x9f");
	ck_assert_ptr_eq(strpbrk(capture_text(&capture), "\xed\xf0"), NULL);
}
END_TEST

START_TEST(cut_keeps_what_fits)
{
	text_print_cut(capture.terminal.out, "short", 10);
	ck_assert_str_eq(capture_text(&capture), "short");
	ck_assert(text_fits("short", 10));
	ck_assert(!text_fits("a much longer name", 5));
	text_print_cut(capture.terminal.out, "nnnnnnnnnn", 3.7);
	ck_assert_str_eq(capture_text(&capture), "nnnnn\u2026");
}
END_TEST

START_TEST(cut_is_between_characters_as_people_see_them)
{
	/* e with a combining acute */
	text_print_cut(capture.terminal.out, "e\u0301e\u0301e\u0301e\u0301", 1.8);
	ck_assert_str_eq(capture_text(&capture), "e\u0301\u2026");
}
END_TEST

START_TEST(wide_characters_take_more_room)
{
	ck_assert_double_gt(text_width("WWW"), text_width("iii"));
	ck_assert_double_gt(text_width("\u4e2d"), text_width("n"));
	ck_assert_double_eq_tol(text_width("e\u0301"), text_width("e"), 1e-12);
	ck_assert_double_eq_tol(text_width(""), 0, 1e-12);
}
END_TEST

START_TEST(numbers_have_their_digits_and_no_minus_zero)
{
	const struct spread spread = {0.84501, 0.00212};
	FILE *out = capture.terminal.out;

	measure_print(out, MEASURE_ACCURACY, 0.84501);
	ck_assert_str_eq(capture_text(&capture), "84.5");
	measure_print_spread(out, MEASURE_ACCURACY, &spread, 3);
	ck_assert_str_eq(capture_text(&capture), "84.50 \u00b1 0.21 %");
	measure_print_spread(out, MEASURE_NLL, &spread, 1);
	ck_assert_str_eq(capture_text(&capture), "0.8450");
	measure_print_fixed(out, -0.00001, 2);
	ck_assert_str_eq(capture_text(&capture), "0.00");
	measure_print_count(out, 1234007);
	ck_assert_str_eq(capture_text(&capture), "1,234,007");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("text");
	TCase *tcase = tcase_create("print");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, text_is_only_shown, 0, LENGTH(text_cases));
	tcase_add_test(tcase, bytes_that_are_no_text_end_as_text);
	tcase_add_test(tcase, cut_keeps_what_fits);
	tcase_add_test(tcase, cut_is_between_characters_as_people_see_them);
	tcase_add_test(tcase, wide_characters_take_more_room);
	tcase_add_test(tcase, numbers_have_their_digits_and_no_minus_zero);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
