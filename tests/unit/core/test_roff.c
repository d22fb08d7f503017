/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "core/base/roff.h"
#include "tests/unit/unit.h"

static char *source;
static size_t source_len;
static FILE *out;

static void open_source(void)
{
	out = open_memstream(&source, &source_len);
	ck_assert_ptr_nonnull(out);
}

static void free_source(void)
{
	free(source);
}

/* What was written since open_source(). */
static const char *written(void)
{
	ck_assert_int_eq(fclose(out), 0);
	return source;
}

START_TEST(text_has_no_escapes_and_no_hyphens)
{
	static const char text[] = "a\\fBb --port -1 c";

	roff_text(text, strlen(text), out);
	ck_assert_str_eq(written(), "a\\efBb \\-\\-port \\-1 c");
}
END_TEST

START_TEST(lines_stay_and_none_is_a_request)
{
	static const char text[] = ".SH NAME\n'quoted\n\n  indented .SH\nlast";

	roff_lines(text, strlen(text), out);
	ck_assert_str_eq(written(), ".nf\n\\&.SH NAME\n\\&'quoted\n\n  indented .SH\nlast\n.fi\n");
}
END_TEST

START_TEST(paragraph_is_wrapped_and_no_line_is_a_request)
{
	char text[2000] = "";

	for (int i = 0; i < 100; i++)
		strcat(text, i % 3 == 0 ? ".dot  " : i % 3 == 1 ? "'q\n" : "--option ");
	roff_paragraph(text, strlen(text), out);
	size_t n_words = 0, n_lines = 0;
	for (const char *line = written(); *line != '\0'; n_lines++) {
		size_t len = strcspn(line, "\n");

		ck_assert_uint_le(len, 80);
		ck_assert(line[0] != '.' && line[0] != '\'');
		ck_assert(line[len - 1] != ' ');
		for (size_t i = 0; i < len; i++)
			n_words += line[i] == ' ';
		n_words++;
		line += len + 1;
	}
	ck_assert_uint_eq(n_words, 100);
	ck_assert_uint_ge(n_lines, 8);
}
END_TEST

START_TEST(word_longer_than_a_line_stands_alone)
{
	char text[300] = "a ";

	memset(text + 2, 'x', 200);
	strcpy(text + 202, " b");
	roff_paragraph(text, strlen(text), out);
	const char *lines = written();
	ck_assert_uint_eq(strcspn(lines, "\n"), 1);
	ck_assert_uint_eq(strcspn(lines + 2, "\n"), 200);
	ck_assert_str_eq(lines + 203, "b\n");
}
END_TEST

START_TEST(paragraphs_are_apart_and_indented_ones_stay)
{
	roff_paragraphs("one\ntwo\n\n  a  b\n  c\n\nthree", out);
	ck_assert_str_eq(written(), "one two\n.PP\n.nf\n  a  b\n  c\n.fi\n.PP\nthree\n");
}
END_TEST

START_TEST(term_is_an_option_and_its_value)
{
	roff_term("--port", "PORT", out);
	roff_term("--json", NULL, out);
	ck_assert_str_eq(written(), ".TP\n\\fB\\-\\-port\\fR \\fIPORT\\fR\n"
				    ".TP\n\\fB\\-\\-json\\fR\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("roff");
	TCase *tcase = tcase_create("roff");

	tcase_add_checked_fixture(tcase, open_source, free_source);
	tcase_add_test(tcase, text_has_no_escapes_and_no_hyphens);
	tcase_add_test(tcase, lines_stay_and_none_is_a_request);
	tcase_add_test(tcase, paragraph_is_wrapped_and_no_line_is_a_request);
	tcase_add_test(tcase, word_longer_than_a_line_stands_alone);
	tcase_add_test(tcase, paragraphs_are_apart_and_indented_ones_stay);
	tcase_add_test(tcase, term_is_an_option_and_its_value);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
