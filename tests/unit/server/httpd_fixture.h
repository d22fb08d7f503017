/* SPDX-License-Identifier: Apache-2.0 */
/* httpd_fixture.h - the HTTP server on a port of its own, over a fake store. */
#ifndef MICRO_TESTS_HTTPD_FIXTURE_H
#define MICRO_TESTS_HTTPD_FIXTURE_H

#include <stdint.h>

#include "server/httpd.h"
#include "tests/unit/server/served_fixture.h"

#define HTTPD_PATIENCE 10 /* seconds that a client waits */

struct httpd_fixture {
	struct api api;
	struct fake_store fake;
	struct httpd *httpd; /* NULL: stopped by the test */
	char path[64];
	uint16_t port;
};

/** httpd_fixture_start(fixture, n_threads, max_connections): fixture zeroed; serves a model of
 * vectors [4] on 127.0.0.1. */
void httpd_fixture_start(struct httpd_fixture *fixture, unsigned n_threads,
			 unsigned max_connections);

/** httpd_fixture_stop(fixture): everything that was started, and the model file. */
void httpd_fixture_stop(struct httpd_fixture *fixture);

/** httpd_fixture_connect(fixture): a socket to it, for the caller to close. */
int httpd_fixture_connect(const struct httpd_fixture *fixture);

#endif
