/* SPDX-License-Identifier: Apache-2.0 */
/* test_wire_oom.c - every allocation of reading a request fails in turn, JSON and tensors. */
#include <stdint.h>
#include <string.h>

#include "server/wire_read.h"
#include "server/wire_tensors.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/unit.h"

#define MAX_ALLOCATIONS 100
#define N_RESPONSES	2000 /* more than one block of the arena */

static const struct wire_limits limits = {
    .dim = 2, .max_items = 3, .max_responses = N_RESPONSES, .max_strength = 10};

static char body[100000];
static size_t body_len;

typedef enum status read_fn(struct arena *arena, struct err *err);

static enum status read_score(struct arena *arena, struct err *err)
{
	struct score_request request;

	return wire_read_score(body, body_len, &limits, arena, &request, err);
}

static enum status read_feedback(struct arena *arena, struct err *err)
{
	struct feedback feedback;

	return wire_read_feedback(body, body_len, &limits, arena, &feedback, err);
}

static enum status read_tensors(struct arena *arena, struct err *err)
{
	struct score_request request;

	return wire_tensors_score(body, body_len, &limits, arena, &request, err);
}

static enum status read_tensor_pair(struct arena *arena, struct err *err)
{
	struct feedback feedback;

	return wire_tensors_feedback(body, body_len, &limits, arena, &feedback, err);
}

static void sweep(read_fn *read)
{
	enum status status = STATUS_NO_MEMORY;
	long n;

	for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		struct arena arena = {0};
		struct err err = {0};

		mem_fail_after(n);
		status = read(&arena, &err);
		mem_fail_after(-1);
		ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY, "%ld: %s", n,
			      err.msg);
		ck_assert_int_eq(err.code, status);
		arena_free(&arena);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_ge(n, 2);
}

START_TEST(score_survives_every_failed_allocation)
{
	strcpy(body, "{\"user\":\"\\u00fc\",\"prompt\":{\"embedding\":\"AACAPwAAgL8=\"},"
		     "\"responses\":[{\"embedding\":[1,2]}");
	for (int i = 1; i < N_RESPONSES; i++)
		strcat(body, ",\"a\\n\"");
	strcat(body, "]}");
	body_len = strlen(body);
	sweep(read_score);
}
END_TEST

START_TEST(feedback_survives_every_failed_allocation)
{
	strcpy(body, "{\"user\":\"u\",\"context\":\"c\",\"id\":\"e\",\"chosen\":\"\\u00fc\","
		     "\"rejected\":{\"embedding\":\"AACAPwAAgL8=\"}}");
	body_len = strlen(body);
	sweep(read_feedback);
}
END_TEST

static void make_tensors(const char *header, size_t n_bytes)
{
	uint64_t len = strlen(header);

	memset(body, 0, sizeof(body));
	memcpy(body, &len, 8);
	memcpy(body + 8, header, len);
	body_len = 8 + len + n_bytes;
}

START_TEST(tensors_survive_every_failed_allocation)
{
	make_tensors("{\"__metadata__\":{\"request\":\"{\\\"user\\\":\\\"u\\\"}\"},"
		     "\"prompt\":{\"dtype\":\"F16\",\"shape\":[1,2],\"data_offsets\":[0,4]},"
		     "\"responses\":{\"dtype\":\"BF16\",\"shape\":[2000,2],\"data_offsets\":[4,8004"
		     "]}}",
		     8004);
	sweep(read_tensors);
	make_tensors("{\"__metadata__\":{\"request\":\"{\\\"user\\\":\\\"u\\\"}\"},"
		     "\"chosen\":{\"dtype\":\"F16\",\"shape\":[1,2],\"data_offsets\":[0,4]},"
		     "\"rejected\":{\"dtype\":\"BF16\",\"shape\":[1,2],\"data_offsets\":[4,8]}}",
		     8);
	sweep(read_tensor_pair);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire_oom");
	TCase *tcase = tcase_create("wire");

	tcase_add_test(tcase, score_survives_every_failed_allocation);
	tcase_add_test(tcase, feedback_survives_every_failed_allocation);
	tcase_add_test(tcase, tensors_survive_every_failed_allocation);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
