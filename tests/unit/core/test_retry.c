/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "core/encode/retry.h"
#include "tests/unit/unit.h"

START_TEST(judge_tells_what_may_pass)
{
	static const struct {
		long status;
		enum retry_verdict want;
	} cases[] = {
	    {200, RETRY_ANSWERED}, {204, RETRY_ANSWERED}, {301, RETRY_NEVER}, {307, RETRY_NEVER},
	    {400, RETRY_SPLIT},	   {401, RETRY_NEVER},	  {403, RETRY_NEVER}, {404, RETRY_NEVER},
	    {405, RETRY_NEVER},	   {408, RETRY_AGAIN},	  {413, RETRY_SPLIT}, {415, RETRY_NEVER},
	    {422, RETRY_SPLIT},	   {424, RETRY_AGAIN},	  {425, RETRY_AGAIN}, {429, RETRY_AGAIN},
	    {500, RETRY_AGAIN},	   {502, RETRY_AGAIN},	  {503, RETRY_AGAIN}, {504, RETRY_AGAIN},
	    {100, RETRY_NEVER},	   {0, RETRY_NEVER},
	};

	for (size_t i = 0; i < LENGTH(cases); i++)
		ck_assert_msg(retry_judge(cases[i].status) == cases[i].want, "%ld",
			      cases[i].status);
}
END_TEST

START_TEST(wait_doubles_within_its_bounds)
{
	double most = RETRY_FIRST_WAIT;

	for (unsigned attempt = 0; attempt < 40; attempt++) {
		double low = retry_wait(attempt, 0, 0), high = retry_wait(attempt, 0, UINT32_MAX);

		ck_assert_msg(high == most && low == most / 2, "attempt %u: %g, %g", attempt, low,
			      high);
		most = most * 2 < RETRY_MAX_WAIT ? most * 2 : RETRY_MAX_WAIT;
	}
}
END_TEST

START_TEST(wait_honours_what_the_server_asks_up_to_a_bound)
{
	ck_assert(retry_wait(0, 3, 0) == 3);
	ck_assert(retry_wait(30, 0.5, UINT32_MAX) == RETRY_MAX_WAIT);
	ck_assert(retry_wait(0, RETRY_MAX_ASKED, 0) == RETRY_MAX_ASKED);
	ck_assert(retry_wait(0, RETRY_MAX_ASKED + 1, 0) < 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("retry");
	TCase *tcase = tcase_create("retry");

	tcase_add_test(tcase, judge_tells_what_may_pass);
	tcase_add_test(tcase, wait_doubles_within_its_bounds);
	tcase_add_test(tcase, wait_honours_what_the_server_asks_up_to_a_bound);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
