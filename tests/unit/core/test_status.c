/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "core/base/status.h"
#include "tests/unit/unit.h"

START_TEST(each_status_has_its_own_code)
{
	for (int i = 0; i < N_STATUSES; i++) {
		for (int j = 0; j < i; j++)
			ck_assert_msg(strcmp(status_code(i), status_code(j)) != 0,
				      "statuses %d and %d share %s", i, j, status_code(i));
	}
}
END_TEST

START_TEST(codes_are_words_for_machines)
{
	for (int i = 0; i < N_STATUSES; i++) {
		const char *code = status_code(i);

		ck_assert_msg(strspn(code, "abcdefghijklmnopqrstuvwxyz_0123456789") ==
				      strlen(code) &&
				  code[0] != '\0',
			      "status %d: \"%s\"", i, code);
	}
}
END_TEST

START_TEST(only_ok_answers_200)
{
	ck_assert_int_eq(STATUS_OK, 0);
	ck_assert_int_eq(status_http(STATUS_OK), 200);
	for (int i = 1; i < N_STATUSES; i++)
		ck_assert_msg(status_http(i) >= 400 && status_http(i) < 600, "status %s: %d",
			      status_code(i), status_http(i));
}
END_TEST

START_TEST(http_statuses_are_those_of_the_contract)
{
	static const struct {
		enum status status;
		int http;
	} cases[] = {
	    {STATUS_MALFORMED, 400},
	    {STATUS_NOT_FOUND, 404},
	    {STATUS_METHOD_NOT_ALLOWED, 405},
	    {STATUS_TOO_LARGE, 413},
	    {STATUS_UNSUPPORTED_MEDIA_TYPE, 415},
	    {STATUS_WRONG_DIMENSION, 422},
	    {STATUS_EVENT_ID_REUSED, 422},
	    {STATUS_OVERLOADED, 503},
	    {STATUS_NO_MEMORY, 503},
	};

	for (size_t i = 0; i < LENGTH(cases); i++)
		ck_assert_msg(status_http(cases[i].status) == cases[i].http, "case %zu: %d", i,
			      status_http(cases[i].status));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("status");
	TCase *tcase = tcase_create("status");

	tcase_add_test(tcase, each_status_has_its_own_code);
	tcase_add_test(tcase, codes_are_words_for_machines);
	tcase_add_test(tcase, only_ok_answers_200);
	tcase_add_test(tcase, http_statuses_are_those_of_the_contract);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
