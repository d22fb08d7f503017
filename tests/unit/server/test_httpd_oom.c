/* SPDX-License-Identifier: Apache-2.0 */
/* test_httpd_oom.c - every allocation that a request over a socket costs fails in turn. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/mem_failing.h"
#include "tests/unit/server/httpd_fixture.h"
#include "tests/unit/unit.h"

#define V		"{\"embedding\":[1,0,0,0]}"
#define MAX_ALLOCATIONS 1000

static struct httpd_fixture served;

static void set_up(void)
{
	httpd_fixture_start(&served, 1, 8);
	served.fake.known_user = "ada";
}

static void tear_down(void)
{
	httpd_fixture_stop(&served);
}

/* The status of one request on a connection of its own; 0: it ended without an answer, or in the
 * middle of it. */
static int ask(const char *method, const char *route, const char *body)
{
	char text[1024], answer[16384];
	int fd = httpd_fixture_connect(&served), http_status = 0;
	size_t len = 0;
	ssize_t n;

	snprintf(text, sizeof(text),
		 "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
		 method, route, strlen(body), body);
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	while ((n = recv(fd, answer + len, sizeof(answer) - 1 - len, 0)) > 0)
		len += (size_t)n;
	ck_assert_msg(n == 0 || errno == ECONNRESET, "%s: no end: %s", route, strerror(errno));
	answer[len] = '\0';
	close(fd);
	if (n == 0 && len > 0)
		ck_assert_int_eq(sscanf(answer, "HTTP/1.1 %d ", &http_status), 1);
	return http_status;
}

static void wait_idle(void)
{
	const struct timespec nap = {.tv_nsec = 1000000};

	for (int ms = 0;
	     ms < HTTPD_PATIENCE * 1000 && atomic_load(&served.api.metrics.in_flight) != 0; ms++)
		nanosleep(&nap, NULL);
	ck_assert_int_eq(atomic_load(&served.api.metrics.in_flight), 0);
}

/* 503, or the connection ends; the next one is served as if nothing had been. */
START_TEST(every_failed_allocation_ends_one_request_only)
{
	static const struct {
		const char *method, *route, *body;
	} cases[] = {
	    {"GET", "/livez", ""},
	    {"POST", "/score", "{\"user\":\"ada\",\"responses\":[" V "]}"},
	    {"POST", "/feedback", "{\"user\":\"ada\",\"chosen\":" V ",\"rejected\":" V "}"},
	    {"GET", "/users/ada", ""},
	    {"DELETE", "/users/ada", ""},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		long n = 0;
		int http_status = 0;

		for (; http_status != 200; n++) {
			ck_assert_int_lt(n, MAX_ALLOCATIONS);
			mem_fail_after(n);
			http_status = ask(cases[i].method, cases[i].route, cases[i].body);
			mem_fail_after(-1);
			ck_assert_msg(http_status == 200 || http_status == 503 || http_status == 0,
				      "%s, %ld: %d", cases[i].route, n, http_status);
			wait_idle();
			ck_assert_int_eq(ask("GET", "/livez", ""), 200);
		}
		ck_assert_msg(n > 1, "%s: no allocation failed", cases[i].route);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("httpd_oom");
	TCase *tcase = tcase_create("httpd");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, every_failed_allocation_ends_one_request_only);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
