/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/report/comparison_page.h"
#include "tests/unit/core/capture_fixture.h"
#include "tests/unit/core/comparison_fixture.h"
#include "tests/unit/unit.h"

static const struct fixture_size usual = {8, 16, 16, 5, 3};
static struct comparison_fixture fixture;
static struct capture capture;

static void setup(void)
{
	capture_start(&capture, false, false);
	fixture_make(&fixture, &usual);
}

static void teardown(void)
{
	capture_end(&capture);
}

static const char *page(void)
{
	struct err err;

	ck_assert_msg(comparison_page_write(&fixture.comparison, capture.terminal.out, &err) ==
			  STATUS_OK,
		      "%s", err.msg);
	return capture_text(&capture);
}

static void assert_has(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "the page lacks '%s'", part);
}

static void assert_lacks(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) == NULL, "the page has '%s'", part);
}

/* ---- sections ---- */

static const char *const sections[] = {"id=\"feedback\"", "id=\"contexts\"", "id=\"heads\"",
				       "id=\"curves\""};

START_TEST(full_comparison_has_every_section)
{
	const char *text = page();

	for (size_t i = 0; i < LENGTH(sections); i++)
		assert_has(text, sections[i]);
	assert_has(text, "48,213 pairs, 1,204 users");
	assert_has(text, "3, from 1");
}
END_TEST

START_TEST(what_is_not_there_is_left_out)
{
	fixture_make(&fixture, &(struct fixture_size){.n_methods = 2, .n_seeds = 1});
	fixture.comparison.n_shots = 0;
	for (size_t i = 0; i < LENGTH(sections); i++)
		assert_lacks(page(), sections[i]);
	assert_has(page(), "Without feedback, ");
	assert_lacks(page(), "mean of contexts");
	assert_lacks(page(), "Routers fitted on");
}
END_TEST

START_TEST(methods_without_contexts_stand_beside_those_with)
{
	fixture.results[0].contexts = NULL;
	fixture.results[7].contexts = NULL;
	assert_has(page(), "<td>\u2013</td>");
}
END_TEST

static const struct fixture_size sizes[] = {
    {1, 1, 1, 1, 1},	 {1, 0, 1, 0, 1}, {2, 1, 1, 0, 2}, {8, 40, 16, 16, 3},
    {10, 40, 64, 16, 3}, {3, 0, 0, 0, 5}, {0, 0, 0, 0, 1},
};

START_TEST(pages_of_any_size_have_an_end_and_no_bad_number)
{
	const char *text;

	fixture_make(&fixture, &sizes[_i]);
	text = page();
	assert_has(text, "</html>\n");
	assert_lacks(text, "nan");
	assert_lacks(text, "inf");
	assert_lacks(text, "-0.0\"");
}
END_TEST

START_TEST(one_seed_has_no_spread)
{
	fixture_make(&fixture, &(struct fixture_size){8, 4, 4, 2, 1});
	assert_lacks(page(), "\u00b1");
	assert_lacks(page(), "class=\"band");
	assert_has(page(), "There was one seed");
}
END_TEST

START_TEST(same_comparison_gives_the_same_bytes)
{
	static char first[1 << 20];

	ck_assert_uint_lt(strlen(page()), sizeof(first));
	strcpy(first, page());
	ck_assert_str_eq(page(), first);
}
END_TEST

START_TEST(names_are_escaped_everywhere)
{
	static char name[] = "</svg><script>alert(1)</script>\"'&\x1b\u202e";

	fixture_name_all(&fixture, name);
	assert_lacks(page(), "<script");
	assert_lacks(page(), "\x1b");
	assert_has(page(), "&lt;/svg&gt;&lt;script&gt;");
}
END_TEST

/* ---- the summary ---- */

static struct compare_score *reached(size_t r)
{
	return &fixture.shots[r][fixture.comparison.n_shots - 1];
}

START_TEST(summary_names_the_best_and_by_how_much)
{
	fixture.comparison.n_results = 8;
	reached(0)->accuracy = (struct spread){0.768, 0.001};
	reached(5)->accuracy = (struct spread){0.824, 0.001};
	reached(7)->accuracy = (struct spread){0.845, 0.001};
	assert_has(page(), "After 8 feedbacks of a user, <strong><bdi>panel</bdi></strong> is "
			   "right most often: about 84.5 % of the pairs that follow");
	assert_has(page(), "<strong><bdi>bt</bdi></strong>) reaches 76.8 %, 7.7 points less, which "
			   "is more than the seeds differ.");
	assert_has(page(), "<strong><bdi>lore</bdi></strong>, reaches 82.4 %, 2.1 points less");
	assert_has(page(), "feedback is worth 7.2 points");
}
END_TEST

START_TEST(summary_does_not_tell_apart_what_seeds_do_not)
{
	reached(5)->accuracy = (struct spread){0.840, 0.004};
	reached(7)->accuracy = (struct spread){0.845, 0.003};
	assert_has(page(), "0.5 points less, which is no more than the seeds differ");
}
END_TEST

START_TEST(summary_says_when_the_single_model_is_best)
{
	reached(0)->accuracy.mean = 0.9;
	assert_has(page(), "no other method does better");
	assert_lacks(page(), "A single Bradley\u2013Terry model (");
}
END_TEST

START_TEST(summary_names_another_with_the_lowest_nll)
{
	reached(5)->nll.mean = 0.2;
	assert_has(page(), "The lowest NLL is that of <strong><bdi>lore</bdi></strong>: 0.200.");
}
END_TEST

START_TEST(best_of_each_column_has_a_star)
{
	const char *text = page();
	size_t n = 0;

	for (const char *at = text; (at = strstr(at, "aria-label=\"best\"")) != NULL; at++)
		n++;
	ck_assert_uint_eq(n, 6);
}
END_TEST

/* ---- errors ---- */

static void assert_refused(enum status status, const char *message)
{
	struct err err = {0};

	ck_assert_int_eq(comparison_page_write(&fixture.comparison, capture.terminal.out, &err),
			 status);
	ck_assert_str_eq(err.msg, message);
	ck_assert_str_eq(capture_text(&capture), "");
}

START_TEST(numbers_that_cannot_be_shown_are_named)
{
	fixture.shots[7][2].accuracy.mean = NAN;
	assert_refused(STATUS_NOT_FINITE, "comparison: method panel: after 2 feedbacks: accuracy "
					  "is not finite");
	fixture_make(&fixture, &usual);
	fixture.contexts[1][3].nll.sd = INFINITY;
	assert_refused(STATUS_NOT_FINITE, "comparison: method static: context public transport: "
					  "its standard deviation is not finite");
	fixture_make(&fixture, &usual);
	fixture.results[0].overall.accuracy.mean = 1.5;
	assert_refused(STATUS_INVALID_VALUE, "comparison: method bt: accuracy is 1.5, want 0 to 1");
	fixture_make(&fixture, &usual);
	fixture.curve_y[0][1].nll.mean = 1e300;
	assert_refused(STATUS_INVALID_VALUE,
		       "comparison: curve of heads: at 2: NLL is 1e+300, want 0 to 1e+09");
	fixture_make(&fixture, &usual);
	fixture.weights[17] = -INFINITY;
	assert_refused(STATUS_NOT_FINITE, "comparison: map of weights: row 1, column 1: value is "
					  "not finite");
}
END_TEST

START_TEST(full_disk_is_an_error)
{
	FILE *full = fopen("/dev/full", "w");
	struct err err;

	ck_assert_ptr_nonnull(full);
	ck_assert_int_eq(comparison_page_write(&fixture.comparison, full, &err), STATUS_IO);
	ck_assert_ptr_nonnull(strstr(err.msg, "the report: "));
	fclose(full);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("comparison_page");
	TCase *tcase = tcase_create("page");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, full_comparison_has_every_section);
	tcase_add_test(tcase, what_is_not_there_is_left_out);
	tcase_add_test(tcase, methods_without_contexts_stand_beside_those_with);
	tcase_add_loop_test(tcase, pages_of_any_size_have_an_end_and_no_bad_number, 0,
			    LENGTH(sizes));
	tcase_add_test(tcase, one_seed_has_no_spread);
	tcase_add_test(tcase, same_comparison_gives_the_same_bytes);
	tcase_add_test(tcase, names_are_escaped_everywhere);
	tcase_add_test(tcase, summary_names_the_best_and_by_how_much);
	tcase_add_test(tcase, summary_does_not_tell_apart_what_seeds_do_not);
	tcase_add_test(tcase, summary_says_when_the_single_model_is_best);
	tcase_add_test(tcase, summary_names_another_with_the_lowest_nll);
	tcase_add_test(tcase, best_of_each_column_has_a_star);
	tcase_add_test(tcase, numbers_that_cannot_be_shown_are_named);
	tcase_add_test(tcase, full_disk_is_an_error);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
