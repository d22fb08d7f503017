/* SPDX-License-Identifier: Apache-2.0 */
/* test_wire_read_refused.c - request bodies that are wrong: what is said of them, and where. */
#include <string.h>

#include "server/wire_read.h"
#include "tests/unit/server/wire_fixture.h"
#include "tests/unit/unit.h"

static struct arena arena;

static void free_arena(void)
{
	arena_free(&arena);
}

struct fault {
	const char *body;
	struct wire_fault want;
};

#define V     "{\"embedding\":[0,0]}"
#define SCORE "\"responses\":[\"a\"]"
#define PAIR  "\"user\":\"u\",\"chosen\":\"a\",\"rejected\":\"b\""
#define A64   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A257  A64 A64 A64 A64 "a"

static const struct fault malformed[] = {
    {"", {STATUS_MALFORMED, "", "line 1, column 1: the body is empty"}},
    {"   ", {STATUS_MALFORMED, "", "line 1, column 3: "}},
    {"{", {STATUS_MALFORMED, "", "line 1, column 1: "}},
    {"{\n\n  x", {STATUS_MALFORMED, "", "line 3, column 3: "}},
    {"{" SCORE "} x", {STATUS_MALFORMED, "", "got 'x', want the end of the text"}},
    {"{" SCORE "}{", {STATUS_MALFORMED, "", "got '{', want the end of the text"}},
    {"{\"user\":\"a\",\"user\":\"b\"}", {STATUS_MALFORMED, "", "duplicate field \"user\""}},
    {"{\"responses\":[NaN]}", {STATUS_MALFORMED, "", "line 1, column"}},
    {"{\"responses\":[Infinity]}", {STATUS_MALFORMED, "", "line 1, column"}},
    {"{\"responses\":[-Infinity]}", {STATUS_MALFORMED, "", "line 1, column"}},
    {"{\"responses\":[1e999]}", {STATUS_MALFORMED, "", "overflow"}},
    {"{\"responses\":[01]}", {STATUS_MALFORMED, "", "line 1, column"}},
    {"{\"responses\":[1.]}", {STATUS_MALFORMED, "", "line 1, column"}},
    {"{\"responses\":['a']}", {STATUS_MALFORMED, "", "line 1, column"}},
    {"{\"responses\":[\"a\",]}", {STATUS_MALFORMED, "", "line 1, column"}},
    {"{\"user\":\"\\ud800\"}", {STATUS_MALFORMED, "", "line 1, column"}},
    {"{\"user\":\"\\udc00\"}", {STATUS_MALFORMED, "", "line 1, column"}},
    {"{\"user\\u0000\":1}", {STATUS_MALFORMED, "", "line 1, column"}},
    {"{\"user\":\"\xff\"}", {STATUS_MALFORMED, "", "line 1, column"}},
    {"{\"user\":\"\xed\xa0\x80\"}", {STATUS_MALFORMED, "", "line 1, column"}},
    {"{\"user\":\"a\nb\"}", {STATUS_MALFORMED, "", "line 1, column"}},
    {"\xef\xbb\xbf{" SCORE "}", {STATUS_MALFORMED, "", "line 1, column"}},
};

static const struct fault score_faults[] = {
    {"[]", {STATUS_INVALID_TYPE, "", "want an object, got an array"}},
    {"7", {STATUS_INVALID_TYPE, "", "want an object, got a number"}},
    {"null", {STATUS_INVALID_TYPE, "", "want an object, got null"}},
    {"{}", {STATUS_MISSING_FIELD, "/responses", "required"}},
    {"{\"responses\":null}", {STATUS_MISSING_FIELD, "/responses", "required"}},
    {"{\"responses\":\"a\"}", {STATUS_INVALID_TYPE, "/responses", "want an array, got a string"}},
    {"{\"responses\":[]}",
     {STATUS_INVALID_VALUE, "/responses",
      "0 elements, want 1 to 4 (the limit of --max-responses)"}},
    {"{\"responses\":[0,0,0,0,0]}", {STATUS_INVALID_VALUE, "/responses", "5 elements"}},
    {"{\"responses\":[\"a\",true]}",
     {STATUS_INVALID_TYPE, "/responses/1", "want a text or {\"embedding\": ...}, got a boolean"}},
    {"{\"messages\":[],\"responses\":[\"a\"]}", {STATUS_INVALID_VALUE, "/messages", "0 elements"}},
    {"{\"messages\":\"hi\",\"responses\":[\"a\"]}",
     {STATUS_INVALID_TYPE, "/messages", "want an array, got a string"}},
    {"{\"messages\":[{\"role\":\"user\"}],\"responses\":[\"a\"]}",
     {STATUS_MISSING_FIELD, "/messages/0/content", "required"}},
    {"{\"messages\":[{\"role\":\"\",\"content\":\"a\"}],\"responses\":[\"a\"]}",
     {STATUS_INVALID_VALUE, "/messages/0/role", "want a role that is not empty, such as user"}},
    {"{\"prompt\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}],\"responses\":["
     "\"a\"]}",
     {STATUS_INVALID_TYPE, "/prompt/0/content/0",
      "want a text or an array of {\"type\": \"text\", \"text\": ...}"}},
    {"{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"prompt\":\"p\",\"responses\":[\"a\"]"
     "}",
     {STATUS_INVALID_VALUE, "/messages", "want prompt or messages, not both"}},
    {"{\"responses\":[[1,2]]}", {STATUS_INVALID_TYPE, "/responses/0", "got an array"}},
    {"{\"responses\":[null]}", {STATUS_INVALID_TYPE, "/responses/0", "got null"}},
    {"{" SCORE ",\"user\":1}", {STATUS_INVALID_TYPE, "/user", "want a string, got a number"}},
    {"{" SCORE ",\"user\":\"\"}", {STATUS_INVALID_VALUE, "/user", "0 bytes, want 1 to 256"}},
    {"{" SCORE ",\"user\":\"" A257 "\"}", {STATUS_INVALID_VALUE, "/user", "257 bytes"}},
    {"{" SCORE ",\"user\":\"a\\nb\"}", {STATUS_INVALID_VALUE, "/user", "U+000A"}},
    {"{" SCORE ",\"context\":{}}", {STATUS_INVALID_TYPE, "/context", "got an object"}},
    {"{" SCORE ",\"context\":\"" A257 "\"}", {STATUS_INVALID_VALUE, "/context", "want 0 to 256"}},
    {"{" SCORE ",\"prompt\":1}", {STATUS_INVALID_TYPE, "/prompt", "got a number"}},
    {"{" SCORE ",\"prompt\":{}}", {STATUS_MISSING_FIELD, "/prompt", "embedding"}},
    {"{" SCORE ",\"prompt\":{\"embedding\":[0,0],\"x\":1}}",
     {STATUS_UNKNOWN_FIELD, "/prompt", "embedding"}},
    {"{" SCORE ",\"prompt\":{\"embedding\":1}}",
     {STATUS_INVALID_TYPE, "/prompt", "array of numbers or a base64 string"}},
    {"{" SCORE ",\"prompt\":{\"embedding\":[1]}}",
     {STATUS_WRONG_DIMENSION, "/prompt/embedding", "vector of 1 numbers, want 2"}},
    {"{" SCORE ",\"prompt\":{\"embedding\":[]}}",
     {STATUS_WRONG_DIMENSION, "/prompt/embedding", "vector of 0 numbers, want 2"}},
    {"{" SCORE ",\"prompt\":{\"embedding\":[0,\"1\"]}}",
     {STATUS_INVALID_TYPE, "/prompt/embedding/1", "want a number, got a string"}},
    {"{" SCORE ",\"prompt\":{\"embedding\":[0,1e39]}}",
     {STATUS_NOT_FINITE, "/prompt/embedding/1", "1e+39 does not fit in a float32"}},
    {"{" SCORE ",\"prompt\":{\"embedding\":[-3.5e38,0]}}",
     {STATUS_NOT_FINITE, "/prompt/embedding/0", "float32"}},
    {"{" SCORE ",\"prompt\":{\"embedding\":\"!AAAAAAAAAA=\"}}",
     {STATUS_INVALID_BASE64, "/prompt/embedding", "base64"}},
    {"{" SCORE ",\"prompt\":{\"embedding\":\"AACAPw==\"}}",
     {STATUS_WRONG_DIMENSION, "/prompt/embedding", "want 2"}},
    {"{" SCORE ",\"prompt\":{\"embedding\":\"AADAfwAAAAA=\"}}",
     {STATUS_NOT_FINITE, "/prompt/embedding", "number 0"}},
    {"{" SCORE ",\"temperature\":1}",
     {STATUS_UNKNOWN_FIELD, "/temperature",
      "unknown field \"temperature\", known are: user, context, prompt, messages, responses"}},
    {"{" SCORE ",\"a/b\":1}", {STATUS_UNKNOWN_FIELD, "/a~1b", "unknown field"}},
    {"{\"items\":[],\"user\":\"u\"}", {STATUS_UNKNOWN_FIELD, "/user", "known are: items"}},
    {"{\"items\":{}}", {STATUS_INVALID_TYPE, "/items", "want an array, got an object"}},
    {"{\"items\":null}", {STATUS_INVALID_TYPE, "/items", "want an array, got null"}},
    {"{\"items\":[]}", {STATUS_INVALID_VALUE, "/items", "(the limit of --max-items)"}},
    {"{\"items\":[0,0,0,0]}", {STATUS_INVALID_VALUE, "/items", "4 elements, want 1 to 3"}},
    {"{\"items\":[{" SCORE "},1]}", {STATUS_INVALID_TYPE, "/items/1", "want an object"}},
    {"{\"items\":[{" SCORE "},{}]}", {STATUS_MISSING_FIELD, "/items/1/responses", "required"}},
    {"{\"items\":[{" SCORE "},{" SCORE ",\"x\":1}]}", {STATUS_UNKNOWN_FIELD, "/items/1/x", "x"}},
    {"{\"items\":[{\"responses\":[\"a\",{\"embedding\":[0]}]}]}",
     {STATUS_WRONG_DIMENSION, "/items/0/responses/1/embedding", "want 2"}},
    {"{\"items\":[{\"items\":[]}]}", {STATUS_UNKNOWN_FIELD, "/items/0/items", "items"}},
};

static const struct fault feedback_faults[] = {
    {"[]", {STATUS_INVALID_TYPE, "", "want an object, got an array"}},
    {"{\"chosen\":\"a\",\"rejected\":\"b\"}", {STATUS_MISSING_FIELD, "/user", "required"}},
    {"{\"user\":null,\"chosen\":\"a\",\"rejected\":\"b\"}", {STATUS_MISSING_FIELD, "/user", ""}},
    {"{\"user\":\"u\",\"rejected\":\"b\"}", {STATUS_MISSING_FIELD, "/chosen", "required"}},
    {"{\"user\":\"u\",\"chosen\":\"a\"}", {STATUS_MISSING_FIELD, "/rejected", "required"}},
    {"{\"user\":\"u\",\"chosen\":1,\"rejected\":\"b\"}", {STATUS_INVALID_TYPE, "/chosen", ""}},
    {"{\"user\":\"u\",\"chosen\":\"a\",\"rejected\":{\"embedding\":[0]}}",
     {STATUS_WRONG_DIMENSION, "/rejected/embedding", "want 2"}},
    {"{" PAIR ",\"id\":7}", {STATUS_INVALID_TYPE, "/id", "want a string"}},
    {"{" PAIR ",\"id\":\"\"}", {STATUS_INVALID_VALUE, "/id", "0 bytes, want 1 to 256"}},
    {"{" PAIR ",\"strength\":\"1\"}", {STATUS_INVALID_TYPE, "/strength", "got a string"}},
    {"{" PAIR ",\"strength\":-0.5}",
     {STATUS_INVALID_VALUE, "/strength", "-0.5, want 0 to 10 (the limit of --max-strength)"}},
    {"{" PAIR ",\"strength\":10.5}", {STATUS_INVALID_VALUE, "/strength", "10.5, want 0 to 10"}},
    {"{" PAIR ",\"responses\":[]}",
     {STATUS_UNKNOWN_FIELD, "/responses",
      "known are: user, context, prompt, messages, chosen, rejected, id, strength"}},
    {"{" PAIR ",\"receipt_\":\"x\"}", {STATUS_UNKNOWN_FIELD, "/receipt_", "unknown field"}},
    {"{" PAIR ",\"id\":\"receipt-1\"}", {STATUS_INVALID_VALUE, "/id", "want another"}},
    {"{\"user\":\"u\",\"chosen\":\"a\",\"rejected\":[]}",
     {STATUS_INVALID_VALUE, "/rejected", "0 elements, want 1 to 3"}},
    {"{\"user\":\"u\",\"chosen\":\"a\",\"rejected\":[1]}",
     {STATUS_INVALID_TYPE, "/rejected/0", "got a number"}},
    {"{\"user\":\"u\",\"chosen\":\"a\",\"rejected\":[null]}",
     {STATUS_INVALID_TYPE, "/rejected/0", "got null"}},
    {"{\"receipt\":1,\"chosen\":0,\"rejected\":1}", {STATUS_INVALID_TYPE, "/receipt", "a string"}},
    {"{\"receipt\":\"r\",\"chosen\":\"a\",\"rejected\":1}",
     {STATUS_INVALID_TYPE, "/chosen", "want the number of a response"}},
    {"{\"receipt\":\"r\",\"rejected\":1}", {STATUS_MISSING_FIELD, "/chosen", "required"}},
    {"{\"receipt\":\"r\",\"chosen\":0}", {STATUS_MISSING_FIELD, "/rejected", "required"}},
    {"{\"receipt\":\"r\",\"chosen\":0.5,\"rejected\":1}", {STATUS_INVALID_VALUE, "/chosen", "0.5"}},
    {"{\"receipt\":\"r\",\"chosen\":-1,\"rejected\":1}", {STATUS_INVALID_VALUE, "/chosen", "-1"}},
    {"{\"receipt\":\"r\",\"chosen\":1e9,\"rejected\":1}",
     {STATUS_INVALID_VALUE, "/chosen", "1e+09"}},
    {"{\"receipt\":\"r\",\"chosen\":1,\"rejected\":1}",
     {STATUS_INVALID_VALUE, "/rejected", "twice"}},
    {"{\"receipt\":\"r\",\"chosen\":1,\"rejected\":\"b\"}",
     {STATUS_INVALID_TYPE, "/rejected", "or an array of them"}},
    {"{\"receipt\":\"r\",\"chosen\":1,\"rejected\":[]}",
     {STATUS_INVALID_VALUE, "/rejected", "0 elements, want the number of one response or more"}},
    {"{\"receipt\":\"r\",\"chosen\":1,\"rejected\":[0,\"2\"]}",
     {STATUS_INVALID_TYPE, "/rejected/1", "the number of a response, got a string"}},
    {"{\"receipt\":\"r\",\"chosen\":1,\"rejected\":[0,1e39]}",
     {STATUS_INVALID_VALUE, "/rejected/1", "0 is the first"}},
    {"{\"receipt\":\"r\",\"chosen\":1,\"rejected\":[0,2,3,4]}",
     {STATUS_INVALID_VALUE, "/rejected",
      "4 elements, want fewer than 4 (the limit of --max-responses)"}},
    {"{\"receipt\":\"r\",\"chosen\":1,\"rejected\":0,\"id\":\"e\"}",
     {STATUS_UNKNOWN_FIELD, "/id",
      "known are: receipt, user, context, chosen, rejected, strength"}},
    {"{\"receipt\":\"r\",\"chosen\":1,\"rejected\":0,\"strength\":11}",
     {STATUS_INVALID_VALUE, "/strength", "11, want 0 to 10"}},
};

static void refuse_score(const struct fault *fault)
{
	struct score_request request;
	struct err err = {0};

	wire_fixture_refused(fault->body,
			     wire_read_score(fault->body, strlen(fault->body), &wire_fixture_limits,
					     &arena, &request, &err),
			     &err, &fault->want);
}

static void refuse_feedback(const struct fault *fault)
{
	struct feedback feedback;
	struct err err = {0};

	wire_fixture_refused(fault->body,
			     wire_read_feedback(fault->body, strlen(fault->body),
						&wire_fixture_limits, &arena, &feedback, &err),
			     &err, &fault->want);
}

START_TEST(malformed_body_is_refused_with_line_and_column)
{
	for (size_t i = 0; i < LENGTH(malformed); i++) {
		refuse_score(&malformed[i]);
		refuse_feedback(&malformed[i]);
	}
}
END_TEST

START_TEST(score_with_wrong_content_is_refused_with_its_place)
{
	for (size_t i = 0; i < LENGTH(score_faults); i++)
		refuse_score(&score_faults[i]);
}
END_TEST

START_TEST(feedback_with_wrong_content_is_refused_with_its_place)
{
	for (size_t i = 0; i < LENGTH(feedback_faults); i++)
		refuse_feedback(&feedback_faults[i]);
}
END_TEST

START_TEST(nul_byte_in_the_body_is_malformed)
{
	static const char body[] = "{\"user\":\"a\0b\"}";
	struct score_request request;
	struct err err = {0};

	ck_assert_int_eq(
	    wire_read_score(body, sizeof(body) - 1, &wire_fixture_limits, &arena, &request, &err),
	    STATUS_MALFORMED);
}
END_TEST

START_TEST(nesting_is_limited)
{
	static char body[10000] = "{\"responses\":";
	struct score_request request;
	struct err err = {0};

	memset(body + strlen(body), '[', 9000);
	ck_assert_int_eq(
	    wire_read_score(body, strlen(body), &wire_fixture_limits, &arena, &request, &err),
	    STATUS_MALFORMED);
	ck_assert_ptr_nonnull(strstr(err.msg, "nested too deep, want at most 2048 levels"));
}
END_TEST

START_TEST(every_prefix_is_refused)
{
	static const char body[] = "{\"user\":\"u\",\"context\":\"c\",\"prompt\":" V
				   ",\"chosen\":\"\\u00fc\",\"rejected\":\"b\",\"strength\":1.5e0}";

	for (size_t len = 0; len < sizeof(body) - 1; len++) {
		char *prefix = arena_string(&arena, body, len);
		struct feedback feedback;
		struct err err = {0};

		ck_assert_msg(wire_read_feedback(prefix, len, &wire_fixture_limits, &arena,
						 &feedback, &err) == STATUS_MALFORMED,
			      "%zu bytes", len);
		ck_assert_msg(strstr(err.msg, "line 1, column ") == err.msg, "%zu bytes: %s", len,
			      err.msg);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire_read_refused");
	TCase *tcase = tcase_create("refused");

	tcase_add_checked_fixture(tcase, NULL, free_arena);
	tcase_add_test(tcase, malformed_body_is_refused_with_line_and_column);
	tcase_add_test(tcase, score_with_wrong_content_is_refused_with_its_place);
	tcase_add_test(tcase, feedback_with_wrong_content_is_refused_with_its_place);
	tcase_add_test(tcase, nul_byte_in_the_body_is_malformed);
	tcase_add_test(tcase, nesting_is_limited);
	tcase_add_test(tcase, every_prefix_is_refused);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
