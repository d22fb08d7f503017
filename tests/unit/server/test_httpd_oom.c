/* SPDX-License-Identifier: Apache-2.0 */
/* test_httpd_oom.c - every allocation that a request over a socket costs fails in turn. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "server/httpd.h"
#include "server/listener.h"
#include "server/log.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/server/served_fixture.h"
#include "tests/unit/unit.h"

#define V		"{\"embedding\":[1,0,0,0]}"
#define PATIENCE	10 /* seconds */
#define MAX_ALLOCATIONS 1000

static struct api api;
static struct fake_store fake;
static struct httpd *httpd;
static char path[64];
static uint16_t port;

static void set_up(void)
{
	struct httpd_options options = {.n_threads = 1,
					.max_connections = 8,
					.n_places = 64,
					.max_pending = 1 << 20,
					.idle_timeout = 60,
					.request_timeout = 60,
					.connection_memory = 32768};
	struct err err = {0};

	log_open(LOG_ERROR, STDERR_FILENO);
	served_save("none:4", ROUTER_STATIC, path);
	fake_store_init(&fake);
	fake.known_user = "ada";
	api.service = served_service(&fake);
	api.max_body = 4096;
	api.max_items = api.max_responses = 4;
	api.max_strength = 10;
	ck_assert_int_eq(live_model_open(path, &api.live, &err), STATUS_OK);
	ck_assert_int_eq(writer_start(&fake.store, 2, 1, &api.writer, &err), STATUS_OK);
	ck_assert_int_eq(listener_open("127.0.0.1", 0, &options.listen_fd, &port, &err), STATUS_OK);
	ck_assert_int_eq(httpd_start(&options, &api, &httpd, &err), STATUS_OK);
}

static void tear_down(void)
{
	httpd_stop(httpd);
	writer_stop(api.writer);
	live_model_close(api.live);
	unlink(path);
}

static int connect_client(void)
{
	const struct timeval patience = {.tv_sec = PATIENCE};
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

/* The status of one request on a connection of its own; 0: it ended without an answer, or in the
 * middle of it. */
static int ask(const char *method, const char *route, const char *body)
{
	char text[1024], answer[16384];
	int fd = connect_client(), http_status = 0;
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

	for (int ms = 0; ms < PATIENCE * 1000 && atomic_load(&api.metrics.in_flight) != 0; ms++)
		nanosleep(&nap, NULL);
	ck_assert_int_eq(atomic_load(&api.metrics.in_flight), 0);
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
