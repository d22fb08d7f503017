/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "server/live_model.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/server/served_fixture.h"
#include "tests/unit/unit.h"

START_TEST(open_survives_every_failed_allocation)
{
	enum status status = STATUS_NO_MEMORY;
	struct live_model *live = NULL;
	char path[64];
	long n = 0;

	served_save("hash:4", ROUTER_MLP, path);
	while (status != STATUS_OK) {
		struct err err = {0};

		mem_fail_after(n++);
		status = live_model_open(path, &live, &err);
		mem_fail_after(-1);
		ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY,
			      "allocation %ld: %s", n, err.msg);
	}
	live_model_close(live);
	unlink(path);
}
END_TEST

START_TEST(reload_survives_every_failed_allocation)
{
	enum status status = STATUS_NO_MEMORY;
	struct live_model *live = NULL;
	char path[64];
	long n = 0;

	served_save("hash:4", ROUTER_MLP, path);
	ck_assert_int_eq(live_model_open(path, &live, NULL), STATUS_OK);
	while (status != STATUS_OK) {
		struct served_model *before = live_model_acquire(live), *after;

		mem_fail_after(n++);
		status = live_model_reload(live, NULL);
		mem_fail_after(-1);
		after = live_model_acquire(live);
		ck_assert_msg((after == before) == (status != STATUS_OK), "allocation %ld", n);
		live_model_release(live, before);
		live_model_release(live, after);
	}
	live_model_close(live);
	unlink(path);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("live_model_oom");
	TCase *tcase = tcase_create("live_model");

	tcase_add_test(tcase, open_survives_every_failed_allocation);
	tcase_add_test(tcase, reload_survives_every_failed_allocation);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
