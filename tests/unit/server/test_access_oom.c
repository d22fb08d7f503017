/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "server/access.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/server/key_fixture.h"
#include "tests/unit/unit.h"

#define OWN "0123456789abcdef0123456789abcdef"

static char path[32];

static void set_up(void)
{
	char text[3 * API_KEY_LINE_MAX] = "";

	strcpy(path, "/tmp/micro-access-XXXXXX");
	close(mkstemp(path));
	key_fixture_line("a", 0, "key a", text);
	key_fixture_line("b", 0, "key b", text + strlen(text));
	key_fixture_line("c", 0, "key c", text + strlen(text));
	key_fixture_write(path, text);
}

static void tear_down(void)
{
	unlink(path);
}

START_TEST(open_survives_every_failed_allocation)
{
	const struct access_options options = {.path = path, .key = OWN};
	enum status status = STATUS_NO_MEMORY;
	struct access *access = NULL;
	long n;

	for (n = 0; status != STATUS_OK; n++) {
		struct err err = {0};

		mem_fail_after(n);
		status = access_open(&options, &access, &err);
		mem_fail_after(-1);
		ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY, "%ld: %s", n,
			      err.msg);
		ck_assert((access != NULL) == (status == STATUS_OK));
	}
	ck_assert_int_gt(n, 4);
	access_close(access);
}
END_TEST

START_TEST(reload_survives_every_failed_allocation)
{
	const struct access_options options = {.path = path, .key = OWN};
	const struct route_match match = {.route = ROUTE_MODEL};
	enum status status = STATUS_NO_MEMORY;
	struct access_caller caller;
	struct access *access;

	ck_assert_int_eq(access_open(&options, &access, NULL), STATUS_OK);
	for (long n = 0; status != STATUS_OK; n++) {
		mem_fail_after(n);
		status = access_reload(access, NULL);
		mem_fail_after(-1);
		ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
		ck_assert_int_eq(access_check(access, &match, "Bearer key c", 1, &caller, NULL),
				 STATUS_OK);
		ck_assert_uint_eq(access_n_keys(access), 4);
	}
	access_close(access);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("access_oom");
	TCase *tcase = tcase_create("access");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, open_survives_every_failed_allocation);
	tcase_add_test(tcase, reload_survives_every_failed_allocation);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
