/* SPDX-License-Identifier: Apache-2.0 */
/* server_fixture.h - an embedding server in a thread, for tests of what talks to one. */
#ifndef TESTS_UNIT_CORE_SERVER_FIXTURE_H
#define TESTS_UNIT_CORE_SERVER_FIXTURE_H

#include <stddef.h>

#define SERVER_DIM 4

/* What the server does, from its next answer on. */
struct server_plan {
	_Atomic int status;	  /* of HTTP, instead of vectors; 0: vectors */
	_Atomic int n_statuses;	  /* so often, then vectors; -1: always */
	_Atomic float salt;	  /* added to every number: another model */
	_Atomic size_t max_batch; /* more texts: 413; 0: no limit */
	_Atomic int close_each;	  /* every connection ends after one answer */
	_Atomic int is_silent;	  /* requests get no answer */
};

/**
 * server_start(): on a free port of 127.0.0.1; speaks TEI's /embed. The vector of a text is
 * server_vector(). server_stop() ends it, and keeps the port for server_start().
 */
void server_start(void);
void server_stop(void);

/** server_url(): its address. */
const char *server_url(void);

/** server_plan(): what it is to do. */
struct server_plan *server_plan(void);

/** server_n_requests(), server_n_texts(): that it has got since server_start(). */
size_t server_n_requests(void);
size_t server_n_texts(void);

/** server_vector(text, len, vector_out): [SERVER_DIM], as it answers without salt. */
void server_vector(const char *text, size_t len, float *vector_out);

#endif
