/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "server/wire_write.h"
#include "tests/unit/server/served_fixture.h"
#include "tests/unit/unit.h"

static struct buffer out;

static void free_out(void)
{
	buffer_free(&out);
}

static void assert_written(const char *want)
{
	ck_assert_msg(out.len == strlen(want) && memcmp(out.bytes, want, out.len) == 0,
		      "\n%.*s, want\n%s", (int)out.len, out.bytes, want);
}

static double rewards[] = {0.25, -1.5, 3};
static double weights[] = {0.75, 0.25};

static struct score_item item(size_t n_responses)
{
	return (struct score_item){
	    .question = {.n_responses = n_responses},
	    .rewards = rewards,
	    .preference = 0.5,
	    .weights = weights,
	    .n_weights = 2,
	    .updates = 7,
	};
}

START_TEST(single_score_has_no_items)
{
	struct score_item one = item(2);
	const struct score_request request = {.items = &one, .n_items = 1};

	wire_write_scores(&out, "m", &request);
	assert_written("{\"model\":\"m\",\"rewards\":[0.25,-1.5],\"preference\":0.5,"
		       "\"weights\":[0.75,0.25],\"updates\":7}");
}
END_TEST

START_TEST(preference_only_of_two)
{
	struct score_item items[] = {item(1), item(3)};
	const struct score_request request = {.items = items, .n_items = 2, .is_batch = true};

	wire_write_scores(&out, "m", &request);
	assert_written("{\"model\":\"m\",\"items\":["
		       "{\"rewards\":[0.25],\"weights\":[0.75,0.25],\"updates\":7},"
		       "{\"rewards\":[0.25,-1.5,3],\"weights\":[0.75,0.25],\"updates\":7}]}");
}
END_TEST

START_TEST(batch_of_one_stays_a_batch)
{
	struct score_item one = item(1);
	const struct score_request request = {.items = &one, .n_items = 1, .is_batch = true};

	wire_write_scores(&out, "m", &request);
	assert_written("{\"model\":\"m\",\"items\":["
		       "{\"rewards\":[0.25],\"weights\":[0.75,0.25],\"updates\":7}]}");
}
END_TEST

START_TEST(feedback_says_what_was_learnt)
{
	struct store_feedback step = {
	    .user = "ü\"",
	    .context = "",
	    .event_id = "e",
	    .weights_out = weights,
	    .n_weights_out = 2,
	    .model_id_out = "m",
	    .updates_out = 3,
	};

	wire_write_feedback(&out, &step);
	assert_written("{\"user\":\"ü\\\"\",\"context\":null,\"id\":\"e\",\"model\":\"m\","
		       "\"weights\":[0.75,0.25],\"updates\":3,\"duplicate\":false}");
	buffer_free(&out);
	step.context = "work";
	step.duplicate_out = true;
	wire_write_feedback(&out, &step);
	assert_written("{\"user\":\"ü\\\"\",\"context\":\"work\",\"id\":\"e\",\"model\":\"m\","
		       "\"weights\":[0.75,0.25],\"updates\":3,\"duplicate\":true}");
}
END_TEST

START_TEST(user_shows_each_state)
{
	double log_weights[] = {-0.5, -1};
	struct store_state states[] = {
	    {"", "m", 4, SERVED_TIME_US, 0, 2, log_weights},
	    {"work", "m", 1, SERVED_TIME_US + 1, 0, 2, log_weights},
	};
	double *softmaxes[] = {weights, weights};
	const struct user_view view = {
	    .user = "u",
	    .stored = {.states = states, .n_states = 2, .n_events = 4},
	    .weights = softmaxes,
	};

	wire_write_user(&out, &view);
	assert_written("{\"user\":\"u\",\"events\":4,\"states\":["
		       "{\"context\":null,\"model\":\"m\",\"updates\":4,"
		       "\"updated_at\":\"2026-01-01T00:00:00.000000Z\","
		       "\"weights\":[0.75,0.25],\"log_weights\":[-0.5,-1]},"
		       "{\"context\":\"work\",\"model\":\"m\",\"updates\":1,"
		       "\"updated_at\":\"2026-01-01T00:00:00.000001Z\","
		       "\"weights\":[0.75,0.25],\"log_weights\":[-0.5,-1]}]}");
}
END_TEST

START_TEST(user_without_states_has_an_empty_list)
{
	const struct user_view view = {.user = "u", .stored = {.n_events = 2}};

	wire_write_user(&out, &view);
	assert_written("{\"user\":\"u\",\"events\":2,\"states\":[]}");
}
END_TEST

START_TEST(deletion_counts)
{
	const struct store_delete deleted = {.user = "u", .states_out = 2, .events_out = 5};

	wire_write_deleted(&out, &deleted);
	assert_written("{\"user\":\"u\",\"deleted\":{\"states\":2,\"events\":5}}");
}
END_TEST

START_TEST(model_says_what_it_is)
{
	struct served_model *served = served_open("none:4", ROUTER_MLP);
	struct model *model = &served->model;

	strcpy(model->id, "id");
	model->mask[1] = true;
	model->mask[2] = true;
	ck_assert_int_eq(model_set_fact(model, "train.seed", "7", NULL), STATUS_OK);
	ck_assert_int_eq(model_set_fact(model, "train.objective", "by hand", NULL), STATUS_OK);
	wire_write_model(&out, model);
	assert_written("{\"id\":\"id\",\"version\":\"" MICRO_VERSION "\",\"format\":\"micro/1\","
		       "\"n_heads\":3,\"dim\":4,\"encoder\":\"none:4\","
		       "\"router\":{\"kind\":\"mlp\",\"n_hidden\":2},"
		       "\"templates\":{\"phi\":\"{response}\",\"psi\":\"{context}\\n{prompt}\"},"
		       "\"labels\":[\"head 0\",\"head 1\",\"head 2\"],\"masked\":[1,2],"
		       "\"training\":{\"objective\":\"by hand\",\"seed\":\"7\"}}");
	served_close(served);
}
END_TEST

START_TEST(error_has_type_param_and_code)
{
	static const struct {
		enum status code;
		const char *param;
		const char *want;
	} cases[] = {
	    {STATUS_MALFORMED, "",
	     "{\"error\":{\"message\":\"why \\\"so\\\"\",\"type\":\"invalid_request_error\","
	     "\"param\":null,\"code\":\"malformed\"}}"},
	    {STATUS_NOT_FINITE, "/prompt",
	     "{\"error\":{\"message\":\"why \\\"so\\\"\",\"type\":\"invalid_request_error\","
	     "\"param\":\"/prompt\",\"code\":\"not_finite\"}}"},
	    {STATUS_OVERLOADED, "",
	     "{\"error\":{\"message\":\"why \\\"so\\\"\",\"type\":\"overloaded_error\","
	     "\"param\":null,\"code\":\"overloaded\"}}"},
	    {STATUS_STATE_FULL, "",
	     "{\"error\":{\"message\":\"why \\\"so\\\"\",\"type\":\"server_error\","
	     "\"param\":null,\"code\":\"state_full\"}}"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct err err;

		err_at(&err, cases[i].code, cases[i].param, "why \"so\"");
		wire_write_error(&out, &err);
		assert_written(cases[i].want);
		buffer_free(&out);
	}
}
END_TEST

START_TEST(not_ready_gives_the_reason)
{
	wire_write_not_ready(&out, "because");
	assert_written("{\"status\":\"not_ready\",\"reasons\":[\"because\"]}");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire_write");
	TCase *tcase = tcase_create("wire_write");

	tcase_add_checked_fixture(tcase, NULL, free_out);
	tcase_add_test(tcase, single_score_has_no_items);
	tcase_add_test(tcase, preference_only_of_two);
	tcase_add_test(tcase, batch_of_one_stays_a_batch);
	tcase_add_test(tcase, feedback_says_what_was_learnt);
	tcase_add_test(tcase, user_shows_each_state);
	tcase_add_test(tcase, user_without_states_has_an_empty_list);
	tcase_add_test(tcase, deletion_counts);
	tcase_add_test(tcase, model_says_what_it_is);
	tcase_add_test(tcase, error_has_type_param_and_code);
	tcase_add_test(tcase, not_ready_gives_the_reason);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
