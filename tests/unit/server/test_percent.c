/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "server/percent.h"
#include "tests/unit/unit.h"

enum { MAX = 8 };

static const struct {
	const char *escaped;
	bool plus_is_space;
	enum status status;
	const char *decoded;
	size_t len;
} cases[] = {
    {"", false, STATUS_OK, "", 0},
    {"ada", false, STATUS_OK, "ada", 3},
    {"a%20b+c", false, STATUS_OK, "a b+c", 5},
    {"a%20b+c", true, STATUS_OK, "a b c", 5},
    {"%2B%2b", true, STATUS_OK, "++", 2},
    {"%C3%a9", false, STATUS_OK, "\xc3\xa9", 2},
    {"a%00b", false, STATUS_OK, "a\0b", 3},
    {"12345678", false, STATUS_OK, "12345678", 8},
    {"123456789", false, STATUS_INVALID_VALUE, "", 0},
    {"1234567%208", false, STATUS_INVALID_VALUE, "", 0},
    {"%", false, STATUS_MALFORMED, "", 0},
    {"%4", false, STATUS_MALFORMED, "", 0},
    {"%4g", false, STATUS_MALFORMED, "", 0},
    {"%%41", false, STATUS_MALFORMED, "", 0},
    {"%ff", false, STATUS_MALFORMED, "", 0},
    {"%C3", false, STATUS_MALFORMED, "", 0},
};

START_TEST(escapes_are_read_strictly)
{
	char out[MAX + 1];
	struct err err = {0};
	size_t len = 0;

	ck_assert_msg(percent_decode(cases[_i].escaped, cases[_i].plus_is_space, MAX, out, &len,
				     &err) == cases[_i].status,
		      "%s: %s", cases[_i].escaped, err.msg);
	if (cases[_i].status != STATUS_OK) {
		ck_assert_str_ne(err.msg, "");
		return;
	}
	ck_assert_uint_eq(len, cases[_i].len);
	ck_assert_mem_eq(out, cases[_i].decoded, len + 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("percent");
	TCase *tcase = tcase_create("percent");

	tcase_add_loop_test(tcase, escapes_are_read_strictly, 0, LENGTH(cases));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
