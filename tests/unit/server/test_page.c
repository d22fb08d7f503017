/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "server/page.h"
#include "tests/unit/unit.h"

START_TEST(page_begins_with_the_first_if_nothing_is_said)
{
	const struct page_source source = {0};
	struct page page;

	ck_assert_int_eq(page_read(&source, &page, NULL), STATUS_OK);
	ck_assert_str_eq(page.after, "");
	ck_assert_uint_eq(page.limit, PAGE_LIMIT);
}
END_TEST

START_TEST(limit_is_a_number_within_its_bounds)
{
	static const char *const bad[] = {"",	"0",  "1001", "-1",  "+1",
					  "1 ", " 1", "0x10", "1e2", "99999999999999999999999"};
	struct page_source source = {.limit = "1000"};
	struct page page;
	struct err err = {0};

	ck_assert_int_eq(page_read(&source, &page, NULL), STATUS_OK);
	ck_assert_uint_eq(page.limit, 1000);
	for (size_t i = 0; i < LENGTH(bad); i++) {
		source.limit = bad[i];
		ck_assert_msg(page_read(&source, &page, &err) == STATUS_INVALID_VALUE, "%s",
			      bad[i]);
		ck_assert_str_eq(err.param, "?limit");
	}
}
END_TEST

START_TEST(cursor_says_after_whom)
{
	char longest[STORE_MAX_ID + 1], cursor[PAGE_CURSOR_LEN + 1];
	const char *const names[] = {"a", "\xc3\xbc/\"?", longest};
	struct page_source source = {.cursor = cursor};
	struct page page;

	memset(longest, 'x', STORE_MAX_ID);
	longest[STORE_MAX_ID] = '\0';
	for (size_t i = 0; i < LENGTH(names); i++) {
		page_cursor(names[i], cursor);
		ck_assert_int_eq(page_read(&source, &page, NULL), STATUS_OK);
		ck_assert_str_eq(page.after, names[i]);
		/* nothing in it that a query would have to escape */
		ck_assert_uint_eq(strspn(cursor, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
						 "uvwxyz0123456789-_"),
				  strlen(cursor));
	}
}
END_TEST

START_TEST(what_is_no_cursor_is_refused)
{
	/* empty, no base64, of nobody, of another kind, with a NUL, no UTF-8 */
	static const char *const bad[] = {"", "u", "!!", "dQ", "eHg", "dQA", "df8", "dXUx=="};
	char long_one[PAGE_CURSOR_LEN + 5];
	struct page_source source = {.cursor = long_one};
	struct page page;
	struct err err = {0};

	memset(long_one, 'd', sizeof(long_one) - 1);
	long_one[sizeof(long_one) - 1] = '\0';
	ck_assert_int_eq(page_read(&source, &page, &err), STATUS_INVALID_VALUE);
	for (size_t i = 0; i < LENGTH(bad); i++) {
		source.cursor = bad[i];
		ck_assert_msg(page_read(&source, &page, &err) == STATUS_INVALID_VALUE, "%s",
			      bad[i]);
		ck_assert_str_eq(err.param, "?cursor");
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("page");
	TCase *tcase = tcase_create("read");

	tcase_add_test(tcase, page_begins_with_the_first_if_nothing_is_said);
	tcase_add_test(tcase, limit_is_a_number_within_its_bounds);
	tcase_add_test(tcase, cursor_says_after_whom);
	tcase_add_test(tcase, what_is_no_cursor_is_refused);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
