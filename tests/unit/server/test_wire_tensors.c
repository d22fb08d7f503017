/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "server/wire_tensors.h"
#include "tests/unit/server/wire_fixture.h"
#include "tests/unit/unit.h"

static struct arena arena;
static _Alignas(64) char body[4096];
static size_t body_len;

static void free_arena(void)
{
	arena_free(&arena);
}

/* The file of a header and its data, the header padded as writers do it. */
static void make_body(const char *header, const void *data, size_t n_bytes)
{
	uint64_t len = (strlen(header) + 7) / 8 * 8;

	body_len = 8 + len + n_bytes;
	ck_assert_uint_le(body_len, sizeof(body));
	memcpy(body, &len, 8);
	memset(body + 8, ' ', len);
	memcpy(body + 8, header, strlen(header));
	if (n_bytes > 0)
		memcpy(body + 8 + len, data, n_bytes);
}

static const float numbers[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

#define F32(name, rows, begin, end)                                                                \
	"\"" name "\":{\"dtype\":\"F32\",\"shape\":[" rows ",2],\"data_offsets\":[" begin "," end  \
	"]}"
#define REQUEST(text) "\"__metadata__\":{\"request\":\"" text "\"}"
#define USER	      "\\\"user\\\":\\\"ada\\\""

static void must_read_score(const char *header, size_t n_bytes, struct score_request *request)
{
	struct err err = {0};

	make_body(header, numbers, n_bytes);
	ck_assert_msg(wire_tensors_score(body, body_len, &wire_fixture_limits, &arena, request,
					 &err) == STATUS_OK,
		      "%s: %s", header, err.msg);
}

static void must_read_feedback(const char *header, size_t n_bytes, struct feedback *feedback)
{
	struct err err = {0};

	make_body(header, numbers, n_bytes);
	ck_assert_msg(wire_tensors_feedback(body, body_len, &wire_fixture_limits, &arena, feedback,
					    &err) == STATUS_OK,
		      "%s: %s", header, err.msg);
}

static void assert_input(const struct input *input, float x, float y, const char *place)
{
	char text[PLACE_TEXT_MAX];

	wire_fixture_vector(input, x, y);
	ck_assert_str_eq(place_text(input->place, text), place);
}

static bool is_in_body(const struct input *input)
{
	const char *value = (const char *)input->vector.value;

	return value >= body && value < body + body_len;
}

/* ---- what is right ---- */

START_TEST(single_item_is_read_in_place)
{
	struct score_request request;
	const struct question *q;

	must_read_score("{" REQUEST("{" USER ",\\\"context\\\":\\\"c\\\"}") "," F32(
			    "prompt", "1", "0", "8") "," F32("responses", "2", "8", "24") "}",
			24, &request);
	q = &request.items[0].question;
	ck_assert(!request.is_batch);
	ck_assert_uint_eq(request.n_items, 1);
	ck_assert_str_eq(request.items[0].user, "ada");
	ck_assert_str_eq(q->context, "c");
	assert_input(&q->prompt, 1, 2, "/prompt/0");
	ck_assert_uint_eq(q->n_responses, 2);
	assert_input(&q->responses[0], 3, 4, "/responses/0");
	assert_input(&q->responses[1], 5, 6, "/responses/1");
	ck_assert(is_in_body(&q->prompt) && is_in_body(&q->responses[1]));
}
END_TEST

START_TEST(receipt_and_no_personalization_can_be_asked_for)
{
	struct score_request request;

	must_read_score(
	    "{" REQUEST("{\\\"personalize\\\":false}") "," F32("responses", "1", "0", "8") "}", 8,
	    &request);
	ck_assert(request.items[0].impersonal && !request.items[0].wants_receipt);
	must_read_score("{" REQUEST("{\\\"items\\\":[{" USER ",\\\"responses\\\":1,\\\"receipt\\\":"
				    "true}]}") "," F32("responses", "1", "0", "8") "}",
			8, &request);
	ck_assert(!request.items[0].impersonal && request.items[0].wants_receipt);
}
END_TEST

START_TEST(metadata_and_prompt_may_be_missing)
{
	struct score_request request;

	must_read_score("{" F32("responses", "1", "0", "8") "}", 8, &request);
	ck_assert_ptr_null(request.items[0].user);
	ck_assert_str_eq(request.items[0].question.context, "");
	ck_assert_int_eq(request.items[0].question.prompt.kind, INPUT_ABSENT);
	must_read_score(
	    "{\"__metadata__\":{\"format\":\"pt\"}," F32("responses", "1", "0", "8") "}", 8,
	    &request);
	ck_assert_uint_eq(request.items[0].question.n_responses, 1);
}
END_TEST

#define ITEMS REQUEST("{\\\"items\\\":[{" USER ",\\\"responses\\\":1},{\\\"responses\\\":3}]}")

START_TEST(items_share_a_prompt_or_have_their_own)
{
	struct score_request request;
	const struct score_item *items;

	must_read_score("{" ITEMS
			"," F32("responses", "4", "0", "32") "," F32("prompt", "1", "32", "40") "}",
			40, &request);
	items = request.items;
	ck_assert(request.is_batch);
	ck_assert_uint_eq(request.n_items, 2);
	ck_assert_str_eq(items[0].user, "ada");
	ck_assert_ptr_null(items[1].user);
	ck_assert_uint_eq(items[0].question.n_responses, 1);
	ck_assert_uint_eq(items[1].question.n_responses, 3);
	assert_input(&items[0].question.responses[0], 1, 2, "/responses/0");
	assert_input(&items[1].question.responses[0], 3, 4, "/responses/1");
	assert_input(&items[1].question.responses[2], 7, 8, "/responses/3");
	assert_input(&items[1].question.prompt, 9, 10, "/prompt/0");
	ck_assert_ptr_eq(items[0].question.prompt.vector.value,
			 items[1].question.prompt.vector.value);
	must_read_score("{" ITEMS
			"," F32("responses", "4", "0", "32") "," F32("prompt", "2", "32", "48") "}",
			48, &request);
	assert_input(&request.items[0].question.prompt, 9, 10, "/prompt/0");
	assert_input(&request.items[1].question.prompt, 11, 12, "/prompt/1");
}
END_TEST

START_TEST(half_floats_and_unaligned_floats_are_copied)
{
	static const uint16_t halves[] = {0x3c00, 0xc000, 0x3f80, 0xc000}; /* F16, then BF16 */
	struct score_request request;
	struct err err;

	make_body("{\"prompt\":{\"dtype\":\"F16\",\"shape\":[1,2],\"data_offsets\":[0,4]},"
		  "\"responses\":{\"dtype\":\"BF16\",\"shape\":[1,2],\"data_offsets\":[4,8]}}",
		  halves, sizeof(halves));
	ck_assert_int_eq(
	    wire_tensors_score(body, body_len, &wire_fixture_limits, &arena, &request, &err),
	    STATUS_OK);
	assert_input(&request.items[0].question.prompt, 1, -2, "/prompt/0");
	assert_input(&request.items[0].question.responses[0], 1, -2, "/responses/0");

	make_body("{" F32("responses", "1", "0", "8") "}", numbers, 8);
	memmove(body + 1, body, body_len);
	ck_assert_int_eq(
	    wire_tensors_score(body + 1, body_len, &wire_fixture_limits, &arena, &request, &err),
	    STATUS_OK);
	assert_input(&request.items[0].question.responses[0], 1, 2, "/responses/0");
	ck_assert(!is_in_body(&request.items[0].question.responses[0]));
}
END_TEST

#define PAIR F32("chosen", "1", "0", "8") "," F32("rejected", "1", "8", "16")

START_TEST(feedback_is_read)
{
	struct feedback feedback;
	const struct question *q = &feedback.question;

	must_read_feedback(
	    "{" REQUEST("{" USER ",\\\"id\\\":\\\"e\\\",\\\"strength\\\":2.5}") "," PAIR "," F32(
		"prompt", "1", "16", "24") "}",
	    24, &feedback);
	ck_assert_str_eq(feedback.user, "ada");
	ck_assert_str_eq(feedback.event_id, "e");
	ck_assert_double_eq(feedback.strength, 2.5);
	ck_assert_uint_eq(q->n_responses, 2);
	assert_input(&q->responses[0], 1, 2, "/chosen/0");
	assert_input(&q->responses[1], 3, 4, "/rejected/0");
	assert_input(&q->prompt, 5, 6, "/prompt/0");

	must_read_feedback("{" REQUEST("{" USER "}") "," F32("chosen", "1", "0", "8") "," F32(
			       "rejected", "3", "8", "32") "}",
			   32, &feedback);
	ck_assert_uint_eq(q->n_responses, 4);
	assert_input(&q->responses[0], 1, 2, "/chosen/0");
	assert_input(&q->responses[3], 7, 8, "/rejected/2");

	must_read_feedback("{" REQUEST("{" USER "}") "," PAIR "}", 16, &feedback);
	ck_assert_ptr_null(feedback.event_id);
	ck_assert_double_eq(feedback.strength, 1);
	ck_assert_int_eq(q->prompt.kind, INPUT_ABSENT);
}
END_TEST

/* ---- what is wrong ---- */

struct fault {
	const char *header;
	size_t n_bytes;
	struct wire_fault want;
};

#define R2 F32("responses", "2", "0", "16")

static const struct fault score_faults[] = {
    {"[]", 0, {STATUS_MALFORMED, "", "header does not begin with '{'"}},
    {"{\"a\":1}", 0, {STATUS_MALFORMED, "", "a: not an object"}},
    {"{" R2 "}", 12, {STATUS_MALFORMED, "", "data_offsets [0, 16], want"}},
    {"{" R2 "}", 20, {STATUS_MALFORMED, "", "20 bytes of data, but the tensors end at 16"}},
    {"{}", 0, {STATUS_MISSING_FIELD, "/responses", "this tensor is required"}},
    {"{" R2 "," F32("chosen", "1", "16", "24") "}",
     24,
     {STATUS_UNKNOWN_FIELD, "/chosen", "unknown tensor \"chosen\", known are: prompt, responses"}},
    {"{\"__metadata__\":{\"user\":\"u\"}," R2 "}",
     16,
     {STATUS_UNKNOWN_FIELD, "/__metadata__/user",
      "want the request's fields as JSON under the key \"request\""}},
    {"{" REQUEST("{\\\"user\\\":") "," R2 "}",
     16,
     {STATUS_MALFORMED, "/__metadata__/request",
      "__metadata__, request: line 1, column 8: the text ends here"}},
    {"{" REQUEST("") "," R2 "}", 16, {STATUS_MALFORMED, "/__metadata__/request", "is empty"}},
    {"{" REQUEST("[]") "," R2 "}",
     16,
     {STATUS_INVALID_TYPE, "/__metadata__/request", "want an object, got an array"}},
    {"{" REQUEST("{\\\"user\\\":1}") "," R2 "}",
     16,
     {STATUS_INVALID_TYPE, "/__metadata__/request/user", "want a string, got a number"}},
    {"{" REQUEST("{\\\"receipt\\\":true}") "," R2 "}",
     16,
     {STATUS_MISSING_FIELD, "/__metadata__/request/receipt", "a receipt is for a user"}},
    {"{" REQUEST("{\\\"prompt\\\":\\\"p\\\"}") "," R2 "}",
     16,
     {STATUS_UNKNOWN_FIELD, "/__metadata__/request/prompt",
      "known are: user, context, receipt, personalize"}},
    {"{\"responses\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}",
     16,
     {STATUS_WRONG_DIMENSION, "/responses", "shape [4], want [n, 2]"}},
    {"{\"responses\":{\"dtype\":\"F32\",\"shape\":[1,4],\"data_offsets\":[0,16]}}",
     16,
     {STATUS_WRONG_DIMENSION, "/responses", "shape [1, 4], want [n, 2]"}},
    {"{\"responses\":{\"dtype\":\"F32\",\"shape\":[0,2],\"data_offsets\":[0,0]}}",
     0,
     {STATUS_WRONG_DIMENSION, "/responses", "shape [0, 2], want"}},
    {"{\"responses\":{\"dtype\":\"F64\",\"shape\":[1,2],\"data_offsets\":[0,16]}}",
     16,
     {STATUS_INVALID_TYPE, "/responses", "dtype F64, want F32, F16 or BF16"}},
    {"{" R2 ",\"prompt\":{\"dtype\":\"I32\",\"shape\":[1,2],\"data_offsets\":[16,24]}}",
     24,
     {STATUS_INVALID_TYPE, "/prompt", "dtype I32"}},
    {"{" F32("responses", "5", "0", "40") "}",
     40,
     {STATUS_INVALID_VALUE, "/responses", "5 rows, want 4 at most (the limit of --max-responses)"}},
    {"{" R2 "," F32("prompt", "2", "16", "32") "}",
     32,
     {STATUS_INVALID_VALUE, "/prompt", "2 rows, want 1, one for each item, or 1 for all"}},
    {"{" ITEMS "," F32("responses", "5", "0", "40") "}",
     40,
     {STATUS_INVALID_VALUE, "/responses", "5 rows, want 4, as many as the items say"}},
    {"{" ITEMS "," F32("responses", "3", "0", "24") "}",
     24,
     {STATUS_INVALID_VALUE, "/__metadata__/request/items/1/responses", "3 rows, want 1 to 2"}},
    {"{" ITEMS "," F32("responses", "4", "0", "32") "," F32("prompt", "3", "32", "56") "}",
     56,
     {STATUS_INVALID_VALUE, "/prompt", "3 rows, want 2"}},
    {"{" REQUEST("{\\\"items\\\":[{}]}") "," R2 "}",
     16,
     {STATUS_MISSING_FIELD, "/__metadata__/request/items/0/responses", "required"}},
    {"{" REQUEST("{\\\"items\\\":[{\\\"responses\\\":1.5}]}") "," R2 "}",
     16,
     {STATUS_INVALID_VALUE, "/__metadata__/request/items/0/responses", "1.5 rows"}},
    {"{" REQUEST("{\\\"items\\\":[{\\\"responses\\\":[2]}]}") "," R2 "}",
     16,
     {STATUS_INVALID_TYPE, "/__metadata__/request/items/0/responses", "got an array"}},
    {"{" REQUEST("{\\\"items\\\":[1]}") "," R2 "}",
     16,
     {STATUS_INVALID_TYPE, "/__metadata__/request/items/0", "want an object, got a number"}},
    {"{" REQUEST("{\\\"items\\\":[]}") "," R2 "}",
     16,
     {STATUS_INVALID_VALUE, "/__metadata__/request/items", "(the limit of --max-items)"}},
    {"{" REQUEST("{\\\"items\\\":[],\\\"user\\\":1}") "," R2 "}",
     16,
     {STATUS_UNKNOWN_FIELD, "/__metadata__/request/user", "known are: items"}},
};

static const struct fault feedback_faults[] = {
    {"{" PAIR "}", 16, {STATUS_MISSING_FIELD, "/__metadata__/request/user", "required"}},
    {"{" REQUEST("{" USER "}") "," F32("chosen", "1", "0", "8") "}",
     8,
     {STATUS_MISSING_FIELD, "/rejected", "this tensor is required"}},
    {"{" REQUEST("{" USER "}") "," PAIR "," F32("responses", "1", "16", "24") "}",
     24,
     {STATUS_UNKNOWN_FIELD, "/responses", "known are: prompt, chosen, rejected"}},
    {"{" REQUEST("{" USER "}") "," F32("chosen", "2", "0", "16") "," F32("rejected", "1", "16",
									 "24") "}",
     24,
     {STATUS_INVALID_VALUE, "/chosen", "2 rows, want 1"}},
    {"{" REQUEST("{" USER "}") "," PAIR "," F32("prompt", "2", "16", "32") "}",
     32,
     {STATUS_INVALID_VALUE, "/prompt", "2 rows, want 1"}},
    {"{" REQUEST("{" USER "}") "," F32("chosen", "1", "0", "8") "," F32("rejected", "4", "8",
									"40") "}",
     40,
     {STATUS_INVALID_VALUE, "/rejected", "4 rows, want 3 at most"}},
    {"{" REQUEST("{" USER ",\\\"id\\\":\\\"receipt-000102030405060708090a0b0c0d0e0f\\\"}") "," PAIR
											   "}",
     16,
     {STATUS_INVALID_VALUE, "/__metadata__/request/id", "those of receipts"}},
    {"{" REQUEST("{" USER ",\\\"strength\\\":11}") "," PAIR "}",
     16,
     {STATUS_INVALID_VALUE, "/__metadata__/request/strength", "11, want 0 to 10"}},
    {"{" REQUEST("{" USER ",\\\"items\\\":[]}") "," PAIR "}",
     16,
     {STATUS_UNKNOWN_FIELD, "/__metadata__/request/items",
      "known are: user, context, id, strength"}},
};

START_TEST(score_with_a_fault_is_refused_with_its_place)
{
	for (size_t i = 0; i < LENGTH(score_faults); i++) {
		const struct fault *fault = &score_faults[i];
		struct score_request request;
		struct err err = {0};

		make_body(fault->header, numbers, fault->n_bytes);
		wire_fixture_refused(fault->header,
				     wire_tensors_score(body, body_len, &wire_fixture_limits,
							&arena, &request, &err),
				     &err, &fault->want);
	}
}
END_TEST

START_TEST(feedback_with_a_fault_is_refused_with_its_place)
{
	for (size_t i = 0; i < LENGTH(feedback_faults); i++) {
		const struct fault *fault = &feedback_faults[i];
		struct feedback feedback;
		struct err err = {0};

		make_body(fault->header, numbers, fault->n_bytes);
		wire_fixture_refused(fault->header,
				     wire_tensors_feedback(body, body_len, &wire_fixture_limits,
							   &arena, &feedback, &err),
				     &err, &fault->want);
	}
}
END_TEST

START_TEST(number_that_is_not_finite_is_refused_with_its_row)
{
	static const float bad[] = {1, 2, 3, NAN, 5, -INFINITY};
	static const struct wire_fault want = {.code = STATUS_NOT_FINITE,
					       .param = "/responses/1",
					       .message =
						   "number 1 of row 1 of tensor responses is not "
						   "finite"};
	struct score_request request;
	struct err err;

	make_body("{" F32("responses", "3", "0", "24") "}", bad, sizeof(bad));
	wire_fixture_refused(
	    "not finite",
	    wire_tensors_score(body, body_len, &wire_fixture_limits, &arena, &request, &err), &err,
	    &want);
}
END_TEST

START_TEST(every_prefix_is_refused)
{
	struct score_request request;

	make_body("{" ITEMS "," F32("responses", "4", "0", "32") "}", numbers, 32);
	for (size_t len = 0; len < body_len; len++) {
		struct err err = {0};

		ck_assert_msg(wire_tensors_score(body, len, &wire_fixture_limits, &arena, &request,
						 &err) == STATUS_MALFORMED,
			      "%zu bytes", len);
		ck_assert_msg(err.code == STATUS_MALFORMED, "%zu bytes", len);
	}
}
END_TEST

static TCase *tcase(const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, NULL, free_arena);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("wire_tensors");
	TCase *right = tcase("right");
	TCase *wrong = tcase("wrong");

	tcase_add_test(right, single_item_is_read_in_place);
	tcase_add_test(right, receipt_and_no_personalization_can_be_asked_for);
	tcase_add_test(right, metadata_and_prompt_may_be_missing);
	tcase_add_test(right, items_share_a_prompt_or_have_their_own);
	tcase_add_test(right, half_floats_and_unaligned_floats_are_copied);
	tcase_add_test(right, feedback_is_read);
	suite_add_tcase(suite, right);
	tcase_add_test(wrong, score_with_a_fault_is_refused_with_its_place);
	tcase_add_test(wrong, feedback_with_a_fault_is_refused_with_its_place);
	tcase_add_test(wrong, number_that_is_not_finite_is_refused_with_its_row);
	tcase_add_test(wrong, every_prefix_is_refused);
	suite_add_tcase(suite, wrong);
	return unit_run(suite);
}
