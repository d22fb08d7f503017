/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/encode/embedding_api.h"
#include "tests/unit/unit.h"

#define N   2
#define DIM 2

static float rows[N * DIM];

static enum status read_body(enum embedding_api api, const char *body, struct err *err)
{
	memset(rows, 0, sizeof(rows));
	return embedding_reply_read(api, body, strlen(body), N, DIM, rows, err);
}

/* base64 of [1,2] and [3,-4] */
#define FIRST  "AACAPwAAAEA="
#define SECOND "AABAQAAAgMA="

START_TEST(read_takes_every_right_shape)
{
	static const struct {
		enum embedding_api api;
		const char *body;
	} cases[] = {
	    {EMBEDDING_API_TEI, "[[1,2],[3,-4]]"},
	    {EMBEDDING_API_TEI, " [ [ 1.0 , 2e0 ] ,\n[3,-4.00]\t]\r\n"},
	    {EMBEDDING_API_OPENAI,
	     "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,"
	     "\"embedding\":[1,2]},{\"index\":1,\"embedding\":[3,-4]}],"
	     "\"model\":\"m\",\"usage\":{\"prompt_tokens\":1}}"},
	    {EMBEDDING_API_OPENAI, "{\"data\":[{\"embedding\":\"" SECOND "\",\"index\":1},"
				   "{\"embedding\":\"" FIRST "\",\"index\":0}]}"},
	    {EMBEDDING_API_OPENAI, "{\"data\":[{\"embedding\":\"" SECOND "\",\"index\":1},"
				   "{\"index\":0,\"embedding\":[1,2]}]}"},
	    {EMBEDDING_API_OPENAI, "{\"x\":{\"data\":[1]},\"data\":[{\"index\":0,\"y\":[{}],"
				   "\"embedding\":[1,2]},{\"index\":1.0,\"embedding\":[3,-4]}]}"},
	};
	static const float want[] = {1, 2, 3, -4};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct err err = {0};

		ck_assert_msg(read_body(cases[i].api, cases[i].body, &err) == STATUS_OK,
			      "case %zu: %s", i, err.msg);
		ck_assert_msg(memcmp(rows, want, sizeof(want)) == 0, "case %zu", i);
	}
}
END_TEST

START_TEST(read_takes_base64_with_escaped_slashes)
{
	/* of [-2.2500007, 1]: it has a slash */
	static const char plain[] = "{\"data\":[{\"index\":0,\"embedding\":\"AwAQwAAAgD8=\"}]}";
	static const char slashed[] =
	    "{\"data\":[{\"index\":0,\"embedding\":\"\\/\\/\\/fPwAAgD8=\"}]}";
	float row[2];

	ck_assert_int_eq(
	    embedding_reply_read(EMBEDDING_API_OPENAI, plain, sizeof(plain) - 1, 1, 2, row, NULL),
	    STATUS_OK);
	ck_assert_int_eq(embedding_reply_read(EMBEDDING_API_OPENAI, slashed, sizeof(slashed) - 1, 1,
					      2, row, NULL),
			 STATUS_OK);
	ck_assert(row[1] == 1);
}
END_TEST

START_TEST(what_is_wrong_is_not_quoted)
{
	static const char body[] = "{\"secret\":1,\"secret\":2}";
	struct err err;
	float row[2];

	ck_assert_int_eq(
	    embedding_reply_read(EMBEDDING_API_TEI, body, sizeof(body) - 1, 1, 2, row, &err),
	    STATUS_ENCODER_FAULT);
	ck_assert_msg(strstr(err.msg, "secret") == NULL, "%s", err.msg);
}
END_TEST

START_TEST(read_names_what_is_wrong)
{
	static const struct {
		enum embedding_api api;
		const char *body, *fragment;
	} cases[] = {
	    {EMBEDDING_API_TEI, "", "the reply is no JSON: line 1, column 1"},
	    {EMBEDDING_API_TEI, "{}", "want an array of vectors, got an object"},
	    {EMBEDDING_API_TEI, "<html>", "no JSON: line 1, column 1"},
	    {EMBEDDING_API_TEI, "[[1,2]]", "the reply has 1 vectors, want 2"},
	    {EMBEDDING_API_TEI, "[]", "the reply has 0 vectors, want 2"},
	    {EMBEDDING_API_TEI, "[[1,2],[3,4],[5,6]]", "has 3 vectors, want 2"},
	    {EMBEDDING_API_TEI, "[[1,2],[3]]", "vector 1 has 1 numbers, want 2"},
	    {EMBEDDING_API_TEI, "[[1,2],[3,4,5]]", "vector 1 has 3 numbers, want 2"},
	    {EMBEDDING_API_TEI, "[[1,2],[]]", "vector 1 has 0 numbers, want 2"},
	    {EMBEDDING_API_TEI, "[[1,2],[3,NaN]]", "no JSON: line 1, column 11: got 'N'"},
	    {EMBEDDING_API_TEI, "[[1,2],[Infinity,3]]", "no JSON: line 1, column 9: got 'I'"},
	    {EMBEDDING_API_TEI, "[[1,2],[-Infinity,3]]", "no JSON: line 1, column 10: got 'I'"},
	    {EMBEDDING_API_TEI, "[[1,2],[null,3]]", "number 0 of vector 1 is not finite"},
	    {EMBEDDING_API_TEI, "[[1,2],[1e39,3]]", "number 0 of vector 1 is not finite"},
	    {EMBEDDING_API_TEI, "[[1,2],[1e999,3]]", "no JSON"},
	    {EMBEDDING_API_TEI, "[[1,2],[0,-0.0]]", "vector 1 is all zeros"},
	    {EMBEDDING_API_TEI, "[[1,2],[3,\"4\"]]", "vector 1: want numbers, got a string"},
	    {EMBEDDING_API_TEI, "[[1,2],[3,-]]", "no JSON"},
	    {EMBEDDING_API_TEI, "[[1,2],[3,04]]", "no JSON"},
	    {EMBEDDING_API_TEI, "[[1,2],[3,4.]]", "no JSON"},
	    {EMBEDDING_API_TEI, "[[1,2],3]",
	     "vector 1: want a vector, as an array or base64, got a number"},
	    {EMBEDDING_API_TEI, "[[1,2],[3,4]", "no JSON: line 1, column 1"},
	    {EMBEDDING_API_TEI, "[[1,2],[3,4", "no JSON: line 1, column 1"},
	    {EMBEDDING_API_TEI, "[[1,2],[3,4]]x", "no JSON: line 1, column 1"},
	    {EMBEDDING_API_TEI, "[[1,2],]", "no JSON: line 1, column 8"},
	    {EMBEDDING_API_TEI, "{\"a\":1,\"a\":2}", "no JSON: line 1, column 8: duplicate field"},
	    {EMBEDDING_API_OPENAI, "[[1,2],[3,4]]", "want an object with an array \"data\""},
	    {EMBEDDING_API_OPENAI, "{\"error\":\"x\"}", "want an object with an array \"data\""},
	    {EMBEDDING_API_OPENAI, "{\"data\":{}}", "want an object with an array \"data\""},
	    {EMBEDDING_API_OPENAI, "{\"data\":[[1,2],[3,4]]}", "want an object with index"},
	    {EMBEDDING_API_OPENAI, "{\"data\":[{\"index\":0,\"embedding\":[1,2]}]}",
	     "the reply has 1 vectors, want 2"},
	    {EMBEDDING_API_OPENAI,
	     "{\"data\":[{\"embedding\":[1,2]},{\"index\":1,\"embedding\":[3,4]}]}",
	     "index of vector 0"},
	    {EMBEDDING_API_OPENAI, "{\"data\":[{\"index\":0},{\"index\":1,\"embedding\":[3,4]}]}",
	     "vector 0: want a vector, as an array or base64, got nothing"},
	    {EMBEDDING_API_OPENAI,
	     "{\"data\":[{\"index\":2,\"embedding\":[1,2]},{\"index\":1,\"embedding\":[3,4]}]}",
	     "index of vector 0: want a whole number below 2"},
	    {EMBEDDING_API_OPENAI,
	     "{\"data\":[{\"index\":-1,\"embedding\":[1,2]},{\"index\":1,\"embedding\":[3,4]}]}",
	     "index of vector 0"},
	    {EMBEDDING_API_OPENAI,
	     "{\"data\":[{\"index\":0.5,\"embedding\":[1,2]},{\"index\":1,\"embedding\":[3,4]}]}",
	     "index of vector 0"},
	    {EMBEDDING_API_OPENAI,
	     "{\"data\":[{\"index\":\"0\",\"embedding\":[1,2]},{\"index\":1,\"embedding\":[3,4]}]}",
	     "index of vector 0"},
	    {EMBEDDING_API_OPENAI,
	     "{\"data\":[{\"index\":0,\"embedding\":[1,2]},{\"index\":0,\"embedding\":[1,2]}]}",
	     "index 0 is there twice"},
	    {EMBEDDING_API_OPENAI,
	     "{\"data\":[{\"index\":0,\"embedding\":[1,NaN]},{\"index\":1,\"embedding\":[3,4]}]}",
	     "got 'N', want"},
	    {EMBEDDING_API_OPENAI,
	     "{\"data\":[{\"index\":0,\"embedding\":\"AACAPw==\"},{\"index\":1,\"embedding\":[3,4]}"
	     "]}",
	     "vector 0: vector of 1 numbers, want 2"},
	    {EMBEDDING_API_OPENAI,
	     "{\"data\":[{\"index\":0,\"embedding\":\"AACAPwAAwH8=\"},{\"index\":1,\"embedding\":["
	     "3,4]}]}",
	     "vector 0: number 1 of the vector is not finite"},
	    {EMBEDDING_API_OPENAI,
	     "{\"data\":[{\"index\":0,\"embedding\":\"AACAPwAA!EA=\"},{\"index\":1,\"embedding\":["
	     "3,4]}]}",
	     "is not base64"},
	    {EMBEDDING_API_OPENAI,
	     "{\"data\":[{\"index\":0,\"embedding\":\"AAAAAAAAAAA=\"},{\"index\":1,\"embedding\":["
	     "3,4]}]}",
	     "vector 0 is all zeros"},
	    {EMBEDDING_API_OPENAI, "{\"data\":[{\"index\":0,\"embedding\":\"AACAP", "no JSON"},
	    {EMBEDDING_API_OPENAI,
	     "{\"data\":[{\"index\":0,\"embedding\":{}},{\"index\":1,\"embedding\":[3,4]}]}",
	     "want a vector"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct err err = {0};

		ck_assert_msg(read_body(cases[i].api, cases[i].body, &err) == STATUS_ENCODER_FAULT,
			      "case %zu", i);
		ck_assert_msg(strstr(err.msg, cases[i].fragment) != NULL, "case %zu: %s", i,
			      err.msg);
		ck_assert_int_eq(read_body(cases[i].api, cases[i].body, NULL),
				 STATUS_ENCODER_FAULT);
	}
}
END_TEST

START_TEST(read_bounds_the_depth)
{
	char body[400] = "{\"x\":";

	memset(body + 5, '[', 300);
	ck_assert_int_eq(read_body(EMBEDDING_API_OPENAI, body, NULL), STATUS_ENCODER_FAULT);
}
END_TEST

START_TEST(complaint_finds_the_message_of_every_kind_of_server)
{
	static const struct {
		const char *body, *want;
	} cases[] = {
	    {"{\"error\":{\"message\":\"too long\",\"type\":\"x\",\"code\":400}}", "too long"},
	    {"{\"object\":\"error\",\"message\":\"no model\",\"code\":404}", "no model"},
	    {"{\"error\":\"batch size 64\",\"error_type\":\"Validation\"}", "batch size 64"},
	    {"{\"message\":\"m\",\"code\":413,\"type\":\"Validation\"}", "m"},
	    {"{\"detail\":\"Not Found\"}", "Not Found"},
	    {"{\"detail\":[{\"loc\":1}]}", "{\"detail\":[{\"loc\":1}]}"},
	    {"<html>Bad Gateway</html>", "<html>Bad Gateway</html>"},
	    {"", ""},
	};
	char out[32];

	for (size_t i = 0; i < LENGTH(cases); i++) {
		embedding_reply_complaint(cases[i].body, strlen(cases[i].body), out, sizeof(out));
		ck_assert_str_eq(out, cases[i].want);
	}
	/* cut between characters */
	embedding_reply_complaint("0123456789012345678901234567890é", 33, out, sizeof(out));
	ck_assert_str_eq(out, "0123456789012345678901234567890");
	embedding_reply_complaint("012345678901234567890123456789é", 32, out, sizeof(out));
	ck_assert_str_eq(out, "012345678901234567890123456789");
	embedding_reply_complaint("a\0b", 3, out, sizeof(out));
	ck_assert_str_eq(out, "a");
}
END_TEST

static void assert_request(enum embedding_api api, const char *members, const struct text *texts,
			   size_t n, const char *want)
{
	size_t len;
	char *body = embedding_request_make(api, members, texts, n, &len);

	ck_assert_uint_eq(len, strlen(want));
	ck_assert_mem_eq(body, want, len);
	mem_free(body);
}

START_TEST(request_has_the_texts_and_the_fields)
{
	static const struct text texts[] = {{"a\"b\\c\n\x01é", 9}, {NULL, 0}};

	assert_request(EMBEDDING_API_OPENAI, "", texts, 2,
		       "{\"input\":[\"a\\\"b\\\\c\\u000a\\u0001é\",\"\"],\"encoding_format\":"
		       "\"base64\"}");
	assert_request(EMBEDDING_API_OPENAI, "\"model\":\"m\"", texts + 1, 1,
		       "{\"input\":[\"\"],\"encoding_format\":\"base64\",\"model\":\"m\"}");
	assert_request(EMBEDDING_API_OPENAI, "\"encoding_format\":\"float\"", texts + 1, 1,
		       "{\"input\":[\"\"],\"encoding_format\":\"float\"}");
	assert_request(EMBEDDING_API_TEI, "\"normalize\":false", texts + 1, 1,
		       "{\"inputs\":[\"\"],\"normalize\":false}");
	ck_assert_uint_eq(embedding_request_size(texts[0]),
			  strlen("\"a\\\"b\\\\c\\u000a\\u0001é\","));
	ck_assert_uint_eq(embedding_request_size(texts[1]), 3);
}
END_TEST

/* A long text's escapes, one at every place of the blocks that are looked at together. */
START_TEST(request_escapes_at_every_place)
{
	char bytes[150], want[sizeof(bytes) + 64];

	for (size_t at = 0; at < sizeof(bytes); at++) {
		const struct text text = {bytes, sizeof(bytes)};

		memset(bytes, 'x', sizeof(bytes));
		bytes[at] = '"';
		snprintf(want, sizeof(want), "{\"inputs\":[\"%.*s\\%.*s\"]}", (int)at, bytes,
			 (int)(sizeof(bytes) - at), bytes + at);
		assert_request(EMBEDDING_API_TEI, "", &text, 1, want);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("embedding api");
	TCase *tcase = tcase_create("bytes");

	tcase_add_test(tcase, read_takes_every_right_shape);
	tcase_add_test(tcase, read_takes_base64_with_escaped_slashes);
	tcase_add_test(tcase, read_names_what_is_wrong);
	tcase_add_test(tcase, what_is_wrong_is_not_quoted);
	tcase_add_test(tcase, read_bounds_the_depth);
	tcase_add_test(tcase, complaint_finds_the_message_of_every_kind_of_server);
	tcase_add_test(tcase, request_has_the_texts_and_the_fields);
	tcase_add_test(tcase, request_escapes_at_every_place);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
