/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tool/table.h"
#include "tests/unit/core/capture_fixture.h"
#include "tests/unit/unit.h"

static const struct table_column titled[] = {
    {"name", ALIGN_LEFT}, {"pairs", ALIGN_RIGHT}, {"note", ALIGN_LEFT}};
static const struct table_column untitled[] = {{NULL, ALIGN_LEFT}, {NULL, ALIGN_LEFT}};

static struct capture capture;
static struct table table;

static void setup(void)
{
	capture_start(&capture, false, false);
}

static void teardown(void)
{
	table_free(&table);
	capture_end(&capture);
}

static void assert_prints(const char *wanted)
{
	ck_assert_int_eq(table_print(&table, &capture.terminal, NULL), STATUS_OK);
	ck_assert_str_eq(capture_text(&capture), wanted);
}

/* ---- columns ---- */

START_TEST(columns_are_as_wide_as_title_or_cell)
{
	table_init(&table, titled, 3);
	table_add(&table, "%s", "a");
	table_add(&table, "%d", 1234567);
	table_add(&table, "%s", "x");
	table_add(&table, "%s", "longer");
	table_add(&table, "%d", 1);
	table_add(&table, "%s", "");
	assert_prints("name      pairs  note\n"
		      "a       1234567  x\n"
		      "longer        1  \n");
}
END_TEST

START_TEST(table_without_titles_has_no_first_line)
{
	table_init(&table, untitled, 2);
	table_add(&table, "id");
	table_add(&table, "7");
	assert_prints("id  7\n");
}
END_TEST

START_TEST(table_without_rows_has_titles_only)
{
	table_init(&table, titled, 3);
	assert_prints("name  pairs  note\n");
}
END_TEST

START_TEST(gap_can_be_narrower)
{
	table_init(&table, untitled, 2);
	table.gap = 1;
	table_add(&table, "a");
	table_add(&table, "b");
	assert_prints("a b\n");
}
END_TEST

START_TEST(titles_are_bold_in_colour)
{
	static const struct table_column column = {"x", ALIGN_LEFT};

	capture.terminal.colour = true;
	table_init(&table, &column, 1);
	assert_prints("\033[1mx\n\033[0m");
}
END_TEST

START_TEST(many_rows_are_kept_in_order)
{
	table_init(&table, untitled, 2);
	for (int i = 0; i < 100; i++) {
		table_add(&table, "%d", i);
		table_add(&table, "%d", 2 * i);
	}
	ck_assert_int_eq(table_print(&table, &capture.terminal, NULL), STATUS_OK);
	ck_assert_ptr_nonnull(strstr(capture_text(&capture), "\n98  196\n99  198\n"));
}
END_TEST

/* ---- text from files ---- */

START_TEST(width_counts_columns_not_bytes)
{
	table_init(&table, untitled, 2);
	table_add(&table, "%s", "\xc3\xa9t\xc3\xa9"); /* 3 letters in 5 bytes */
	table_add(&table, "%s", "1");
	table_add(&table, "%s", "\xe6\x97\xa5\xe6\x9c\xac"); /* 2 letters, 4 columns */
	table_add(&table, "%s", "2");
	assert_prints("\xc3\xa9t\xc3\xa9   1\n"
		      "\xe6\x97\xa5\xe6\x9c\xac  2\n");
}
END_TEST

static const struct {
	const char *text, *shown;
} hostile[] = {
    {"a\033[2Jb", "a?[2Jb"},
    {"two\nlines", "two\\nlines"},
    {"a\tb\rc\x7f", "a?b?c?"},
    {"c1 \xc2\x9b"
     "31m",
     "c1 ?31m"},
    {"\xc2\xa0 \xc3\x9b", "\xc2\xa0 \xc3\x9b"},
};

START_TEST(control_characters_do_not_reach_the_terminal)
{
	char wanted[64];

	table_init(&table, untitled, 2);
	table_add(&table, "%s", hostile[_i].text);
	table_add(&table, "end");
	snprintf(wanted, sizeof(wanted), "%s  end\n", hostile[_i].shown);
	assert_prints(wanted);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("table");
	TCase *tcase = tcase_create("table");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, columns_are_as_wide_as_title_or_cell);
	tcase_add_test(tcase, table_without_titles_has_no_first_line);
	tcase_add_test(tcase, table_without_rows_has_titles_only);
	tcase_add_test(tcase, gap_can_be_narrower);
	tcase_add_test(tcase, titles_are_bold_in_colour);
	tcase_add_test(tcase, many_rows_are_kept_in_order);
	tcase_add_test(tcase, width_counts_columns_not_bytes);
	tcase_add_loop_test(tcase, control_characters_do_not_reach_the_terminal, 0,
			    (int)LENGTH(hostile));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
