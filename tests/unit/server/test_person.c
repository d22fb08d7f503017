/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "server/person.h"
#include "tests/unit/unit.h"

static const struct {
	struct person_source source;
	const char *user, *context; /* what is read */
	enum status status;
	const char *param;
} cases[] = {
    {{0}, NULL, "", STATUS_OK, ""},
    {{.query_user = "ada+l"}, "ada l", "", STATUS_OK, ""},
    {{.header_user = "ada+l"}, "ada+l", "", STATUS_OK, ""},
    {{.header_user = "\xc3\xa9", .header_context = "c"}, "\xc3\xa9", "c", STATUS_OK, ""},
    {{.query_user = "a%20b", .header_user = "a b"}, "a b", "", STATUS_OK, ""},
    {{.query_context = ""}, NULL, "", STATUS_OK, ""},
    {{.query_context = "c", .header_context = "c"}, NULL, "c", STATUS_OK, ""},
    {{.query_user = ""}, NULL, NULL, STATUS_INVALID_VALUE, "?user"},
    {{.header_user = ""}, NULL, NULL, STATUS_INVALID_VALUE, "X-Micro-User"},
    {{.query_user = "a%0a"}, NULL, NULL, STATUS_INVALID_VALUE, "?user"},
    {{.query_user = "%"}, NULL, NULL, STATUS_MALFORMED, "?user"},
    {{.query_context = "%ff"}, NULL, NULL, STATUS_MALFORMED, "?context"},
    {{.header_context = "\xff"}, NULL, NULL, STATUS_MALFORMED, "X-Micro-Context"},
    {{.query_user = "a", .header_user = "b"}, NULL, NULL, STATUS_INVALID_VALUE, "X-Micro-User"},
    {{.query_context = "a", .header_context = ""},
     NULL,
     NULL,
     STATUS_INVALID_VALUE,
     "X-Micro-Context"},
};

static void assert_text(const char *got, const char *want)
{
	ck_assert_int_eq(got == NULL, want == NULL);
	if (got != NULL)
		ck_assert_str_eq(got, want);
}

START_TEST(query_and_headers_say_the_same)
{
	struct arena arena = {0};
	struct err err = {.param = ""};
	struct person person;

	ck_assert_msg(person_read(&cases[_i].source, &arena, &person, &err) == cases[_i].status,
		      "case %d: %s", _i, err.msg);
	if (cases[_i].status == STATUS_OK) {
		assert_text(person.user, cases[_i].user);
		assert_text(person.context, cases[_i].context);
	} else {
		ck_assert_str_eq(err.param, cases[_i].param);
		ck_assert_str_ne(err.msg, "");
	}
	arena_free(&arena);
}
END_TEST

START_TEST(longest_name_is_taken_and_no_longer_one)
{
	struct arena arena = {0};
	struct person person;
	char name[258];
	const struct person_source source = {.query_user = name};

	memset(name, 'u', sizeof(name));
	name[256] = '\0';
	ck_assert_int_eq(person_read(&source, &arena, &person, NULL), STATUS_OK);
	name[256] = 'u';
	name[257] = '\0';
	ck_assert_int_eq(person_read(&source, &arena, &person, NULL), STATUS_INVALID_VALUE);
	arena_free(&arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("person");
	TCase *tcase = tcase_create("person");

	tcase_add_loop_test(tcase, query_and_headers_say_the_same, 0, LENGTH(cases));
	tcase_add_test(tcase, longest_name_is_taken_and_no_longer_one);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
