/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "server/buffer.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/unit.h"

START_TEST(failed_buffer_says_so_and_stays_as_it_was)
{
	struct buffer buffer = {0};
	struct err err = {0};

	buffer_add_string(&buffer, "before");
	mem_fail_after(0);
	for (int i = 0; i < 1000; i++)
		buffer_add_string(&buffer, "more and more");
	mem_fail_after(-1);
	ck_assert_int_eq(buffer_status(&buffer, "the answer", &err), STATUS_NO_MEMORY);
	ck_assert_str_eq(err.msg, "out of memory for the answer");

	size_t len = buffer.len;
	buffer_add_string(&buffer, "after");
	ck_assert_uint_eq(buffer.len, len);
	ck_assert_int_eq(memcmp(buffer.bytes, "before", 6), 0);
	buffer_free(&buffer);
	ck_assert_int_eq(buffer_status(&buffer, "x", NULL), STATUS_OK);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("buffer_oom");
	TCase *tcase = tcase_create("buffer");

	tcase_add_test(tcase, failed_buffer_says_so_and_stays_as_it_was);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
