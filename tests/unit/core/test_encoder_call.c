/* SPDX-License-Identifier: Apache-2.0 */
/* test_encoder_call.c - texts that a thread asks a server for without waiting for the reply. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/monotonic.h"
#include "core/encode/encoder.h"
#include "core/encode/http_mux.h"
#include "tests/unit/core/server_fixture.h"
#include "tests/unit/unit.h"

#define SPEC	 "tei:4?normalize=false"
#define PATIENCE 20.0 /* seconds */
#define N_CALLS	 3

static struct encoder_options options;
static struct encoder *encoder;
static struct features rows;
static struct http_mux *mux;
static struct text texts[N_CALLS][4] = {
    {{"a", 1}, {"b", 1}, {"a", 1}, {"c", 1}},
    {{"d", 1}, {"e", 1}, {"f", 1}, {"g", 1}},
    {{"h", 1}, {"i", 1}, {"j", 1}, {"k", 1}},
};
static struct encoder_call *calls[N_CALLS];
static bool is_done[N_CALLS];

static void start(void)
{
	server_start();
	encoder_options_init(&options);
	options.url = server_url();
	options.n_retries = 1;
	options.cache_bytes = 0;
	features_init(&rows, SERVER_DIM, false);
	ck_assert_int_eq(http_mux_open(&mux, NULL), STATUS_OK);
}

static void stop(void)
{
	for (size_t i = 0; i < N_CALLS; i++)
		encoder_call_close(calls[i]);
	encoder_close(encoder);
	http_mux_close(mux);
	features_free(&rows);
	server_stop();
}

static void open_encoder(void)
{
	struct err err;

	ck_assert_msg(encoder_open_at(SPEC, &options, &encoder, &err) == STATUS_OK, "%s", err.msg);
}

/* The server has shown its fingerprint, so that later calls need none. */
static void open_known(void)
{
	const struct text text = {"known", 5};

	open_encoder();
	ck_assert_int_eq(encoder_encode(encoder, &text, 1, &rows, NULL), STATUS_OK);
	rows.n_rows = 0;
}

static void note_done(void *context)
{
	*(bool *)context = true;
}

static bool begin(size_t i)
{
	ck_assert_int_eq(encoder_call_open(encoder, texts[i], 4, &calls[i], NULL), STATUS_OK);
	return encoder_call_start(calls[i], mux, note_done, &is_done[i]);
}

static void run_until_done(size_t i)
{
	double end = monotonic_seconds() + PATIENCE;

	while (!is_done[i]) {
		struct pollfd fd = {.fd = http_mux_fd(mux), .events = POLLIN};

		ck_assert(monotonic_seconds() < end);
		ck_assert_int_ge(poll(&fd, 1, http_mux_timeout(mux)), 0);
		http_mux_run(mux, fd.revents != 0);
	}
}

static enum status finish(size_t i, struct err *err)
{
	size_t refused;

	return encoder_call_finish(calls[i], &rows, &refused, err);
}

static void assert_rows(size_t i)
{
	ck_assert_uint_eq(rows.n_rows, 4);
	for (size_t t = 0; t < 4; t++) {
		float want[SERVER_DIM];

		server_vector(texts[i][t].bytes, texts[i][t].len, want);
		ck_assert_mem_eq(features_row(&rows, t).value, want, sizeof(want));
	}
	rows.n_rows = 0;
}

/* While the first is in use. */
static void open_second_connection(void)
{
	ck_assert(begin(0));
	ck_assert_int_eq(encoder_encode(encoder, texts[1], 4, &rows, NULL), STATUS_OK);
	run_until_done(0);
	is_done[0] = false;
	encoder_call_close(calls[0]);
	calls[0] = NULL;
	rows.n_rows = 0;
}

/* ---- what needs nobody to wait ---- */

START_TEST(reply_is_all_that_is_needed)
{
	size_t before;

	open_known();
	before = server_n_requests();
	ck_assert(begin(0));
	ck_assert(!encoder_call_is_ready(calls[0]));
	run_until_done(0);
	ck_assert(encoder_call_is_ready(calls[0]));
	server_stop(); /* nobody is asked any more */
	ck_assert_int_eq(finish(0, NULL), STATUS_OK);
	assert_rows(0);
	server_start();
	ck_assert_uint_eq(before, 2);
}
END_TEST

START_TEST(each_text_is_asked_for_and_counted_once)
{
	struct encoder_stats stats;
	size_t n_requests, n_texts;

	open_known();
	n_requests = server_n_requests();
	n_texts = server_n_texts();
	ck_assert(begin(0));
	run_until_done(0);
	ck_assert_int_eq(finish(0, NULL), STATUS_OK);
	ck_assert_uint_eq(server_n_requests() - n_requests, 1);
	ck_assert_uint_eq(server_n_texts() - n_texts, 3);
	encoder_stats(encoder, &stats);
	ck_assert_uint_eq(stats.n_calls, server_n_requests());
	ck_assert_uint_eq(stats.n_sent, server_n_texts());
	ck_assert_uint_eq(stats.n_texts, 4 + 1);
	ck_assert_uint_eq(stats.n_retries, 0);
	ck_assert_uint_eq(stats.n_failed, 0);
}
END_TEST

START_TEST(texts_in_the_cache_are_ready_at_once)
{
	options.cache_bytes = 4096;
	open_encoder();
	ck_assert_int_eq(encoder_encode(encoder, texts[0], 4, &rows, NULL), STATUS_OK);
	rows.n_rows = 0;
	ck_assert_int_eq(encoder_call_open(encoder, texts[0], 4, &calls[0], NULL), STATUS_OK);
	ck_assert(encoder_call_is_ready(calls[0]));
	ck_assert_int_eq(finish(0, NULL), STATUS_OK);
	assert_rows(0);
	ck_assert_uint_eq(server_n_requests(), 2);
}
END_TEST

START_TEST(calls_go_side_by_side_as_far_as_there_are_connections)
{
	options.n_connections = 2;
	open_known();
	open_second_connection();
	ck_assert(begin(0));
	ck_assert(begin(1));
	ck_assert(!begin(2));
	run_until_done(1);
	run_until_done(0);
	ck_assert(!is_done[2]);
	ck_assert(encoder_call_start(calls[2], mux, note_done, &is_done[2]));
	run_until_done(2);
	for (size_t i = 0; i < N_CALLS; i++) {
		ck_assert(encoder_call_is_ready(calls[i]));
		ck_assert_int_eq(finish(i, NULL), STATUS_OK);
		assert_rows(i);
	}
}
END_TEST

/* ---- what is left to who may wait ---- */

/* It may take long to find an address and to agree on keys. */
START_TEST(connections_are_left_to_who_may_wait)
{
	open_encoder();
	ck_assert(!begin(0));
	ck_assert(!encoder_call_is_ready(calls[0]));
	ck_assert_uint_eq(server_n_requests(), 0);
	ck_assert_int_eq(finish(0, NULL), STATUS_OK);
	assert_rows(0);
	/* and the fingerprint */
	ck_assert_uint_eq(server_n_requests(), 2);
}
END_TEST

START_TEST(connection_that_ends_after_each_reply_is_left)
{
	open_known();
	server_plan()->close_each = 1;
	ck_assert(begin(0));
	run_until_done(0);
	ck_assert_int_eq(finish(0, NULL), STATUS_OK);
	assert_rows(0);
	/* the end of the connection comes a moment after the reply */
	poll(NULL, 0, 100);
	ck_assert(!begin(1));
	ck_assert_int_eq(finish(1, NULL), STATUS_OK);
	assert_rows(1);
}
END_TEST

START_TEST(another_model_is_found_out)
{
	struct err err;

	open_known();
	server_stop();
	server_start();
	server_plan()->salt = 5;
	/* the fingerprint is asked for again some time after it was shown */
	poll(NULL, 0, 1100);
	ck_assert(!begin(0));
	ck_assert_int_eq(finish(0, &err), STATUS_ENCODER_MISMATCH);
	ck_assert_uint_eq(rows.n_rows, 0);
}
END_TEST

START_TEST(long_reply_is_left_to_who_may_wait)
{
	enum { N_TEXTS = 12000 };
	static char bytes[N_TEXTS][8];
	static struct text many[N_TEXTS];
	size_t refused, before;

	options.max_batch = N_TEXTS;
	open_known();
	before = server_n_requests();
	for (size_t i = 0; i < N_TEXTS; i++)
		many[i] =
		    (struct text){bytes[i], (size_t)snprintf(bytes[i], sizeof(bytes[i]), "%zu", i)};
	ck_assert_int_eq(encoder_call_open(encoder, many, N_TEXTS, &calls[0], NULL), STATUS_OK);
	ck_assert(encoder_call_start(calls[0], mux, note_done, &is_done[0]));
	run_until_done(0);
	ck_assert(!encoder_call_is_ready(calls[0]));
	ck_assert_int_eq(encoder_call_finish(calls[0], &rows, &refused, NULL), STATUS_OK);
	ck_assert_uint_eq(rows.n_rows, N_TEXTS);
	ck_assert_uint_eq(server_n_requests() - before, 1);
	rows.n_rows = 0;
}
END_TEST

START_TEST(what_may_pass_is_asked_again_and_no_more_often_than_allowed)
{
	struct encoder_stats stats;
	struct err err;
	size_t before;

	open_known();
	before = server_n_requests();
	server_plan()->n_statuses = -1;
	server_plan()->status = 503;
	ck_assert(begin(0));
	run_until_done(0);
	ck_assert(!encoder_call_is_ready(calls[0]));
	ck_assert_int_eq(finish(0, &err), STATUS_ENCODER_DOWN);
	ck_assert_str_eq(strstr(err.msg, "HTTP 503"), "HTTP 503");
	ck_assert_uint_eq(server_n_requests() - before, 2);
	encoder_stats(encoder, &stats);
	ck_assert_uint_eq(stats.n_retries, 1);
	ck_assert_uint_eq(stats.n_failed, 1);

	server_plan()->n_statuses = 1;
	ck_assert(begin(1));
	run_until_done(1);
	ck_assert_int_eq(finish(1, NULL), STATUS_OK);
	assert_rows(1);
}
END_TEST

START_TEST(what_does_not_pass_is_not_asked_again)
{
	struct err err;
	size_t before;

	open_known();
	before = server_n_requests();
	server_plan()->n_statuses = -1;
	server_plan()->status = 404;
	ck_assert(begin(0));
	run_until_done(0);
	ck_assert_int_eq(finish(0, &err), STATUS_ENCODER_FAULT);
	ck_assert_uint_eq(server_n_requests() - before, 1);
}
END_TEST

START_TEST(batches_after_the_first_are_left)
{
	size_t before;

	options.max_batch = 2;
	open_known();
	before = server_n_requests();
	ck_assert(begin(0));
	run_until_done(0);
	ck_assert(!encoder_call_is_ready(calls[0]));
	ck_assert_uint_eq(server_n_requests() - before, 1);
	ck_assert_int_eq(finish(0, NULL), STATUS_OK);
	assert_rows(0);
	ck_assert_uint_eq(server_n_requests() - before, 2);
}
END_TEST

START_TEST(batch_that_is_refused_is_cut)
{
	open_known();
	server_plan()->max_batch = 1;
	ck_assert(begin(0));
	run_until_done(0);
	ck_assert(!encoder_call_is_ready(calls[0]));
	ck_assert_int_eq(finish(0, NULL), STATUS_OK);
	assert_rows(0);
}
END_TEST

START_TEST(server_that_is_down_is_not_asked)
{
	struct err err;

	options.max_failures = 1;
	open_known();
	server_stop();
	ck_assert(!begin(0));
	ck_assert_int_eq(finish(0, &err), STATUS_ENCODER_DOWN);
	ck_assert(!begin(1));
	ck_assert_int_eq(finish(1, &err), STATUS_ENCODER_DOWN);
	server_start();
}
END_TEST

/* ---- ends ---- */

static void run_until_server_has(size_t n_requests)
{
	double end = monotonic_seconds() + PATIENCE;

	while (server_n_requests() < n_requests) {
		ck_assert(monotonic_seconds() < end);
		http_mux_run(mux, true);
		poll(NULL, 0, 1);
	}
}

START_TEST(cancel_ends_what_is_under_way)
{
	double began = monotonic_seconds();
	struct err err;

	options.n_connections = 2;
	open_known();
	open_second_connection();
	server_plan()->is_silent = 1;
	ck_assert(begin(0));
	ck_assert(begin(1));
	run_until_server_has(6);
	ck_assert(!is_done[0] && !is_done[1]);
	encoder_cancel(encoder);
	http_mux_run(mux, false);
	ck_assert(is_done[0] && is_done[1]);
	ck_assert(!encoder_call_is_ready(calls[0]));
	ck_assert_int_eq(finish(0, &err), STATUS_INTERRUPTED);
	ck_assert_int_eq(finish(1, &err), STATUS_INTERRUPTED);
	ck_assert(monotonic_seconds() - began < PATIENCE);
}
END_TEST

START_TEST(time_runs_out)
{
	struct err err;

	options.timeout = 0.2;
	open_known();
	server_plan()->is_silent = 1;
	ck_assert(begin(0));
	run_until_done(0);
	ck_assert(!encoder_call_is_ready(calls[0]));
	ck_assert_int_eq(finish(0, &err), STATUS_ENCODER_DOWN);
}
END_TEST

/* libcurl tells of a time once, and it is still to come when another request has ended. */
START_TEST(time_runs_out_although_others_have_replied)
{
	struct encoder *patient;
	struct err err;

	open_known();
	patient = encoder;
	options.timeout = 0.5;
	open_known();
	server_plan()->is_silent = 1;
	ck_assert(begin(0));
	run_until_server_has(5);
	server_plan()->is_silent = 0;
	ck_assert_int_eq(encoder_call_open(patient, texts[1], 4, &calls[1], NULL), STATUS_OK);
	ck_assert(encoder_call_start(calls[1], mux, note_done, &is_done[1]));
	run_until_done(1);
	ck_assert(!is_done[0]);
	run_until_done(0);
	ck_assert_int_eq(finish(0, &err), STATUS_ENCODER_DOWN);
	ck_assert_int_eq(finish(1, NULL), STATUS_OK);
	assert_rows(1);
	encoder_call_close(calls[1]);
	calls[1] = NULL;
	encoder_close(patient);
}
END_TEST

START_TEST(socket_that_cannot_be_watched_is_no_hang)
{
	struct err err;

	open_known();
	server_plan()->is_silent = 1;
	close(http_mux_fd(mux));
	ck_assert(begin(0));
	ck_assert_int_eq(http_mux_timeout(mux), 0);
	http_mux_run(mux, false);
	ck_assert(is_done[0]);
	ck_assert_int_eq(finish(0, &err), STATUS_NO_MEMORY);
}
END_TEST

START_TEST(connection_is_the_same_for_who_waits_and_who_does_not)
{
	struct encoder_stats stats;

	options.n_connections = 1;
	open_known();
	for (int i = 0; i < 3; i++) {
		is_done[0] = false;
		encoder_call_close(calls[0]);
		ck_assert(begin(0));
		run_until_done(0);
		/* who had lost a connection would have to ask for the fingerprint */
		poll(NULL, 0, i == 0 ? 1100 : 0);
		ck_assert(encoder_call_is_ready(calls[0]));
		ck_assert_int_eq(finish(0, NULL), STATUS_OK);
		assert_rows(0);
		ck_assert_int_eq(encoder_encode(encoder, texts[1], 4, &rows, NULL), STATUS_OK);
		assert_rows(1);
	}
	encoder_stats(encoder, &stats);
	ck_assert_uint_eq(stats.n_calls, 2 + 6);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("encoder call");
	TCase *tcase = tcase_create("call");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, start, stop);
	tcase_add_test(tcase, reply_is_all_that_is_needed);
	tcase_add_test(tcase, each_text_is_asked_for_and_counted_once);
	tcase_add_test(tcase, texts_in_the_cache_are_ready_at_once);
	tcase_add_test(tcase, calls_go_side_by_side_as_far_as_there_are_connections);
	tcase_add_test(tcase, connections_are_left_to_who_may_wait);
	tcase_add_test(tcase, connection_that_ends_after_each_reply_is_left);
	tcase_add_test(tcase, long_reply_is_left_to_who_may_wait);
	tcase_add_test(tcase, another_model_is_found_out);
	tcase_add_test(tcase, what_may_pass_is_asked_again_and_no_more_often_than_allowed);
	tcase_add_test(tcase, what_does_not_pass_is_not_asked_again);
	tcase_add_test(tcase, batches_after_the_first_are_left);
	tcase_add_test(tcase, batch_that_is_refused_is_cut);
	tcase_add_test(tcase, server_that_is_down_is_not_asked);
	tcase_add_test(tcase, cancel_ends_what_is_under_way);
	tcase_add_test(tcase, time_runs_out);
	tcase_add_test(tcase, time_runs_out_although_others_have_replied);
	tcase_add_test(tcase, socket_that_cannot_be_watched_is_no_hang);
	tcase_add_test(tcase, connection_is_the_same_for_who_waits_and_who_does_not);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
