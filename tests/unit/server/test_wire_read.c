/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "server/wire_read.h"
#include "tests/unit/server/wire_fixture.h"
#include "tests/unit/unit.h"

static struct arena arena;

static void free_arena(void)
{
	arena_free(&arena);
}

static void must_read_score(const char *body, struct score_request *request)
{
	struct err err = {0};
	enum status got =
	    wire_read_score(body, strlen(body), &wire_fixture_limits, &arena, request, &err);

	ck_assert_msg(got == STATUS_OK, "%s: %s", body, err.msg);
}

static void must_read_feedback(const char *body, struct feedback *feedback)
{
	struct err err = {0};
	enum status got =
	    wire_read_feedback(body, strlen(body), &wire_fixture_limits, &arena, feedback, &err);

	ck_assert_msg(got == STATUS_OK, "%s: %s", body, err.msg);
}

static void assert_text(const struct input *input, const char *want)
{
	ck_assert_int_eq(input->kind, INPUT_TEXT);
	ck_assert_msg(input->text.len == strlen(want) &&
			  memcmp(input->text.bytes, want, input->text.len) == 0,
		      "\"%.*s\", want \"%s\"", (int)input->text.len, input->text.bytes, want);
}

START_TEST(item_with_everything_is_read)
{
	struct score_request request;

	must_read_score("{\"user\":\"u\",\"context\":\"c\",\"prompt\":\"p\","
			"\"responses\":[\"a\",{\"embedding\":[1,-2.5]},"
			"{\"embedding\":\"AACAPwAAgL8=\"}]}",
			&request);
	ck_assert(!request.is_batch);
	ck_assert_uint_eq(request.n_items, 1);

	const struct question *q = &request.items[0].question;
	ck_assert_str_eq(request.items[0].user, "u");
	ck_assert_str_eq(q->context, "c");
	assert_text(&q->prompt, "p");
	ck_assert_uint_eq(q->n_responses, 3);
	assert_text(&q->responses[0], "a");
	wire_fixture_vector(&q->responses[1], 1, -2.5f);
	wire_fixture_vector(&q->responses[2], 1, -1);
}
END_TEST

START_TEST(messages_are_a_prompt)
{
	static const char *const bodies[] = {
	    "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":"
	    "["
	    "{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}],\"name\":\"x\"}"
	    "],"
	    "\"responses\":[\"r\"]}",
	    "{\"prompt\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":"
	    "\"ab\"}],\"responses\":[\"r\"]}",
	};

	for (size_t i = 0; i < LENGTH(bodies); i++) {
		struct score_request request;

		must_read_score(bodies[i], &request);

		const struct input *prompt = &request.items[0].question.prompt;
		assert_text(prompt, "system: s\nuser: ab");
		ck_assert_uint_eq(prompt->chat.n, 2);
		ck_assert_uint_eq(prompt->chat.messages[1].content.len, 2);
		ck_assert_mem_eq(prompt->chat.messages[1].content.bytes, "ab", 2);
		ck_assert_mem_eq(prompt->chat.messages[0].role.bytes, "system", 6);
	}
}
END_TEST

START_TEST(optional_fields_may_be_missing_or_null)
{
	static const char *const bodies[] = {
	    "{\"responses\":[\"\"]}",
	    "{\"user\":null,\"context\":null,\"prompt\":null,\"responses\":[\"\"]}",
	};

	for (size_t i = 0; i < LENGTH(bodies); i++) {
		struct score_request request;

		must_read_score(bodies[i], &request);
		ck_assert_ptr_null(request.items[0].user);
		ck_assert_str_eq(request.items[0].question.context, "");
		ck_assert_int_eq(request.items[0].question.prompt.kind, INPUT_ABSENT);
		assert_text(&request.items[0].question.responses[0], "");
	}
}
END_TEST

START_TEST(items_are_read_in_order)
{
	struct score_request request;

	must_read_score("{\"items\":[{\"responses\":[\"a\"]},{\"responses\":[\"b\",\"c\"]}]}",
			&request);
	ck_assert(request.is_batch);
	ck_assert_uint_eq(request.n_items, 2);
	ck_assert_uint_eq(request.items[1].question.n_responses, 2);
	assert_text(&request.items[1].question.responses[1], "c");
	ck_assert_uint_eq(request.items[1].question.responses[1].place.item, 1);
}
END_TEST

START_TEST(texts_are_unescaped_utf8)
{
	struct score_request request;

	must_read_score("{\"responses\":[\"na\\u00efve \\ud83e\\uded6 \\\"\\/\\n\"]}", &request);
	assert_text(&request.items[0].question.responses[0], "naïve 🫖 \"/\n");
}
END_TEST

START_TEST(integers_of_any_length_are_numbers)
{
	struct score_request request;

	must_read_score("{\"responses\":[{\"embedding\":[123456789012345678901234567890,-0]}]}",
			&request);
	wire_fixture_vector(&request.items[0].question.responses[0], 1.23456789e29f, 0);
}
END_TEST

START_TEST(feedback_with_everything_is_read)
{
	struct feedback feedback;

	must_read_feedback("{\"user\":\"u\",\"context\":\"c\",\"prompt\":\"p\",\"chosen\":\"a\","
			   "\"rejected\":{\"embedding\":[0,1]},\"id\":\"e\",\"strength\":2}",
			   &feedback);
	ck_assert_str_eq(feedback.user, "u");
	ck_assert_str_eq(feedback.event_id, "e");
	ck_assert_str_eq(feedback.question.context, "c");
	ck_assert_double_eq(feedback.strength, 2);
	ck_assert_uint_eq(feedback.question.n_responses, 2);
	assert_text(&feedback.question.responses[0], "a");
	wire_fixture_vector(&feedback.question.responses[1], 0, 1);
}
END_TEST

START_TEST(feedback_has_defaults)
{
	struct feedback feedback;

	must_read_feedback("{\"user\":\"u\",\"chosen\":\"a\",\"rejected\":\"b\",\"id\":null,"
			   "\"strength\":null}",
			   &feedback);
	ck_assert_ptr_null(feedback.event_id);
	ck_assert_double_eq(feedback.strength, 1);
	ck_assert_str_eq(feedback.question.context, "");
}
END_TEST

START_TEST(receipt_is_asked_for_by_item)
{
	struct score_request request;

	must_read_score("{\"items\":[{\"user\":\"u\",\"responses\":[\"a\"],\"receipt\":true},"
			"{\"responses\":[\"a\"],\"receipt\":false,\"personalize\":false}]}",
			&request);
	ck_assert(request.items[0].wants_receipt && !request.items[0].impersonal);
	ck_assert(!request.items[1].wants_receipt && request.items[1].impersonal);
}
END_TEST

START_TEST(choice_by_receipt_is_read)
{
	struct feedback feedback;

	must_read_feedback("{\"receipt\":\"token\",\"chosen\":2,\"rejected\":0,\"user\":\"u\"}",
			   &feedback);
	ck_assert_str_eq(feedback.user, "u");
	ck_assert_ptr_null(feedback.question.context);
	ck_assert_ptr_null(feedback.event_id);
	ck_assert_uint_eq(feedback.choice->token.len, strlen("token"));
	ck_assert_mem_eq(feedback.choice->token.bytes, "token", strlen("token"));
	ck_assert_uint_eq(feedback.choice->chosen, 2);
	ck_assert_uint_eq(feedback.choice->n_rejected, 1);
	ck_assert_uint_eq(feedback.choice->rejected[0], 0);
	must_read_feedback("{\"receipt\":\"token\",\"chosen\":0,\"rejected\":[1],"
			   "\"context\":\"\",\"strength\":0.5}",
			   &feedback);
	ck_assert_ptr_null(feedback.user);
	ck_assert_str_eq(feedback.question.context, "");
	ck_assert_double_eq(feedback.strength, 0.5);
	ck_assert_uint_eq(feedback.choice->rejected[0], 1);
}
END_TEST

START_TEST(one_may_be_chosen_over_each_of_an_array)
{
	struct feedback feedback;

	must_read_feedback("{\"user\":\"u\",\"chosen\":\"a\",\"rejected\":[\"b\"]}", &feedback);
	ck_assert_ptr_null(feedback.choice);
	ck_assert_uint_eq(feedback.question.n_responses, 2);
	assert_text(&feedback.question.responses[1], "b");
	ck_assert_uint_eq(feedback.question.responses[1].place.index, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire_read");
	TCase *tcase = tcase_create("read");

	tcase_add_checked_fixture(tcase, NULL, free_arena);
	tcase_add_test(tcase, item_with_everything_is_read);
	tcase_add_test(tcase, messages_are_a_prompt);
	tcase_add_test(tcase, optional_fields_may_be_missing_or_null);
	tcase_add_test(tcase, items_are_read_in_order);
	tcase_add_test(tcase, texts_are_unescaped_utf8);
	tcase_add_test(tcase, integers_of_any_length_are_numbers);
	tcase_add_test(tcase, feedback_with_everything_is_read);
	tcase_add_test(tcase, feedback_has_defaults);
	tcase_add_test(tcase, receipt_is_asked_for_by_item);
	tcase_add_test(tcase, choice_by_receipt_is_read);
	tcase_add_test(tcase, one_may_be_chosen_over_each_of_an_array);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
