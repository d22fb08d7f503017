/* SPDX-License-Identifier: Apache-2.0 */
/* test_service_oom.c - a request from its bytes to its answer, each allocation failing in turn */
#include <string.h>

#include "server/service.h"
#include "server/wire_read.h"
#include "server/wire_write.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/server/served_fixture.h"
#include "tests/unit/unit.h"

static const struct wire_limits limits = {
    .dim = SERVED_DIM, .max_items = 4, .max_responses = 4, .max_strength = 10};

static struct fake_store fake;
static struct service service;
static struct served_model *served;

static void set_up(void)
{
	fake_store_init(&fake);
	fake.known_user = "u";
	service = served_service(&fake);
	service.keep_inputs = true;
	served = served_open("hash:4", ROUTER_MLP);
	served_set_templates(served, "{prompt} {response}", "{context} {prompt}");
}

static void tear_down(void)
{
	served_close(served);
}

static enum status score(struct arena *arena, struct buffer *out, struct err *err)
{
	static const char body[] = "{\"items\":[{\"user\":\"u\",\"prompt\":\"p\",\"responses\":"
				   "[\"a\",{\"embedding\":[1,2,3,4]}]},"
				   "{\"prompt\":\"q\",\"responses\":[\"b c d\",\"\"]}]}";
	struct score_request request;
	enum status status = wire_read_score(body, sizeof(body) - 1, &limits, arena, &request, err);

	if (status == STATUS_OK)
		status = service_score(&service, served, &request, arena, err);
	if (status != STATUS_OK)
		return status;
	wire_write_scores(out, "m", &request);
	return buffer_status(out, "the answer", err);
}

static enum status learn(struct arena *arena, struct buffer *out, struct err *err)
{
	static const char body[] = "{\"user\":\"u\",\"context\":\"c\",\"prompt\":\"p\","
				   "\"chosen\":\"a\",\"rejected\":{\"embedding\":[1,2,3,4]}}";
	struct feedback feedback;
	struct store_op op;
	enum status status =
	    wire_read_feedback(body, sizeof(body) - 1, &limits, arena, &feedback, err);

	if (status == STATUS_OK)
		status = service_prepare_feedback(&service, served, &feedback, arena, &op, err);
	if (status != STATUS_OK)
		return status;
	fake_store_apply(&fake, &op);
	status = service_check_write(&op, err);
	if (status != STATUS_OK)
		return status;
	wire_write_feedback(out, &op.feedback);
	return buffer_status(out, "the answer", err);
}

static enum status show(struct arena *arena, struct buffer *out, struct err *err)
{
	struct user_view view;
	enum status status = service_read_user(&service, "u", NULL, arena, &view, err);

	if (status == STATUS_OK) {
		wire_write_user(out, &view);
		status = buffer_status(out, "the answer", err);
	}
	service_free_user(&view);
	return status;
}

/* Every failure is STATUS_NO_MEMORY with a message, nothing leaks (under ASan), and
 * the answer after all of them is the answer without any. */
static void sweep(enum status (*request)(struct arena *, struct buffer *, struct err *))
{
	struct arena arena = {0};
	struct buffer want = {0}, got = {0};
	enum status status = STATUS_NO_MEMORY;
	long n = 0;

	ck_assert_int_eq(request(&arena, &want, NULL), STATUS_OK);
	arena_free(&arena);
	while (status != STATUS_OK) {
		struct err err = {0};

		mem_fail_after(n++);
		status = request(&arena, &got, &err);
		mem_fail_after(-1);
		ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY,
			      "allocation %ld: %s", n, err.msg);
		ck_assert_msg(status == STATUS_OK || strstr(err.msg, "out of memory") != NULL,
			      "allocation %ld: %s", n, err.msg);
		arena_free(&arena);
		if (status != STATUS_OK)
			buffer_free(&got);
	}
	ck_assert_int_gt(n, 2);
	ck_assert_uint_eq(got.len, want.len);
	ck_assert_int_eq(memcmp(got.bytes, want.bytes, want.len), 0);
	buffer_free(&got);
	buffer_free(&want);
}

START_TEST(score_survives_every_failed_allocation)
{
	sweep(score);
}
END_TEST

START_TEST(feedback_survives_every_failed_allocation)
{
	sweep(learn);
}
END_TEST

START_TEST(user_survives_every_failed_allocation)
{
	sweep(show);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("service_oom");
	TCase *tcase = tcase_create("requests");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, score_survives_every_failed_allocation);
	tcase_add_test(tcase, feedback_survives_every_failed_allocation);
	tcase_add_test(tcase, user_survives_every_failed_allocation);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
