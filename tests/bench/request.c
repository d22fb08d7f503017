/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.c - what a whole request of POST /score costs between libmicrohttpd's calls: from the
 * headers through the body to the bytes of the answer, in microseconds of a thread at work.
 *
 *   bench_request MILLISECONDS MODEL CONTENT-TYPE BODY...
 *
 * Bodies are files, taken in turns. Nobody is known to the store; the best of a few parts is
 * printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/file_map.h"
#include "server/api.h"
#include "server/clock.h"
#include "server/log.h"
#include "server/random.h"

#define N_PARTS	    10
#define TOGETHER    16 /* requests between two looks at the clock */
#define MAX_BODIES  64
#define MAX_ITEMS   1024
#define CHUNK_BYTES 32768 /* of a body that come at once */

static struct api api;
static struct file_map bodies[MAX_BODIES];
static size_t n_bodies;

static void fail(const char *what)
{
	fprintf(stderr, "bench_request: %s\n", what);
	exit(EXIT_FAILURE);
}

static enum status know_nobody(struct store *store, const char *user, const char *context,
			       const char *model_id, size_t n_heads, double *log_weight_out,
			       uint64_t *updates_out, struct err *err)
{
	(void)store;
	(void)user;
	(void)context;
	(void)model_id;
	(void)err;
	memset(log_weight_out, 0, n_heads * sizeof(*log_weight_out));
	*updates_out = 0;
	return STATUS_OK;
}

static double spent_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static void request(const char *content_type, const struct file_map *body)
{
	const struct exchange_head head = {
	    .method = "POST", .path = "/score", .content_type = content_type};
	struct exchange exchange;

	memset(&exchange, 0, sizeof(exchange));
	api_open(&api, &exchange, &head);
	buffer_reserve(&exchange.body, body->len + 1);
	for (size_t i = 0; i < body->len; i += CHUNK_BYTES)
		buffer_add(&exchange.body, (const char *)body->bytes + i,
			   body->len - i < CHUNK_BYTES ? body->len - i : CHUNK_BYTES);
	if (exchange.http_status == 0)
		api_begin(&api, &exchange);
	if (exchange.http_status != 200) {
		fprintf(stderr, "%.*s\n", (int)exchange.text_len, exchange.text);
		fail("not answered");
	}
	api_close(&api, &exchange);
}

/* Where others disturbed it least. */
static double cost(const char *content_type, double milliseconds)
{
	size_t turn = 0;
	double best = 1e300;

	for (size_t part = 0; part < N_PARTS; part++) {
		double begin = spent_us(), now;
		size_t n = 0;

		do {
			for (size_t i = 0; i < TOGETHER; i++)
				request(content_type, &bodies[turn++ % n_bodies]);
			n += TOGETHER;
			now = spent_us();
		} while (now < begin + milliseconds * 1e3 / N_PARTS);
		if ((now - begin) / (double)n < best)
			best = (now - begin) / (double)n;
	}
	return best;
}

static void open_bodies(char **paths, size_t n)
{
	struct err err;

	if (n < 1 || n > MAX_BODIES)
		fail("usage: bench_request MILLISECONDS MODEL CONTENT-TYPE BODY...");
	for (n_bodies = 0; n_bodies < n; n_bodies++) {
		if (file_map_open(&bodies[n_bodies], paths[n_bodies], &err) != STATUS_OK)
			fail(err.msg);
	}
}

int main(int argc, char **argv)
{
	static const struct store_ops ops = {.read_state = know_nobody};
	struct store nobody = {&ops};
	struct err err;

	open_bodies(argv + 4, argc < 5 ? 0 : (size_t)argc - 4);
	log_open(LOG_ERROR, 2);
	api.service.store = &nobody;
	api.service.now_us = clock_now_us;
	api.service.random_bytes = random_bytes;
	api.max_body = SIZE_MAX;
	api.max_items = api.max_responses = MAX_ITEMS;
	api.max_strength = 1;
	if (live_model_open(argv[2], &api.live, &err) != STATUS_OK)
		fail(err.msg);
	printf("%.2f us\n", cost(argv[3], strtod(argv[1], NULL)));
	live_model_close(api.live);
	for (size_t i = 0; i < n_bodies; i++)
		file_map_close(&bodies[i]);
	return EXIT_SUCCESS;
}
