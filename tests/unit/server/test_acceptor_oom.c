/* SPDX-License-Identifier: Apache-2.0 */
/* test_acceptor_oom.c - every allocation of the acceptor's start fails in turn. */
#include "server/acceptor.h"
#include "server/listener.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/unit.h"

START_TEST(start_survives_any_failed_allocation)
{
	const struct acceptor_lane lanes[2] = {0}; /* nobody comes */
	struct metrics metrics = {0};
	struct acceptor *acceptor = NULL;
	enum status status = STATUS_NO_MEMORY;
	long n;

	for (n = 0; n < 10 && status != STATUS_OK; n++) {
		struct acceptor_options options = {.max_connections = 8,
						   .n_places = 8,
						   .n_lanes = LENGTH(lanes),
						   .metrics = &metrics};
		struct err err = {0};
		uint16_t port;

		ck_assert_int_eq(listener_open("127.0.0.1", 0, &options.listen_fd, &port, &err),
				 STATUS_OK);
		mem_fail_after(n);
		status = acceptor_start(&options, lanes, &acceptor, &err);
		mem_fail_after(-1);
		ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY,
			      "allocation %ld: %s", n, err.msg);
		ck_assert((acceptor != NULL) == (status == STATUS_OK));
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_gt(n, 4);
	acceptor_stop(acceptor);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("acceptor_oom");
	TCase *tc = tcase_create("start");

	tcase_add_test(tc, start_survives_any_failed_allocation);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
