/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/data/intern.h"
#include "tests/unit/unit.h"

#define N_MANY 5000

static uint32_t add(struct intern *intern, const char *bytes, size_t len)
{
	uint32_t id = UINT32_MAX;

	ck_assert_int_eq(intern_add(intern, bytes, len, &id, NULL), STATUS_OK);
	return id;
}

START_TEST(equal_strings_get_one_number_in_order_of_appearance)
{
	struct intern intern = {0};

	ck_assert_uint_eq(add(&intern, "b", 1), 0);
	ck_assert_uint_eq(add(&intern, "a", 1), 1);
	ck_assert_uint_eq(add(&intern, "b", 1), 0);
	ck_assert_uint_eq(add(&intern, "ba", 2), 2);
	ck_assert_uint_eq(intern.n, 3);
	intern_free(&intern);
}
END_TEST

START_TEST(length_counts_and_nul_is_a_byte)
{
	struct intern intern = {0};

	ck_assert_uint_eq(add(&intern, "", 0), 0);
	ck_assert_uint_eq(add(&intern, "\0", 1), 1);
	ck_assert_uint_eq(add(&intern, "a\0b", 3), 2);
	ck_assert_uint_eq(add(&intern, "a\0c", 3), 3);
	ck_assert_uint_eq(add(&intern, "a\0c", 1), 4);
	ck_assert_uint_eq(add(&intern, "", 0), 0);
	intern_free(&intern);
}
END_TEST

START_TEST(many_strings_keep_their_numbers)
{
	struct intern intern = {0};
	char **strings;

	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < N_MANY; i++) {
			char name[16];
			int len = snprintf(name, sizeof(name), "%u", i * 7919);

			ck_assert_uint_eq(add(&intern, name, (size_t)len), i);
		}
	}
	ck_assert_int_eq(intern_strings(&intern, &strings, NULL), STATUS_OK);
	for (uint32_t i = 0; i < N_MANY; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%u", i * 7919);
		ck_assert_str_eq(strings[i], name);
		mem_free(strings[i]);
	}
	mem_free(strings);
	intern_free(&intern);
}
END_TEST

START_TEST(free_leaves_it_empty_and_usable)
{
	struct intern intern = {0};
	char **strings;

	intern_free(&intern);
	add(&intern, "a", 1);
	intern_free(&intern);
	ck_assert_uint_eq(intern.n, 0);
	ck_assert_int_eq(intern_strings(&intern, &strings, NULL), STATUS_OK);
	mem_free(strings);
	ck_assert_uint_eq(add(&intern, "b", 1), 0);
	intern_free(&intern);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("intern");
	TCase *tcase = tcase_create("intern");

	tcase_add_test(tcase, equal_strings_get_one_number_in_order_of_appearance);
	tcase_add_test(tcase, length_counts_and_nul_is_a_byte);
	tcase_add_test(tcase, many_strings_keep_their_numbers);
	tcase_add_test(tcase, free_leaves_it_empty_and_usable);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
