/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "server/listener.h"
#include "tests/unit/unit.h"

START_TEST(free_port_is_taken_and_told)
{
	static const char *const addresses[] = {"127.0.0.1", "::1"};

	for (size_t i = 0; i < LENGTH(addresses); i++) {
		struct err err = {0};
		uint16_t port = 0;
		int fd;

		if (listener_open(addresses[i], 0, &fd, &port, &err) != STATUS_OK) {
			/* a machine without IPv6 */
			ck_assert_msg(strchr(addresses[i], ':') != NULL, "%s", err.msg);
			continue;
		}
		ck_assert_uint_gt(port, 0);
		close(fd);
	}
}
END_TEST

START_TEST(port_in_use_is_one_clear_line)
{
	struct err err = {0};
	uint16_t port = 0, again;
	int fd, other;

	ck_assert_int_eq(listener_open("127.0.0.1", 0, &fd, &port, &err), STATUS_OK);
	ck_assert_int_eq(listener_open("127.0.0.1", port, &other, &again, &err), STATUS_IO);
	ck_assert_ptr_nonnull(strstr(err.msg, "listen on 127.0.0.1:"));
	ck_assert_ptr_nonnull(strstr(err.msg, "in use"));
	close(fd);
	ck_assert_int_eq(listener_open("127.0.0.1", port, &fd, &again, &err), STATUS_OK);
	ck_assert_uint_eq(again, port);
	close(fd);
}
END_TEST

START_TEST(address_that_is_none_is_refused)
{
	static const char *const addresses[] = {"localhost", "", "127.0.0.1.1", "::g", "1"};

	for (size_t i = 0; i < LENGTH(addresses); i++) {
		struct err err = {0};
		uint16_t port;
		int fd;

		ck_assert_msg(listener_open(addresses[i], 0, &fd, &port, &err) == STATUS_USAGE,
			      "%s", addresses[i]);
		ck_assert_ptr_nonnull(strstr(err.msg, "want an IPv4 or IPv6 address"));
	}
}
END_TEST

START_TEST(exposed_is_what_others_can_reach)
{
	static const struct {
		const char *address;
		bool exposed;
	} cases[] = {
	    {"127.0.0.1", false},
	    {"127.255.1.2", false},
	    {"::1", false},
	    {"localhost", false},
	    {"", false},
	    {"0.0.0.0", true},
	    {"128.0.0.1", true},
	    {"10.0.0.1", true},
	    {"::", true},
	    {"fe80::1", true},
	    {"::ffff:10.0.0.1", true},
	};

	for (size_t i = 0; i < LENGTH(cases); i++)
		ck_assert_msg(listener_is_exposed(cases[i].address) == cases[i].exposed, "%s",
			      cases[i].address);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("listener");
	TCase *tcase = tcase_create("listener_open");

	tcase_add_test(tcase, free_port_is_taken_and_told);
	tcase_add_test(tcase, port_in_use_is_one_clear_line);
	tcase_add_test(tcase, address_that_is_none_is_refused);
	tcase_add_test(tcase, exposed_is_what_others_can_reach);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
