/* SPDX-License-Identifier: Apache-2.0 */
/* test_encoder_http_oom.c - every allocation of an encoder behind HTTP fails in turn. */
#include <poll.h>
#include <string.h>

#include "core/encode/encoder.h"
#include "core/encode/http_mux.h"
#include "tests/unit/core/server_fixture.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/unit.h"

#define SPEC		"tei:4?normalize=false&truncate=\"x\""
#define MAX_ALLOCATIONS 200
#define N_ENCODE	40 /* more than a call has */

static struct encoder_options options;

static void start(void)
{
	server_start();
	encoder_options_init(&options);
	options.url = server_url();
	options.n_retries = 0;
}

START_TEST(open_survives_any_failed_allocation)
{
	enum status status = STATUS_NO_MEMORY;
	struct encoder *encoder;
	long n;

	options.max_failures = 3;
	for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		mem_fail_after(n);
		status = encoder_open_at(SPEC, &options, &encoder, NULL);
		mem_fail_after(-1);
		ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_gt(n, 8);
	encoder_close(encoder);
}
END_TEST

/* A cache without memory keeps nothing, and that is all: not every failure is one of the call. */
START_TEST(encode_survives_any_failed_allocation_and_keeps_the_rows_before)
{
	static const struct text texts[] = {{"first", 5}, {"b", 1}, {"first", 5}, {"", 0}};
	enum status status = STATUS_NO_MEMORY;
	int n_failed = 0;

	for (long n = 0; n < N_ENCODE; n++) {
		struct encoder *encoder;
		struct features rows;
		float want[SERVER_DIM];

		ck_assert_int_eq(encoder_open_at(SPEC, &options, &encoder, NULL), STATUS_OK);
		features_init(&rows, SERVER_DIM, false);
		ck_assert_int_eq(encoder_encode(encoder, texts, 1, &rows, NULL), STATUS_OK);
		mem_fail_after(n);
		status = encoder_encode(encoder, texts, 4, &rows, NULL);
		mem_fail_after(-1);
		ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
		ck_assert_uint_eq(rows.n_rows, status == STATUS_OK ? 5 : 1);
		ck_assert_int_eq(encoder_encode(encoder, texts, 4, &rows, NULL), STATUS_OK);
		server_vector("b", 1, want);
		ck_assert_mem_eq(features_row(&rows, rows.n_rows - 3).value, want, sizeof(want));
		n_failed += status != STATUS_OK;
		features_free(&rows);
		encoder_close(encoder);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_gt(n_failed, 8);
}
END_TEST

START_TEST(fingerprint_survives_any_failed_allocation)
{
	enum status status = STATUS_NO_MEMORY;
	float vector[SERVER_DIM] = {1, 0, 0, 0};
	struct encoder *encoder;

	ck_assert_int_eq(encoder_open_at(SPEC, &options, &encoder, NULL), STATUS_OK);
	for (long n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		mem_fail_after(n);
		status = encoder_check_fingerprint(encoder, vector, "it was", NULL);
		mem_fail_after(-1);
		if (status == STATUS_ENCODER_MISMATCH) /* of a vector that is not its own */
			status = STATUS_OK;
		ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
	}
	ck_assert_int_eq(status, STATUS_OK);
	mem_fail_after(0);
	ck_assert_int_eq(encoder_pin(encoder, vector, NULL), STATUS_NO_MEMORY);
	mem_fail_after(-1);
	encoder_close(encoder);
}
END_TEST

static void note_done(void *context)
{
	*(bool *)context = true;
}

/* A call whose first request nobody waits for, and what is left of it then. */
static enum status call(struct encoder *encoder, struct http_mux *mux, struct features *rows,
			int *n_started)
{
	static const struct text texts[] = {{"a", 1}, {"b", 1}, {"a", 1}};
	struct encoder_call *call = NULL;
	enum status status = encoder_call_open(encoder, texts, 3, &call, NULL);
	bool is_done = false;
	size_t refused;

	if (status == STATUS_OK && encoder_call_start(call, mux, note_done, &is_done)) {
		++*n_started;
		while (!is_done) {
			struct pollfd fd = {.fd = http_mux_fd(mux), .events = POLLIN};

			poll(&fd, 1, http_mux_timeout(mux));
			http_mux_run(mux, fd.revents != 0);
		}
	}
	if (status == STATUS_OK)
		status = encoder_call_finish(call, rows, &refused, NULL);
	encoder_call_close(call);
	return status;
}

START_TEST(call_survives_any_failed_allocation)
{
	enum status status = STATUS_NO_MEMORY;
	struct encoder *encoder;
	struct features rows;
	struct http_mux *mux;
	int n_failed = 0, n_started = 0;

	mem_fail_after(0);
	ck_assert_int_eq(http_mux_open(&mux, NULL), STATUS_NO_MEMORY);
	mem_fail_after(-1);
	ck_assert_ptr_null(mux);
	options.cache_bytes = 0;
	ck_assert_int_eq(http_mux_open(&mux, NULL), STATUS_OK);
	ck_assert_int_eq(encoder_open_at(SPEC, &options, &encoder, NULL), STATUS_OK);
	features_init(&rows, SERVER_DIM, false);
	/* a connection is there, and the fingerprint known */
	ck_assert_int_eq(call(encoder, mux, &rows, &n_started), STATUS_OK);
	ck_assert_int_eq(n_started, 0);
	for (long n = 0; n < N_ENCODE; n++) {
		rows.n_rows = 0;
		mem_fail_after(n);
		status = call(encoder, mux, &rows, &n_started);
		mem_fail_after(-1);
		ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
		ck_assert_uint_eq(rows.n_rows, status == STATUS_OK ? 3 : 0);
		n_failed += status != STATUS_OK;
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_gt(n_failed, 8);
	ck_assert_int_gt(n_started, n_failed / 2);
	features_free(&rows);
	encoder_close(encoder);
	http_mux_close(mux);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("encoder http out of memory");
	TCase *tcase = tcase_create("sweep");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, start, server_stop);
	tcase_add_test(tcase, open_survives_any_failed_allocation);
	tcase_add_test(tcase, encode_survives_any_failed_allocation_and_keeps_the_rows_before);
	tcase_add_test(tcase, call_survives_any_failed_allocation);
	tcase_add_test(tcase, fingerprint_survives_any_failed_allocation);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
