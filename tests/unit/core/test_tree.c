/* SPDX-License-Identifier: Apache-2.0 */
/* test_tree.c - texts into nodes; tests/fuzz/fuzz_json.c compares the same with jansson. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/json/tree.h"
#include "tests/unit/unit.h"

static struct arena arena;

static void free_arena(void)
{
	arena_free(&arena);
}

static const struct node *must_parse(const char *text)
{
	const struct node *root;
	struct err err = {0};
	enum status status = tree_parse(text, strlen(text), &arena, &root, &err);

	ck_assert_msg(status == STATUS_OK, "%.200s: %s", text, err.msg);
	return root;
}

static void assert_pointer(const struct node *root, const struct node *node, const char *want)
{
	char got[128];

	node_pointer(root, node, got, sizeof(got));
	ck_assert_str_eq(got, want);
}

START_TEST(scalars_are_read)
{
	ck_assert_int_eq(must_parse("null")->kind, NODE_NULL);
	ck_assert_int_eq(must_parse(" true ")->truth, true);
	ck_assert_int_eq(must_parse("false")->truth, false);
	ck_assert_double_eq(must_parse("-12.5e1")->number, -125);
	ck_assert(node_is(must_parse("\"a\\u0062c\""), "abc"));
	ck_assert_uint_eq(must_parse("\"\"")->n, 0);
}
END_TEST

START_TEST(array_of_numbers_becomes_aligned_floats)
{
	const struct node *root = must_parse("[[1,2.5,-3],[0.1],"
					     "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]]");
	const struct node *few = node_first(root), *one = node_next(few), *many = node_next(one);

	ck_assert_int_eq(root->kind, NODE_ARRAY);
	ck_assert_uint_eq(root->n, 3);
	ck_assert_int_eq(few->kind, NODE_FLOATS);
	ck_assert_uint_eq(few->n, 3);
	ck_assert_float_eq(few->floats[1], 2.5f);
	ck_assert_uint_eq((uintptr_t)few->floats % 16, 0);
	ck_assert_float_eq(one->floats[0], 0.1f);
	ck_assert_uint_eq(many->n, 17);
	ck_assert_float_eq(many->floats[16], 17);
	ck_assert_uint_eq((uintptr_t)many->floats % 64, 0);
	ck_assert_ptr_eq(node_next(many), node_end(root));
}
END_TEST

START_TEST(integers_are_exact_where_they_are_wanted)
{
	static const char text[] = "[0,-7,9223372036854775807,9223372036854775808,1.0,1e2]";
	static const int64_t want[] = {0, -7, INT64_MAX};
	const struct node *root, *node;
	size_t i;

	ck_assert_int_eq(tree_parse_integers(text, sizeof(text) - 1, &arena, &root, NULL),
			 STATUS_OK);
	ck_assert_int_eq(root->kind, NODE_ARRAY);
	node = node_first(root);
	for (i = 0; i < LENGTH(want); i++, node = node_next(node)) {
		ck_assert_int_eq(node->kind, NODE_INTEGER);
		ck_assert_int_eq(node->integer, want[i]);
	}
	for (; node != node_end(root); node = node_next(node), i++)
		ck_assert_int_eq(node->kind, NODE_NUMBER);
	ck_assert_uint_eq(i, 6);
}
END_TEST

/* A text may have U+0000, a name and what is read of a file may not. */
START_TEST(nul_is_for_texts)
{
	static const char text[] = "{\"a\":\"b\\u0000c\"}", name[] = "{\"a\\u0000\":0}";
	const struct node *root, *string = node_find(must_parse(text), "a");
	struct err err;

	ck_assert_uint_eq(string->n, 3);
	ck_assert_mem_eq(string->bytes, "b\0c", 3);
	ck_assert_int_eq(tree_parse(name, strlen(name), &arena, &root, &err), STATUS_MALFORMED);
	ck_assert_str_eq(err.msg, "line 1, column 4: a string has the character U+0000, want none");
	ck_assert_int_eq(tree_parse_integers(text, strlen(text), &arena, &root, &err),
			 STATUS_MALFORMED);
	ck_assert_str_eq(err.msg, "line 1, column 8: a string has the character U+0000, want none");
}
END_TEST

/* Longer than what is kept while the length is not known. */
START_TEST(long_array_of_numbers_is_read)
{
	enum { N = 20000 };
	static char text[8 * N] = "[";
	const struct node *root;
	size_t len = 1;

	for (int i = 0; i < N; i++)
		len += (size_t)sprintf(text + len, "%d, ", i);
	text[len - 2] = ']';
	root = must_parse(text);
	ck_assert_int_eq(root->kind, NODE_FLOATS);
	ck_assert_uint_eq(root->n, N);
	for (int i = 0; i < N; i++)
		ck_assert_float_eq(root->floats[i], (float)i);
}
END_TEST

START_TEST(array_with_something_else_has_a_node_for_each)
{
	static const char *const texts[] = {"[1,2,null]", "[1,2,1e39]", "[1,2,[3]]", "[[],1,2]"};

	for (size_t i = 0; i < LENGTH(texts); i++) {
		const struct node *root = must_parse(texts[i]);

		ck_assert_int_eq(root->kind, NODE_ARRAY);
		ck_assert_uint_eq(root->n, 3);
		ck_assert_uint_eq(node_length(root), 3);
	}
	ck_assert_int_eq(must_parse("[]")->kind, NODE_ARRAY);
}
END_TEST

START_TEST(fields_are_found_and_visited_in_order)
{
	const struct node *root = must_parse("{\"a\":{\"x\":[1]},\"\":[],\"b\":{},\"c\":null}");
	static const char *const names[] = {"a", "", "b", "c"};
	const struct node *name = node_first(root);

	for (size_t i = 0; i < LENGTH(names); i++) {
		ck_assert(node_is(name, names[i]));
		ck_assert_ptr_eq(node_find(root, names[i]), node_value(name));
		name = node_next(node_value(name));
	}
	ck_assert_ptr_eq(name, node_end(root));
	ck_assert_ptr_null(node_find(root, "x"));
	ck_assert_int_eq(node_find(node_find(root, "a"), "x")->kind, NODE_FLOATS);
	ck_assert_ptr_eq(node_first(node_find(root, "b")), node_end(node_find(root, "b")));
}
END_TEST

/* Nodes come in chunks; containers end at the borders between them, too. */
START_TEST(many_nodes_are_visited_in_order)
{
	enum { N = 5000 };
	static char text[20 * N] = "[";
	const struct node *root, *node;
	size_t len = 1;

	for (int i = 0; i < N; i++)
		len += (size_t)sprintf(text + len, "%s,", i % 3 == 0 ? "[\"\",[]]" : "{}");
	text[len - 1] = ']';
	root = must_parse(text);
	ck_assert_uint_eq(root->n, N);
	node = node_first(root);
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(node->kind, i % 3 == 0 ? NODE_ARRAY : NODE_OBJECT);
		if (i % 3 == 0) {
			const struct node *second = node_next(node_first(node));

			ck_assert_int_eq(second->kind, NODE_ARRAY);
			ck_assert_ptr_eq(node_next(second), node_end(node));
		}
		node = node_next(node);
	}
	ck_assert_ptr_eq(node, node_end(root));
}
END_TEST

START_TEST(pointer_leads_to_a_node)
{
	const struct node *root =
	    must_parse("{\"items\":[{\"a/b~c\":[\"x\",{\"y\":1}]},{}],\"z\":true}");
	const struct node *items = node_find(root, "items");
	const struct node *pair = node_value(node_first(node_first(items)));
	char cut[8];

	assert_pointer(root, root, "");
	assert_pointer(root, items, "/items");
	assert_pointer(root, node_next(node_first(items)), "/items/1");
	assert_pointer(root, pair, "/items/0/a~1b~0c");
	assert_pointer(root, node_find(node_next(node_first(pair)), "y"), "/items/0/a~1b~0c/1/y");
	assert_pointer(root, node_find(root, "z"), "/z");
	node_pointer(root, pair, cut, sizeof(cut));
	ck_assert_str_eq(cut, "/items/");
}
END_TEST

static char *nested(char open, size_t depth, const char *inside, char close)
{
	static char text[10000];
	size_t len = strlen(inside);

	memset(text, open, depth);
	memcpy(text + depth, inside, len);
	memset(text + depth + len, close, depth);
	text[2 * depth + len] = '\0';
	return text;
}

START_TEST(nesting_is_limited)
{
	const struct node *root;
	struct err err;
	const char *text;

	must_parse(nested('[', TREE_DEPTH_MAX - 1, "0", ']'));
	must_parse(nested('[', TREE_DEPTH_MAX, "", ']'));
	text = nested('[', TREE_DEPTH_MAX, "0", ']');
	ck_assert_int_eq(tree_parse(text, strlen(text), &arena, &root, &err), STATUS_MALFORMED);
	ck_assert_str_eq(err.msg, "line 1, column 2049: nested too deep, want at most 2048 levels");
}
END_TEST

START_TEST(duplicate_is_found_among_few_and_many)
{
	static char text[100000];

	for (int n = 1; n < 3000; n += 1 + n / 7) {
		const struct node *root;
		struct err err;
		size_t len = 0;

		for (int i = 0; i < n; i++)
			len += (size_t)sprintf(text + len, "%s\"f%d\":{\"f%d\":0}",
					       i == 0 ? "{" : ",", i, i);
		strcpy(text + len, "}");
		must_parse(text);
		sprintf(text + len, ",\"f%d\":0}", n / 2);
		ck_assert_int_eq(tree_parse(text, strlen(text), &arena, &root, &err),
				 STATUS_MALFORMED);
		ck_assert_msg(strstr(err.msg, "duplicate field \"f") != NULL, "%d: %s", n, err.msg);
		free_arena();
	}
}
END_TEST

START_TEST(malformed_text_is_refused_with_its_place)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
	    {"", "line 1, column 1: the text is empty, want a JSON value"},
	    {"  ", "line 1, column 2: the text ends here, want a JSON value"},
	    {"{", "line 1, column 1: the text ends here, want a field's name in quotes or '}'"},
	    {"{\"a\":1,", "line 1, column 7: the text ends here, want a field's name in quotes"},
	    {"{\"a\":1,}", "line 1, column 8: got '}', want a field's name in quotes"},
	    {"{\"a\" 1}", "line 1, column 6: got '1', want ':' after a field's name"},
	    {"{\"a\":1 \"b\"}", "line 1, column 8: got '\"', want ',' or '}'"},
	    {"[1 2]", "line 1, column 4: got '2', want ',' or ']'"},
	    {"[1, ]", "line 1, column 5: got ']', want a JSON value"},
	    {"[1,2}", "line 1, column 5: got '}', want ',' or ']'"},
	    {"[\"é\",\n 1, nul]", "line 2, column 5: got 'n', want a JSON value"},
	    {"[\"é\", x]", "line 1, column 7: got 'x', want a JSON value"},
	    {"[trues]", "line 1, column 6: got 's', want ',' or ']'"},
	    {"[\x01]", "line 1, column 2: got the byte 0x01, want a JSON value"},
	    {"\xef\xbb\xbf{}", "line 1, column 1: got the byte 0xef, want a JSON value"},
	    {"[1.]", "line 1, column 4: got ']', want a digit"},
	    {"[-", "line 1, column 2: the text ends here, want a digit"},
	    {"[00]", "line 1, column 2: a number begins with 0, want no digit after it"},
	    {"[1,1e999]", "line 1, column 4: number overflow, want a magnitude of at most "},
	    {"[\"a\tb\"]", "line 1, column 4: a string has a control character, want an escape"},
	    {"{} {}", "line 1, column 4: got '{', want the end of the text"},
	    {"{\"a\":1,\n\"a\":2}", "line 2, column 1: duplicate field \"a\", want each name once"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		const char *text = cases[i].text;
		const struct node *root;
		struct err err;

		ck_assert_int_eq(tree_parse(text, strlen(text), &arena, &root, &err),
				 STATUS_MALFORMED);
		ck_assert_msg(strncmp(err.msg, cases[i].message, strlen(cases[i].message)) == 0,
			      "%s: %s", text, err.msg);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tree");
	TCase *tcase = tcase_create("tree");

	tcase_add_checked_fixture(tcase, NULL, free_arena);
	tcase_add_test(tcase, scalars_are_read);
	tcase_add_test(tcase, array_of_numbers_becomes_aligned_floats);
	tcase_add_test(tcase, integers_are_exact_where_they_are_wanted);
	tcase_add_test(tcase, nul_is_for_texts);
	tcase_add_test(tcase, long_array_of_numbers_is_read);
	tcase_add_test(tcase, array_with_something_else_has_a_node_for_each);
	tcase_add_test(tcase, fields_are_found_and_visited_in_order);
	tcase_add_test(tcase, many_nodes_are_visited_in_order);
	tcase_add_test(tcase, pointer_leads_to_a_node);
	tcase_add_test(tcase, nesting_is_limited);
	tcase_add_test(tcase, duplicate_is_found_among_few_and_many);
	tcase_add_test(tcase, malformed_text_is_refused_with_its_place);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
