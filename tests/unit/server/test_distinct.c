/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "server/distinct.h"
#include "server/memo.h"
#include "tests/unit/unit.h"

#define MANY 5000

static struct arena arena;
static struct distinct distinct;
static char texts[MANY][40];

static void tear_down(void)
{
	arena_free(&arena);
}

static void open_distinct(size_t capacity)
{
	ck_assert_int_eq(distinct_init(&distinct, capacity, &arena, NULL), STATUS_OK);
}

static struct content content(unsigned kind, const char *a, const char *b)
{
	return (struct content){kind, {{a, strlen(a)}, {b, strlen(b)}, {NULL, 0}}};
}

static size_t add(struct content what, bool want_new)
{
	bool is_new;
	size_t number = distinct_add(&distinct, &what, &is_new);

	ck_assert_int_eq(is_new, want_new);
	return number;
}

/* Few are compared, more are hashed. */
static const size_t capacities[] = {3, 5, 1000};

START_TEST(equal_contents_have_one_number)
{
	char copy[] = "hello";

	open_distinct(capacities[_i]);
	ck_assert_uint_eq(add(content(0, "hello", ""), true), 0);
	ck_assert_uint_eq(add(content(0, "world", ""), true), 1);
	ck_assert_uint_eq(add(content(0, copy, ""), false), 0);
	ck_assert_uint_eq(add(content(0, "world", ""), false), 1);
	ck_assert_uint_eq(add(content(0, "", ""), true), 2);
	ck_assert_uint_eq(add(content(0, "", ""), false), 2);
	ck_assert_uint_eq(distinct.n, 3);
	distinct_clear(&distinct);
	ck_assert_uint_eq(add(content(0, "world", ""), true), 0);
}
END_TEST

START_TEST(kinds_and_parts_tell_contents_apart)
{
	open_distinct(100);
	add(content(0, "ab", "c"), true);
	add(content(1, "ab", "c"), true);
	add(content(0, "a", "bc"), true);
	add(content(0, "abc", ""), true);
	add(content(0, "", "abc"), true);
	add(content(0, "ab", "d"), true);
	add(content(0, "ab", "c"), false);
}
END_TEST

/* Wherever they differ: in any byte of any length. */
START_TEST(one_other_byte_is_another_content)
{
	static char bytes[100], changed[100];

	for (size_t len = 1; len < sizeof(bytes); len++) {
		open_distinct(200);
		add((struct content){0, {{bytes, len}}}, true);
		add((struct content){0, {{bytes, len - 1}}}, true);
		for (size_t i = 0; i < len; i++) {
			changed[i] = 1;
			struct content other = {0, {{changed, len}}};
			bool is_new;
			size_t number = distinct_add(&distinct, &other, &is_new);

			ck_assert_msg(is_new, "byte %zu of %zu is the same as %zu", i, len, number);
			changed[i] = 0;
		}
		arena_free(&arena);
	}
}
END_TEST

START_TEST(many_are_found_again)
{
	size_t n_found = 0;

	open_distinct(MANY);
	for (size_t turn = 0; turn < 2; turn++) {
		for (size_t i = 0; i < MANY; i++) {
			snprintf(texts[i], sizeof(texts[i]), "user %zu asks for %zu", i % 70, i);
			struct content what = content(0, texts[i], "");
			bool is_new;
			size_t number = distinct_add(&distinct, &what, &is_new);

			if (turn == 0)
				ck_assert_uint_eq(number, i);
			n_found += !is_new;
		}
	}
	/* those whose place was taken are not */
	ck_assert_uint_ge(n_found, MANY * 99 / 100);
	ck_assert_uint_le(n_found, MANY);
}
END_TEST

START_TEST(full_begins_anew)
{
	open_distinct(capacities[_i]);
	for (size_t i = 0; i < 3 * capacities[_i]; i++) {
		snprintf(texts[i], sizeof(texts[i]), "%zu", i);
		ck_assert_uint_eq(add(content(0, texts[i], ""), true), i % capacities[_i]);
		add(content(0, texts[i], ""), false);
	}
}
END_TEST

START_TEST(memo_keeps_rows_and_is_bounded)
{
	static const struct {
		size_t n_contents, width, capacity;
	} cases[] = {{1, 3, 1},
		     {64, 10, 64},
		     {0, 10, 1},
		     {1000000, 1, MEMO_MAX_CONTENTS},
		     {1000000, 1024, MEMO_BYTES / 4096}};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct memo memo;
		struct content a = content(0, "a", ""), b = content(0, "b", "");
		bool is_new;

		ck_assert_int_eq(
		    memo_init(&memo, cases[i].n_contents, cases[i].width, &arena, NULL), STATUS_OK);
		ck_assert_uint_eq(memo.contents.capacity, cases[i].capacity);
		*memo_row(&memo, &a, &is_new) = 5;
		ck_assert(is_new);
		ck_assert_float_eq(*memo_row(&memo, &a, &is_new), 5);
		ck_assert(!is_new);
		*memo_row(&memo, &b, &is_new) = 6;
		ck_assert(is_new);
		memo_row(&memo, &a, &is_new);
		ck_assert_int_eq(is_new, cases[i].capacity == 1);
		arena_free(&arena);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("distinct");
	TCase *tcase = tcase_create("distinct");

	tcase_add_checked_fixture(tcase, NULL, tear_down);
	tcase_add_loop_test(tcase, equal_contents_have_one_number, 0, LENGTH(capacities));
	tcase_add_test(tcase, kinds_and_parts_tell_contents_apart);
	tcase_add_test(tcase, one_other_byte_is_another_content);
	tcase_add_test(tcase, many_are_found_again);
	tcase_add_loop_test(tcase, full_begins_anew, 0, LENGTH(capacities));
	tcase_add_test(tcase, memo_keeps_rows_and_is_bounded);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
