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
	tcase_add_test(tcase, render_leaves_absent_fields_empty);
	tcase_add_test(tcase, render_keeps_nul_bytes_of_fields);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
