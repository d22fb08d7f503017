/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/monotonic.h"
#include "core/encode/encoder.h"
#include "tests/unit/core/server_fixture.h"
#include "tests/unit/unit.h"

#define SPEC	 "tei:4?normalize=false"
#define PATIENCE 20.0 /* seconds */

static struct encoder_options options;
static struct encoder *encoder;
static struct features rows;
static atomic_int n_down, n_up;

static void note(void *context, const struct err *why)
{
	(void)context;
	atomic_fetch_add(why == NULL ? &n_up : &n_down, 1);
}

static void start(void)
{
	server_start();
	encoder_options_init(&options);
	options.url = server_url();
	options.n_retries = 2;
	options.notify = note;
	features_init(&rows, SERVER_DIM, false);
}

static void stop(void)
{
	encoder_close(encoder);
	encoder = NULL;
	features_free(&rows);
	server_stop();
}

static void open_encoder(void)
{
	struct err err;

	ck_assert_msg(encoder_open_at(SPEC, &options, &encoder, &err) == STATUS_OK, "%s", err.msg);
}

static enum status encode(const char *const *strings, size_t n, struct err *err)
{
	struct text texts[64];

	for (size_t i = 0; i < n; i++)
		texts[i] = (struct text){strings[i], strlen(strings[i])};
	return encoder_encode(encoder, texts, n, &rows, err);
}

static enum status encode_one(const char *string, struct err *err)
{
	return encode(&string, 1, err);
}

static void assert_row(size_t i, const char *string)
{
	float want[SERVER_DIM];

	server_vector(string, strlen(string), want);
	ck_assert_mem_eq(features_row(&rows, i).value, want, sizeof(want));
}

static struct encoder_stats stats(void)
{
	struct encoder_stats s;

	encoder_stats(encoder, &s);
	return s;
}

static void wait_for(atomic_int *counter, int n)
{
	double end = monotonic_seconds() + PATIENCE;

	while (atomic_load(counter) < n) {
		ck_assert(monotonic_seconds() < end);
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	}
}

/* ---- texts ---- */

START_TEST(encode_gives_rows_in_order_and_asks_for_each_text_once)
{
	static const char *const texts[] = {"b", "a", "b", "", "a", "ü\"\\\n", "b"};

	open_encoder();
	ck_assert_int_eq(encode(texts, LENGTH(texts), NULL), STATUS_OK);
	ck_assert_uint_eq(rows.n_rows, LENGTH(texts));
	for (size_t i = 0; i < LENGTH(texts); i++)
		assert_row(i, texts[i]);
	/* the texts and, the first time, the probe */
	ck_assert_uint_eq(server_n_requests(), 2);
	ck_assert_uint_eq(server_n_texts(), 4 + 1);
	ck_assert_uint_eq(stats().n_texts, LENGTH(texts));
	ck_assert_uint_eq(stats().n_sent, 5);
	ck_assert_uint_eq(stats().n_calls, 2);
	ck_assert(stats().is_remote && stats().is_up);
}
END_TEST

START_TEST(encode_takes_what_it_has_seen_from_the_cache)
{
	static const char *const texts[] = {"x", "a", "y", "b"};

	open_encoder();
	ck_assert_int_eq(encode_one("a", NULL), STATUS_OK);
	ck_assert_int_eq(encode_one("b", NULL), STATUS_OK);
	ck_assert_int_eq(encode(texts, LENGTH(texts), NULL), STATUS_OK);
	for (size_t i = 0; i < LENGTH(texts); i++)
		assert_row(2 + i, texts[i]);
	ck_assert_uint_eq(server_n_texts(), 4 + 1);
	ck_assert_uint_eq(stats().n_hits, 2);
	ck_assert_uint_eq(stats().n_misses, 4);
	ck_assert_uint_eq(stats().cache_rows, 4);
}
END_TEST

START_TEST(encode_asks_again_without_a_cache)
{
	options.cache_bytes = 0;
	open_encoder();
	ck_assert_int_eq(encode_one("a", NULL), STATUS_OK);
	ck_assert_int_eq(encode_one("a", NULL), STATUS_OK);
	ck_assert_uint_eq(server_n_requests(), 3);
}
END_TEST

START_TEST(encode_cuts_batches_to_the_servers_limit)
{
	static char names[20][8];
	const char *texts[20];

	for (size_t i = 0; i < LENGTH(texts); i++) {
		snprintf(names[i], sizeof(names[i]), "t%zu", i);
		texts[i] = names[i];
	}
	server_plan()->max_batch = 3;
	options.cache_bytes = 0;
	open_encoder();
	for (size_t r = 0; r < 8; r++)
		ck_assert_int_eq(encode(texts, LENGTH(texts), NULL), STATUS_OK);
	for (size_t i = 0; i < rows.n_rows; i++)
		assert_row(i, texts[i % LENGTH(texts)]);
	size_t before = server_n_requests();

	ck_assert_int_eq(encode(texts, LENGTH(texts), NULL), STATUS_OK);
	ck_assert_uint_eq(server_n_requests() - before, (LENGTH(texts) + 2) / 3);
}
END_TEST

START_TEST(encode_refuses_what_is_not_utf8_before_it_asks)
{
	struct err err;

	open_encoder();
	ck_assert_int_eq(encode_one("a\xff", &err), STATUS_MALFORMED);
	ck_assert_uint_eq(server_n_requests(), 0);
}
END_TEST

/* ---- faults ---- */

START_TEST(what_may_pass_is_asked_again)
{
	static const int statuses[] = {408, 424, 429, 500, 502, 503, 504};

	open_encoder();
	for (size_t i = 0; i < LENGTH(statuses); i++) {
		char text[16];

		server_plan()->status = statuses[i];
		server_plan()->n_statuses = 2;
		snprintf(text, sizeof(text), "%d", statuses[i]);
		ck_assert_msg(encode_one(text, NULL) == STATUS_OK, "%d", statuses[i]);
	}
	ck_assert_uint_eq(stats().n_retries, 2 * LENGTH(statuses));
	ck_assert_uint_eq(stats().n_failed, 0);
}
END_TEST

START_TEST(what_does_not_pass_is_named)
{
	static const struct {
		int status;
		enum status want;
		size_t n_requests;
		const char *fragment;
	} cases[] = {
	    {503, STATUS_ENCODER_DOWN, 3, "HTTP 503"},
	    {404, STATUS_ENCODER_FAULT, 1, "HTTP 404"},
	    {401, STATUS_ENCODER_FAULT, 1, "another key"},
	    {307, STATUS_ENCODER_FAULT, 1, "HTTP 307"},
	    {422, STATUS_ENCODER_REFUSED, 1, "the text \"a\": HTTP 422"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		size_t before = server_n_requests();
		struct err err;

		server_plan()->status = cases[i].status;
		server_plan()->n_statuses = -1;
		open_encoder();
		ck_assert_int_eq(encode_one("a", &err), cases[i].want);
		ck_assert_uint_eq(server_n_requests() - before, cases[i].n_requests);
		ck_assert_msg(strstr(err.msg, cases[i].fragment) != NULL, "%s", err.msg);
		ck_assert_msg(strstr(err.msg, "encoder " SPEC " at http://127.0.0.1:") == err.msg,
			      "%s", err.msg);
		ck_assert_uint_eq(rows.n_rows, 0);
		ck_assert_uint_eq(stats().n_failed, 1);
		encoder_close(encoder);
	}
	encoder = NULL;
}
END_TEST

START_TEST(wrong_dimension_is_named)
{
	struct err err;

	ck_assert_int_eq(encoder_open_at("tei:5", &options, &encoder, NULL), STATUS_OK);
	features_free(&rows);
	features_init(&rows, 5, false);
	ck_assert_int_eq(encode_one("a", &err), STATUS_ENCODER_FAULT);
	ck_assert_ptr_nonnull(strstr(err.msg, "has 4 numbers, want 5"));
}
END_TEST

START_TEST(nobody_there_is_named_within_the_time)
{
	double began = monotonic_seconds();
	struct err err;

	server_stop();
	options.timeout = 1;
	open_encoder();
	ck_assert_int_eq(encode_one("a", &err), STATUS_ENCODER_DOWN);
	ck_assert(monotonic_seconds() - began < PATIENCE);
}
END_TEST

/* ---- fingerprint ---- */

START_TEST(another_model_is_found_out_before_a_vector_is_given_out)
{
	float fingerprint[SERVER_DIM];
	struct err err;

	open_encoder();
	ck_assert_int_eq(encoder_fingerprint(encoder, fingerprint, NULL), STATUS_OK);
	encoder_close(encoder);
	server_plan()->salt = 1000;
	open_encoder();
	ck_assert_int_eq(encoder_pin(encoder, fingerprint, NULL), STATUS_OK);
	ck_assert_int_eq(encode_one("a", &err), STATUS_ENCODER_MISMATCH);
	ck_assert_uint_eq(rows.n_rows, 0);
	server_plan()->salt = 0;
	ck_assert_int_eq(encode_one("a", NULL), STATUS_OK);
}
END_TEST

START_TEST(another_model_is_found_out_after_the_connection_was_lost)
{
	struct err err;

	server_plan()->close_each = 1;
	open_encoder();
	ck_assert_int_eq(encode_one("a", NULL), STATUS_OK);
	server_plan()->salt = 1000;
	/* for a second it is believed */
	nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 100000000}, NULL);
	ck_assert_int_eq(encode_one("b", &err), STATUS_ENCODER_MISMATCH);
	ck_assert_ptr_nonnull(strstr(err.msg, "another vector than before: cosine"));
	server_plan()->salt = 0;
	ck_assert_int_eq(encode_one("b", &err), STATUS_OK);
	assert_row(1, "b");
}
END_TEST

START_TEST(without_an_address_it_is_what_it_was_pinned_to)
{
	static const float pinned[SERVER_DIM] = {1, 2, 3, 4};
	float vector[SERVER_DIM];
	struct err err;

	ck_assert_int_eq(encoder_open(SPEC, &encoder, NULL), STATUS_OK);
	ck_assert(encoder_is_remote(encoder));
	ck_assert_int_eq(encoder_fingerprint(encoder, vector, &err), STATUS_USAGE);
	ck_assert_int_eq(encode_one("a", &err), STATUS_USAGE);
	ck_assert_ptr_nonnull(strstr(err.msg, "--encoder-url URL"));
	ck_assert_int_eq(encoder_pin(encoder, pinned, NULL), STATUS_OK);
	ck_assert_int_eq(encoder_fingerprint(encoder, vector, &err), STATUS_OK);
	ck_assert_mem_eq(vector, pinned, sizeof(pinned));
	ck_assert_int_eq(encode_one("a", &err), STATUS_USAGE);
	ck_assert_int_eq(encoder_health(encoder, NULL), STATUS_OK);
	ck_assert(!stats().is_up);
	encoder_cancel(encoder);
}
END_TEST

/* ---- a server that is down ---- */

START_TEST(watched_server_that_fails_is_not_asked_until_it_is_back)
{
	struct err err;
	size_t before;

	options.max_failures = 2;
	options.n_retries = 0;
	open_encoder();
	ck_assert_int_eq(encode_one("a", NULL), STATUS_OK);
	server_plan()->status = 500;
	server_plan()->n_statuses = -1;
	ck_assert_int_eq(encode_one("b", &err), STATUS_ENCODER_DOWN);
	ck_assert_int_eq(encoder_health(encoder, NULL), STATUS_OK);
	ck_assert_int_eq(encode_one("b", &err), STATUS_ENCODER_DOWN);
	ck_assert_int_eq(encoder_health(encoder, &err), STATUS_ENCODER_DOWN);
	ck_assert_ptr_nonnull(strstr(err.msg, "HTTP 500"));
	ck_assert(!stats().is_up);
	ck_assert_uint_eq(stats().n_trips, 1);
	ck_assert_int_eq(atomic_load(&n_down), 1);
	before = stats().n_sent;
	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(encode_one("b", &err), STATUS_ENCODER_DOWN);
	ck_assert_uint_le(stats().n_sent - before, 10);	    /* probes alone */
	ck_assert_int_eq(encode_one("a", NULL), STATUS_OK); /* from the cache */
	server_plan()->n_statuses = 0;
	wait_for(&n_up, 1);
	ck_assert_int_eq(encode_one("b", NULL), STATUS_OK);
	ck_assert_int_eq(encoder_health(encoder, NULL), STATUS_OK);
}
END_TEST

START_TEST(watched_server_that_comes_back_as_another_stays_out)
{
	struct err err;

	options.max_failures = 1;
	options.n_retries = 0;
	open_encoder();
	ck_assert_int_eq(encode_one("a", NULL), STATUS_OK);
	server_stop();
	ck_assert_int_eq(encode_one("b", &err), STATUS_ENCODER_DOWN);
	server_start();
	server_plan()->salt = 1000;
	for (double end = monotonic_seconds() + PATIENCE;
	     encoder_health(encoder, &err) != STATUS_ENCODER_MISMATCH;) {
		ck_assert(monotonic_seconds() < end);
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	}
	ck_assert_int_eq(encode_one("b", &err), STATUS_ENCODER_MISMATCH);
	server_plan()->salt = 0;
	wait_for(&n_up, 1);
	ck_assert_int_eq(encode_one("b", NULL), STATUS_OK);
}
END_TEST

START_TEST(close_and_cancel_do_not_wait_for_a_server)
{
	double began = monotonic_seconds();
	struct err err;

	options.max_failures = 1;
	options.n_retries = 8;
	server_plan()->status = 503;
	server_plan()->n_statuses = -1;
	open_encoder();
	encoder_cancel(encoder);
	ck_assert_int_ne(encode_one("a", &err), STATUS_OK);
	ck_assert(monotonic_seconds() - began < PATIENCE);
}
END_TEST

/* ---- threads ---- */

static void *encode_often(void *context)
{
	struct features out;
	float want[SERVER_DIM];

	features_init(&out, SERVER_DIM, false);
	for (int i = 0; i < 100; i++) {
		char bytes[16];
		int len = snprintf(bytes, sizeof(bytes), "%d", (i * 7 + *(int *)context) % 40);
		const struct text text = {bytes, (size_t)len};

		if (encoder_encode(encoder, &text, 1, &out, NULL) != STATUS_OK)
			return context;
		server_vector(bytes, (size_t)len, want);
		if (memcmp(features_row(&out, (size_t)i).value, want, sizeof(want)) != 0)
			return context;
	}
	features_free(&out);
	return NULL;
}

START_TEST(many_threads_share_few_connections)
{
	pthread_t threads[8];
	int base[8];

	options.n_connections = 2;
	options.cache_bytes = 2000;
	open_encoder();
	for (int t = 0; t < 8; t++) {
		base[t] = t * 11;
		ck_assert_int_eq(pthread_create(&threads[t], NULL, encode_often, &base[t]), 0);
	}
	for (int t = 0; t < 8; t++) {
		void *failed;

		pthread_join(threads[t], &failed);
		ck_assert_ptr_null(failed);
	}
}
END_TEST

START_TEST(open_refuses_other_addresses)
{
	static const char *const urls[] = {"",
					   "host",
					   "ftp://host/",
					   "http://",
					   "http://u:p@host/",
					   "file:///etc/passwd",
					   "http://a b/"};

	for (size_t i = 0; i < LENGTH(urls); i++) {
		struct err err;

		options.url = urls[i];
		ck_assert_msg(encoder_open_at(SPEC, &options, &encoder, &err) ==
				  STATUS_INVALID_VALUE,
			      "case %zu", i);
		ck_assert_int_eq(encoder_check_url(urls[i], &err), STATUS_INVALID_VALUE);
	}
	ck_assert_int_eq(encoder_check_url("https://host:1/v1/embeddings?a=b", NULL), STATUS_OK);
	options.url = server_url();
	options.key = "two\nlines";
	ck_assert_int_eq(encoder_open_at(SPEC, &options, &encoder, NULL), STATUS_INVALID_VALUE);
	encoder = NULL;
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("encoder http");
	TCase *tcase = tcase_create("http");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, start, stop);
	tcase_add_test(tcase, encode_gives_rows_in_order_and_asks_for_each_text_once);
	tcase_add_test(tcase, encode_takes_what_it_has_seen_from_the_cache);
	tcase_add_test(tcase, encode_asks_again_without_a_cache);
	tcase_add_test(tcase, encode_cuts_batches_to_the_servers_limit);
	tcase_add_test(tcase, encode_refuses_what_is_not_utf8_before_it_asks);
	tcase_add_test(tcase, what_may_pass_is_asked_again);
	tcase_add_test(tcase, what_does_not_pass_is_named);
	tcase_add_test(tcase, wrong_dimension_is_named);
	tcase_add_test(tcase, nobody_there_is_named_within_the_time);
	tcase_add_test(tcase, another_model_is_found_out_before_a_vector_is_given_out);
	tcase_add_test(tcase, another_model_is_found_out_after_the_connection_was_lost);
	tcase_add_test(tcase, without_an_address_it_is_what_it_was_pinned_to);
	tcase_add_test(tcase, watched_server_that_fails_is_not_asked_until_it_is_back);
	tcase_add_test(tcase, watched_server_that_comes_back_as_another_stays_out);
	tcase_add_test(tcase, close_and_cancel_do_not_wait_for_a_server);
	tcase_add_test(tcase, many_threads_share_few_connections);
	tcase_add_test(tcase, open_refuses_other_addresses);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
