/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "core/encode/encoder_spec.h"
#include "tests/unit/unit.h"

static struct encoder_spec spec;

START_TEST(parse_makes_the_canonical_text_and_the_members)
{
	static const struct {
		const char *text, *canonical, *members;
		size_t dim;
	} cases[] = {
	    {"hash:0064", "hash:64", "", 64},
	    {"none:384", "none:384", "", 384},
	    {"openai:8", "openai:8", "", 8},
	    {"openai:4096?model=m", "openai:4096?model=m", "\"model\":\"m\"", 4096},
	    {"openai:8?model=a/b-c.d&use_activation=false",
	     "openai:8?model=a/b-c.d&use_activation=false",
	     "\"model\":\"a/b-c.d\",\"use_activation\":false", 8},
	    /* the order of typing is no other encoder */
	    {"openai:8?use_activation=false&model=m", "openai:8?model=m&use_activation=false",
	     "\"model\":\"m\",\"use_activation\":false", 8},
	    {"tei:008?truncate=true&normalize=false", "tei:8?normalize=false&truncate=true",
	     "\"normalize\":false,\"truncate\":true", 8},
	    {"openai:8?embd_normalize=-1", "openai:8?embd_normalize=-1", "\"embd_normalize\":-1",
	     8},
	    {"openai:8?x=", "openai:8?x=", "\"x\":\"\"", 8},
	    {"openai:8?x=1.50", "openai:8?x=1.50", "\"x\":1.50", 8},
	    {"openai:8?x=null", "openai:8?x=null", "\"x\":null", 8},
	    {"openai:8?x=\"7\"", "openai:8?x=\"7\"", "\"x\":\"7\"", 8},
	    {"openai:8?x={\"a\":[1,2]}", "openai:8?x={\"a\":[1,2]}", "\"x\":{\"a\":[1,2]}", 8},
	    {"openai:8?x={\"a\":", "openai:8?x={\"a\":", "\"x\":\"{\\\"a\\\":\"", 8},
	    {"openai:8?x=a=b", "openai:8?x=a=b", "\"x\":\"a=b\"", 8},
	    {"openai:8?x=a%26b%25%20%63", "openai:8?x=a%26b%25%20c", "\"x\":\"a&b% c\"", 8},
	    {"openai:8?x=a b", "openai:8?x=a%20b", "\"x\":\"a b\"", 8},
	    {"openai:8?x=%c3%a9", "openai:8?x=é", "\"x\":\"é\"", 8},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct err err = {0};

		ck_assert_msg(encoder_spec_parse(cases[i].text, &spec, &err) == STATUS_OK,
			      "case %zu: %s", i, err.msg);
		ck_assert_str_eq(spec.text, cases[i].canonical);
		ck_assert_str_eq(spec.members, cases[i].members);
		ck_assert_uint_eq(spec.dim, cases[i].dim);
		/* the canonical text is its own */
		ck_assert_int_eq(encoder_spec_parse(cases[i].canonical, &spec, NULL), STATUS_OK);
		ck_assert_str_eq(spec.text, cases[i].canonical);
	}
}
END_TEST

START_TEST(parse_refuses_what_is_no_spec)
{
	static const struct {
		const char *text, *fragment;
	} cases[] = {
	    {"hash:8?x=1", "want hash:D"},
	    {"openai", "want hash:D"},
	    {"openai:0", "want hash:D"},
	    {"openai:8x", "want hash:D"},
	    {"http://host/v1/embeddings", "want hash:D"},
	    {"openai:8?", "field \"\": want a name"},
	    {"openai:8?model", "field \"\": want a name"},
	    {"openai:8?=1", "field \"\": want a name"},
	    {"openai:8?a=1&", "field \"\": want a name"},
	    {"openai:8?1a=1", "field \"1a\": want a name"},
	    {"openai:8?a b=1", "field \"a b\": want a name"},
	    {"openai:8?a\"=1", "want a name"},
	    {"openai:8?a=1&a=2", "field \"a\" is there twice"},
	    {"openai:8?input=x", "field \"input\" is where the texts go"},
	    {"tei:8?inputs=x", "field \"inputs\" is where the texts go"},
	    {"openai:8?a=%", "%XX"},
	    {"openai:8?a=%4", "%XX"},
	    {"openai:8?a=%4g", "%XX"},
	    {"openai:8?a=%00", "%XX"},
	    {"openai:8?a=%ff", "want UTF-8"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct err err = {0};

		ck_assert_msg(encoder_spec_parse(cases[i].text, &spec, &err) ==
				  STATUS_INVALID_VALUE,
			      "case %zu", i);
		ck_assert_msg(strstr(err.msg, cases[i].fragment) != NULL, "case %zu: %s", i,
			      err.msg);
		ck_assert_msg(strstr(err.msg, "encoder \"") == err.msg, "case %zu: %s", i, err.msg);
	}
}
END_TEST

/* A prefix and n times c. */
static enum status parse_long(const char *prefix, char c, size_t n, struct err *err)
{
	static char text[3 * ENCODER_SPEC_MAX];
	size_t len = strlen(prefix);

	memcpy(text, prefix, len);
	memset(text + len, c, n);
	text[len + n] = '\0';
	return encoder_spec_parse(text, &spec, err);
}

START_TEST(parse_bounds_length_and_number_of_fields)
{
	struct err err;
	char many[ENCODER_SPEC_MAX] = "openai:8?a0=1";

	ck_assert_int_eq(parse_long("openai:8?x=", 'y', ENCODER_SPEC_MAX - 11, &err), STATUS_OK);
	ck_assert_uint_eq(strlen(spec.text), ENCODER_SPEC_MAX);
	ck_assert_int_eq(parse_long("openai:8?x=", 'y', ENCODER_SPEC_MAX - 10, &err),
			 STATUS_INVALID_VALUE);
	ck_assert_ptr_nonnull(strstr(err.msg, "at most 1024 bytes"));
	/* escapes are longer than what they stand for */
	ck_assert_int_eq(parse_long("openai:8?x=", ' ', ENCODER_SPEC_MAX / 2, &err),
			 STATUS_INVALID_VALUE);
	ck_assert_int_eq(parse_long("openai:8?x=", 'y', 2 * ENCODER_SPEC_MAX, &err),
			 STATUS_INVALID_VALUE);
	for (int i = 1; i < ENCODER_SPEC_FIELDS; i++)
		snprintf(many + strlen(many), 16, "&a%d=1", i);
	ck_assert_int_eq(encoder_spec_parse(many, &spec, NULL), STATUS_OK);
	strcat(many, "&b=1");
	ck_assert_int_eq(encoder_spec_parse(many, &spec, &err), STATUS_INVALID_VALUE);
	ck_assert_ptr_nonnull(strstr(err.msg, "at most 32 fields"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("encoder spec");
	TCase *tcase = tcase_create("parse");

	tcase_add_test(tcase, parse_makes_the_canonical_text_and_the_members);
	tcase_add_test(tcase, parse_refuses_what_is_no_spec);
	tcase_add_test(tcase, parse_bounds_length_and_number_of_fields);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
