/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/server/httpd_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/listener.h"
#include "server/log.h"
#include "tests/unit/unit.h"

void httpd_fixture_start(struct httpd_fixture *fixture, unsigned n_threads,
			 unsigned max_connections)
{
	struct httpd_options options = {.n_threads = n_threads,
					.max_connections = max_connections,
					.n_places = 512,
					.max_pending = 1 << 20,
					.idle_timeout = 60,
					.request_timeout = 60,
					.connection_memory = 32768};
	struct api *api = &fixture->api;
	struct err err = {0};

	log_open(LOG_ERROR, STDERR_FILENO);
	served_save("none:4", ROUTER_STATIC, fixture->path);
	fake_store_init(&fixture->fake);
	api->service = served_service(&fixture->fake);
	api->max_body = 4096;
	api->max_items = api->max_responses = 4;
	api->max_strength = 10;
	ck_assert_int_eq(live_model_open(fixture->path, &api->live, &err), STATUS_OK);
	ck_assert_int_eq(writer_start(&fixture->fake.store, 2, 1, &api->writer, &err), STATUS_OK);
	ck_assert_int_eq(listener_open("127.0.0.1", 0, &options.listen_fd, &fixture->port, &err),
			 STATUS_OK);
	ck_assert_int_eq(httpd_start(&options, api, &fixture->httpd, &err), STATUS_OK);
}

void httpd_fixture_stop(struct httpd_fixture *fixture)
{
	httpd_stop(fixture->httpd);
	writer_stop(fixture->api.writer);
	live_model_close(fixture->api.live);
	unlink(fixture->path);
}

int httpd_fixture_connect(const struct httpd_fixture *fixture)
{
	const struct timeval patience = {.tv_sec = HTTPD_PATIENCE};
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(fixture->port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}
