/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/base/mem.h"
#include "core/encode/template.h"
#include "tests/unit/unit.h"

static struct text text_of(const char *string)
{
	return (struct text){string, strlen(string)};
}

/* ---- template_check ---- */

START_TEST(check_accepts)
{
	static const char *const templates[] = {
	    "",
	    TEMPLATE_DEFAULT_PHI,
	    TEMPLATE_DEFAULT_PSI,
	    "{context}{prompt}{response}",
	    "a {{literal}} {{{prompt}}}",
	    "{messages}{role}: {content}\n{/messages}{response}",
	    "{messages}{/messages}{messages}{{{content}}}{/messages}",
	};

	for (size_t i = 0; i < LENGTH(templates); i++)
		ck_assert_msg(template_check(templates[i], true, NULL) == STATUS_OK, "case %zu", i);
}
END_TEST

START_TEST(check_refuses)
{
	static const struct {
		const char *template;
		bool allow_response;
		const char *message;
	} cases[] = {
	    {"{", true,
	     "offset 0: a single brace or an unknown placeholder, want {context}, {prompt}, "
	     "{response}, or {{ and }} for braces"},
	    {"a}", false,
	     "offset 1: a single brace or an unknown placeholder, want {context}, {prompt}, or {{ "
	     "and }} for braces"},
	    {"{prompt}{Response}", true,
	     "offset 8: a single brace or an unknown placeholder, want {context}, {prompt}, "
	     "{response}, or {{ and }} for braces"},
	    {"{{{{{prompt", false,
	     "offset 4: a single brace or an unknown placeholder, want {context}, {prompt}, or {{ "
	     "and }} for braces"},
	    {"{prompt} {response}", false,
	     "offset 9: {response} is not known where the router reads, want {context} and "
	     "{prompt} only"},
	    {"{messages}{role}", true, "offset 16: {messages} has no {/messages}"},
	    {"{messages}{prompt}{/messages}", true,
	     "offset 10: between {messages} and {/messages} want {role}, {content}, or {{ and }} "
	     "for "
	     "braces"},
	    {"{messages}{messages}{/messages}{/messages}", true,
	     "offset 10: between {messages} and {/messages} want {role}, {content}, or {{ and }} "
	     "for "
	     "braces"},
	    {"{content}", true,
	     "offset 0: {role}, {content} and {/messages} come after {messages}"},
	    {"a{/messages}", true,
	     "offset 1: {role}, {content} and {/messages} come after {messages}"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct err err;

		ck_assert_msg(template_check(cases[i].template, cases[i].allow_response, &err) ==
				  STATUS_INVALID_VALUE,
			      "case %zu", i);
		ck_assert_msg(strcmp(err.msg, cases[i].message) == 0, "case %zu: \"%s\"", i,
			      err.msg);
	}
}
END_TEST

/* ---- template_uses ---- */

START_TEST(uses_finds_placeholders_only)
{
	static const struct {
		const char *template, *placeholder;
		bool want;
	} cases[] = {
	    {"{prompt}", "{prompt}", true},
	    {"a {context} b {prompt} c", "{prompt}", true},
	    {"{context}", "{prompt}", false},
	    {"{{prompt}}", "{prompt}", false},
	    {"{{{prompt}}}", "{prompt}", true},
	    {"prompt", "{prompt}", false},
	    {"", "{prompt}", false},
	};

	for (size_t i = 0; i < LENGTH(cases); i++)
		ck_assert_msg(template_uses(cases[i].template, cases[i].placeholder) ==
				  cases[i].want,
			      "case %zu", i);
}
END_TEST

/* ---- template_render ---- */

START_TEST(render_puts_fields_into_their_places)
{
	static const struct {
		const char *template, *want;
	} cases[] = {
	    {"", ""},
	    {"plain", "plain"},
	    {TEMPLATE_DEFAULT_PHI, "R{prompt}R"},
	    {TEMPLATE_DEFAULT_PSI, "C\nP"},
	    {"<{prompt}|{prompt}>", "<P|P>"},
	    {"{{{prompt}}} {{context}}", "{P} {context}"},
	    {"}}{{", "}{"},
	};
	const struct template_fields fields = {
	    .context = text_of("C"),
	    .prompt = text_of("P"),
	    .response = text_of("R{prompt}R"), /* no placeholder once it is in the text */
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct text text;

		ck_assert_int_eq(template_render(cases[i].template, &fields, &text, NULL),
				 STATUS_OK);
		ck_assert_msg(text.len == strlen(cases[i].want) &&
				  memcmp(text.bytes, cases[i].want, text.len) == 0,
			      "case %zu: \"%.*s\"", i, (int)text.len, text.bytes);
		mem_free((char *)text.bytes);
	}
}
END_TEST

static void assert_rendered(const char *template, const struct template_fields *fields,
			    const char *want)
{
	struct text text;

	ck_assert_int_eq(template_check(template, true, NULL), STATUS_OK);
	ck_assert_int_eq(template_render(template, fields, &text, NULL), STATUS_OK);
	ck_assert_msg(text.len == strlen(want) && memcmp(text.bytes, want, text.len) == 0,
		      "\"%.*s\", want \"%s\"", (int)text.len, text.bytes, want);
	mem_free((char *)text.bytes);
}

START_TEST(render_repeats_what_is_for_each_message)
{
	static const char template[] =
	    "<s>{messages}<{role}>{{{content}}}\n{/messages}<a>{response}";
	const struct chat_message messages[] = {
	    {text_of("system"), text_of("Be {brief}.")},
	    {text_of("user"), text_of("{role}?")},
	};
	const struct template_fields fields = {
	    .prompt = text_of("not this"), .chat = {messages, 2}, .response = text_of("R")};
	const struct template_fields plain = {.prompt = text_of("P"), .response = text_of("R")};

	assert_rendered(template, &fields, "<s><system>{Be {brief}.}\n<user>{{role}?}\n<a>R");
	/* a text is one message of the user */
	assert_rendered(template, &plain, "<s><user>{P}\n<a>R");
	assert_rendered("{messages}{content}{/messages}|{messages}{role}{/messages}", &fields,
			"Be {brief}.{role}?|systemuser");
	assert_rendered("{messages}{/messages}{prompt}", &fields, "not this");
	ck_assert(template_uses(template, "{prompt}"));
	ck_assert(!template_uses(template, "{context}"));
	ck_assert_uint_eq(template_parts(template), TEMPLATE_PROMPT | TEMPLATE_RESPONSE);
	ck_assert_uint_eq(template_parts("{messages}{content}{/messages}"), TEMPLATE_PROMPT);
}
END_TEST

START_TEST(chat_text_is_what_a_plain_template_gets)
{
	const struct chat_message messages[] = {{text_of("user"), text_of("a")},
						{text_of("assistant"), {NULL, 0}},
						{text_of("user"), text_of("b")}};
	struct arena arena = {0};
	struct text text;

	ck_assert_int_eq(chat_text(&(struct chat){messages, 3}, &arena, &text, NULL), STATUS_OK);
	ck_assert_uint_eq(text.len, strlen("user: a\nassistant: \nuser: b"));
	ck_assert_mem_eq(text.bytes, "user: a\nassistant: \nuser: b", text.len);
	ck_assert_int_eq(chat_text(&(struct chat){messages, 1}, &arena, &text, NULL), STATUS_OK);
	ck_assert_uint_eq(text.len, 1);
	ck_assert_mem_eq(text.bytes, "a", 1);
	arena_free(&arena);
}
END_TEST

START_TEST(render_leaves_absent_fields_empty)
{
	const struct template_fields fields = {.prompt = text_of("P")};
	struct text text;

	ck_assert_int_eq(template_render("[{context}|{prompt}|{response}]", &fields, &text, NULL),
			 STATUS_OK);
	ck_assert_uint_eq(text.len, 5);
	ck_assert_mem_eq(text.bytes, "[|P|]", 5);
	mem_free((char *)text.bytes);
}
END_TEST

START_TEST(render_keeps_nul_bytes_of_fields)
{
	const struct template_fields fields = {.prompt = {"a\0b", 3}};
	struct text text;

	ck_assert_int_eq(template_render("{prompt}.", &fields, &text, NULL), STATUS_OK);
	ck_assert_uint_eq(text.len, 4);
	ck_assert_mem_eq(text.bytes, "a\0b.", 4);
	mem_free((char *)text.bytes);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("template");
	TCase *tcase = tcase_create("template");

	tcase_add_test(tcase, check_accepts);
	tcase_add_test(tcase, check_refuses);
	tcase_add_test(tcase, uses_finds_placeholders_only);
	tcase_add_test(tcase, render_puts_fields_into_their_places);
	tcase_add_test(tcase, render_repeats_what_is_for_each_message);
	tcase_add_test(tcase, chat_text_is_what_a_plain_template_gets);
	tcase_add_test(tcase, render_leaves_absent_fields_empty);
	tcase_add_test(tcase, render_keeps_nul_bytes_of_fields);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
