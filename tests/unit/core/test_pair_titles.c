/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/base/mem.h"
#include "core/data/pair_titles.h"
#include "tests/unit/core/folder_fixture.h"
#include "tests/unit/unit.h"

static const char lines[] =
    "{\"prompt\":\"How long?\",\"context\":\"terse\",\"chosen\":\"a\",\"rejected\":\"b\"}\n"
    " \t\r\n"
    "{\"prompt\":\"Why?\",\"chosen\":\"a\",\"rejected\":\"b\"}\n"
    "{\"context\":\"kind\",\"chosen\":\"a\",\"rejected\":\"b\"}\n"
    "{\"prompt\":\"\",\"chosen\":\"a\",\"rejected\":\"b\"}\n"
    "{\"prompt\":[1,2],\"chosen\":[1,2],\"rejected\":[2,1]}\n"
    "{\"prompt\":[1,2],\"context\":7,\"chosen\":[1,2],\"rejected\":[2,1]}\n";

static char *names[8];
static struct err err;

static enum status read_names(const uint32_t *pairs, size_t n)
{
	return pair_titles_read(folder_write("pairs.jsonl", lines, strlen(lines)), 2, pairs, n,
			       names, &err);
}

START_TEST(names_are_made_of_what_a_pair_has)
{
	static const uint32_t pairs[] = {3, 0, 1, 2, 4, 5, 0};
	static const char *const wanted[] = {"pair 4", "terse: How long?", "Why?", "kind", "pair 5",
					     "7",      "terse: How long?"};

	ck_assert_msg(read_names(pairs, 7) == STATUS_OK, "%s", err.msg);
	for (size_t j = 0; j < 7; j++) {
		ck_assert_str_eq(names[j], wanted[j]);
		mem_free(names[j]);
	}
}
END_TEST

START_TEST(a_pair_that_is_not_there_is_named)
{
	static const uint32_t pairs[] = {0, 6};

	ck_assert_int_eq(read_names(pairs, 2), STATUS_INVALID_VALUE);
	ck_assert_ptr_nonnull(strstr(err.msg, "pairs.jsonl: pair 7, which was there before"));
	ck_assert_ptr_null(names[0]);
}
END_TEST

START_TEST(a_file_that_is_not_there_is_named)
{
	static const uint32_t pairs[] = {0};

	ck_assert_int_eq(pair_titles_read(folder_path("none"), 2, pairs, 1, names, &err), STATUS_IO);
	ck_assert_ptr_nonnull(strstr(err.msg, "none"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pair_titles");
	TCase *tcase = tcase_create("pair_titles_read");

	tcase_add_checked_fixture(tcase, folder_make, folder_remove);
	tcase_add_test(tcase, names_are_made_of_what_a_pair_has);
	tcase_add_test(tcase, a_pair_that_is_not_there_is_named);
	tcase_add_test(tcase, a_file_that_is_not_there_is_named);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
