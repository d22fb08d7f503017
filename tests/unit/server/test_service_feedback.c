/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/math/logmath.h"
#include "core/model/hedge.h"
#include "server/service.h"
#include "tests/unit/server/input_fixture.h"
#include "tests/unit/server/served_fixture.h"
#include "tests/unit/unit.h"

#define K SERVED_HEADS

static struct arena arena;
static struct fake_store fake;
static struct service service;
static struct served_model *served;

static const float vector_a[SERVED_DIM] = {1, 2, 0, -1};
static const float vector_b[SERVED_DIM] = {0, -1, 1, 0.5f};
static const float vector_c[SERVED_DIM] = {0.5f, 0.25f, -2, 1};

static void set_up(void)
{
	fake_store_init(&fake);
	service = served_service(&fake);
	served = NULL;
}

static void tear_down(void)
{
	arena_free(&arena);
	served_close(served);
}

static struct feedback pair_feedback(struct input *responses)
{
	responses[0] = input_vector(vector_b, "chosen");
	responses[1] = input_vector(vector_c, "rejected");
	return (struct feedback){
	    .user = "ada",
	    .event_id = "e",
	    .question = {"work", input_vector(vector_a, "prompt"), responses, 2},
	    .strength = 2,
	};
}

static void must_prepare(struct feedback *feedback, struct store_op *op)
{
	struct err err = {0};

	ck_assert_msg(service_prepare_feedback(&service, served, feedback, &arena, op, &err) ==
			  STATUS_OK,
		      "%s", err.msg);
}

START_TEST(step_has_the_losses_and_the_logits)
{
	struct input responses[2];
	struct feedback feedback = pair_feedback(responses);
	struct store_op op;

	served = served_open("none:4", ROUTER_STATIC);
	service.temperature = 0.5;
	service.drift = 0.25;
	must_prepare(&feedback, &op);

	const struct store_feedback *step = &op.feedback;
	ck_assert_int_eq(op.kind, STORE_FEEDBACK);
	ck_assert_str_eq(step->user, "ada");
	ck_assert_str_eq(step->context, "work");
	ck_assert_str_eq(step->event_id, "e");
	ck_assert_str_eq(step->model_id, served->model.id);
	ck_assert_int_eq(step->time_us, SERVED_TIME_US);
	ck_assert_uint_eq(step->n_heads, K);
	ck_assert_double_eq(step->temperature, 0.5);
	ck_assert_double_eq(step->drift, 0.25);
	ck_assert_double_eq(step->strength, 2);
	ck_assert_ptr_null(step->input);
	for (size_t k = 0; k < K; k++) {
		double margin = served_head_reward(k, vector_b) - served_head_reward(k, vector_c);

		ck_assert_double_eq_tol(step->loss[k], -log_sigmoid(margin), 1e-12);
		ck_assert_float_eq(step->logits[k], served_router_bias[k]);
	}
}
END_TEST

START_TEST(event_id_is_made_if_there_is_none)
{
	struct input responses[2];
	struct feedback feedback = pair_feedback(responses);
	struct store_op op;

	served = served_open("none:4", ROUTER_STATIC);
	feedback.event_id = NULL;
	must_prepare(&feedback, &op);
	ck_assert_str_eq(op.feedback.event_id, SERVED_EVENT);
}
END_TEST

START_TEST(outcome_of_the_writer_is_checked)
{
	struct input responses[2];
	struct feedback feedback = pair_feedback(responses);
	struct store_op op;
	struct err err = {0};

	served = served_open("none:4", ROUTER_STATIC);
	must_prepare(&feedback, &op);
	fake_store_apply(&fake, &op);
	ck_assert_int_eq(service_check_write(&op, &err), STATUS_OK);
	op.feedback.weights_out[1] = NAN;
	ck_assert_int_eq(service_check_write(&op, &err), STATUS_INTERNAL);
	fake.fails = STATUS_EVENT_ID_REUSED;
	fake_store_apply(&fake, &op);
	ck_assert_int_eq(service_check_write(&op, &err), STATUS_EVENT_ID_REUSED);
	ck_assert_str_eq(err.param, "/id");
}
END_TEST

START_TEST(pair_is_kept_only_when_asked_for)
{
	struct input responses[] = {input_text("a \"b\"\n", "chosen"),
				    input_vector(vector_b, "rejected")};
	struct feedback feedback = {.user = "ü",
				    .event_id = "e",
				    .question = {"", input_text("p", "prompt"), responses, 2},
				    .strength = 1};
	struct store_op op;

	served = served_open("hash:4", ROUTER_STATIC);
	service.keep_inputs = true;
	must_prepare(&feedback, &op);
	ck_assert_str_eq(op.feedback.input,
			 "{\"prompt\":\"p\",\"chosen\":\"a \\\"b\\\"\\n\",\"rejected\":"
			 "{\"embedding\":\"AAAAAAAAgL8AAIA/AAAAPw==\"},\"user\":\"ü\"}");
	feedback.question.context = "work";
	feedback.question.prompt = input_absent("prompt");
	must_prepare(&feedback, &op);
	ck_assert_str_eq(op.feedback.input,
			 "{\"chosen\":\"a \\\"b\\\"\\n\",\"rejected\":"
			 "{\"embedding\":\"AAAAAAAAgL8AAIA/AAAAPw==\"},\"user\":\"ü\","
			 "\"context\":\"work\"}");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("service feedback");
	TCase *learning = tcase_create("service_prepare_feedback");

	tcase_add_checked_fixture(learning, set_up, tear_down);
	tcase_add_test(learning, step_has_the_losses_and_the_logits);
	tcase_add_test(learning, event_id_is_made_if_there_is_none);
	tcase_add_test(learning, outcome_of_the_writer_is_checked);
	tcase_add_test(learning, pair_is_kept_only_when_asked_for);
	suite_add_tcase(suite, learning);
	return unit_run(suite);
}
