/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/base/mem.h"
#include "core/data/pair_titles.h"
#include "core/encode/template.h"
#include "tests/unit/core/folder_fixture.h"
#include "tests/unit/unit.h"

static const char texts[] =
    "{\"prompt\":\"How long?\",\"context\":\"terse\",\"chosen\":\"a\",\"rejected\":\"b\"}\n"
    " \t\r\n"
    "{\"prompt\":\"Why?\",\"chosen\":\"a\",\"rejected\":\"b\"}\n"
    "{\"context\":\"kind\",\"chosen\":\"a\",\"rejected\":\"b\"}\n"
    "{\"prompt\":\"\",\"chosen\":\"a\",\"rejected\":\"b\"}\n";
static const char vectors[] =
    "{\"prompt\":[1,2],\"chosen\":[1,2],\"rejected\":[2,1]}\n"
    "{\"prompt\":[1,2],\"context\":7,\"chosen\":[1,2],\"rejected\":[2,1]}\n";

static struct encoder *encoder;
static struct dataset dataset;
static const char *path;
static char *titles[8];
static struct err err;

static void read_pairs(const char *spec, const char *lines)
{
	path = folder_write("pairs.jsonl", lines, strlen(lines));
	ck_assert_int_eq(encoder_open(spec, &encoder, NULL), STATUS_OK);
	ck_assert_int_eq(
	    dataset_read(path, encoder, TEMPLATE_DEFAULT_PHI, TEMPLATE_DEFAULT_PSI, &dataset, NULL),
	    STATUS_OK);
}

static void teardown(void)
{
	dataset_free(&dataset);
	encoder_close(encoder);
	folder_remove();
}

static void assert_titles(const uint32_t *pairs, const char *const *wanted, size_t n)
{
	ck_assert_msg(pair_titles_read(path, encoder, &dataset, pairs, n, titles, &err) ==
			  STATUS_OK,
		      "%s", err.msg);
	for (size_t j = 0; j < n; j++) {
		ck_assert_str_eq(titles[j], wanted[j]);
		mem_free(titles[j]);
	}
}

START_TEST(texts_have_context_and_prompt)
{
	static const uint32_t pairs[] = {3, 0, 1, 2, 0};
	static const char *const wanted[] = {"pair 4", "terse: How long?", "Why?", "kind",
					     "terse: How long?"};

	read_pairs("hash:16", texts);
	assert_titles(pairs, wanted, LENGTH(pairs));
}
END_TEST

START_TEST(vectors_have_a_context_or_a_number)
{
	static const uint32_t pairs[] = {0, 1};
	static const char *const wanted[] = {"pair 1", "7"};

	read_pairs("none:2", vectors);
	assert_titles(pairs, wanted, LENGTH(pairs));
}
END_TEST

START_TEST(a_file_that_has_become_shorter_is_refused)
{
	static const uint32_t pairs[] = {0, 3};

	read_pairs("hash:16", texts);
	folder_write("pairs.jsonl", texts, (size_t)(strchr(texts, '\n') + 1 - texts));
	ck_assert_int_eq(pair_titles_read(path, encoder, &dataset, pairs, 2, titles, &err),
			 STATUS_INVALID_VALUE);
	ck_assert_ptr_nonnull(strstr(err.msg, "pairs.jsonl: pair 2, which was there before"));
	ck_assert_ptr_null(titles[0]);
}
END_TEST

START_TEST(a_file_that_is_not_there_is_named)
{
	static const uint32_t pairs[] = {0};

	read_pairs("hash:16", texts);
	ck_assert_int_eq(
	    pair_titles_read(folder_path("none"), encoder, &dataset, pairs, 1, titles, &err),
	    STATUS_IO);
	ck_assert_ptr_nonnull(strstr(err.msg, "none"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pair_titles");
	TCase *tcase = tcase_create("pair_titles_read");

	tcase_add_checked_fixture(tcase, folder_make, teardown);
	tcase_add_test(tcase, texts_have_context_and_prompt);
	tcase_add_test(tcase, vectors_have_a_context_or_a_number);
	tcase_add_test(tcase, a_file_that_has_become_shorter_is_refused);
	tcase_add_test(tcase, a_file_that_is_not_there_is_named);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
