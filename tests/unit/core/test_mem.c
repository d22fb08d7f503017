/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdint.h>
#include <string.h>

#include "core/base/mem.h"
#include "tests/unit/unit.h"

/* ---- mem_mul ---- */

START_TEST(mul_knows_where_size_t_ends)
{
	static const struct {
		size_t a, b;
		bool fits;
	} cases[] = {
	    {0, SIZE_MAX, true},	 {1, SIZE_MAX, true},
	    {2, SIZE_MAX / 2, true},	 {2, SIZE_MAX / 2 + 1, false},
	    {SIZE_MAX, SIZE_MAX, false}, {(size_t)1 << 32, (size_t)1 << 32, false},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		size_t product;

		ck_assert_msg(mem_mul(cases[i].a, cases[i].b, &product) == cases[i].fits,
			      "case %zu", i);
		if (cases[i].fits)
			ck_assert_msg(product == cases[i].a * cases[i].b, "case %zu", i);
	}
}
END_TEST

/* ---- mem_array ---- */

START_TEST(array_is_zeroed_and_aligned)
{
	for (size_t n = 0; n < 300; n += 7) {
		unsigned char *block = mem_array(n, 3);

		ck_assert_ptr_nonnull(block);
		ck_assert_uint_eq((uintptr_t)block % 64, 0);
		for (size_t i = 0; i < 3 * n; i++)
			ck_assert_uint_eq(block[i], 0);
		mem_free(block);
	}
}
END_TEST

START_TEST(array_of_impossible_size_is_null)
{
	ck_assert_ptr_null(mem_array(SIZE_MAX, 2));
	ck_assert_ptr_null(mem_array(SIZE_MAX, 1));
	ck_assert_ptr_null(mem_array(SIZE_MAX - 63, 1));
	ck_assert_ptr_null(mem_array((size_t)1 << 62, sizeof(double)));
}
END_TEST

/* ---- mem_small ---- */

START_TEST(small_is_zeroed)
{
	for (size_t size = 1; size < 300; size += 7) {
		unsigned char *block = mem_small(size);

		ck_assert_ptr_nonnull(block);
		for (size_t i = 0; i < size; i++)
			ck_assert_uint_eq(block[i], 0);
		memset(block, 0xff, size);
		mem_free(block);
	}
}
END_TEST

/* ---- mem_grow ---- */

START_TEST(grow_keeps_the_old_elements)
{
	uint32_t *x = mem_grow(NULL, 0, 3, sizeof(*x));

	ck_assert_ptr_nonnull(x);
	for (uint32_t i = 0; i < 3; i++)
		x[i] = 10 + i;
	x = mem_grow(x, 3, 1000, sizeof(*x));
	ck_assert_ptr_nonnull(x);
	ck_assert_uint_eq((uintptr_t)x % 64, 0);
	for (uint32_t i = 0; i < 3; i++)
		ck_assert_uint_eq(x[i], 10 + i);
	x = mem_grow(x, 1000, 2, sizeof(*x));
	ck_assert_uint_eq(x[1], 11);
	mem_free(x);
}
END_TEST

START_TEST(grow_that_fails_leaves_the_block)
{
	uint32_t *x = mem_array(1, sizeof(*x));

	ck_assert_ptr_nonnull(x);
	x[0] = 7;
	ck_assert_ptr_null(mem_grow(x, 1, SIZE_MAX, sizeof(*x)));
	ck_assert_uint_eq(x[0], 7);
	mem_free(x);
}
END_TEST

/* ---- mem_string, mem_free ---- */

START_TEST(string_copies_and_terminates)
{
	char *copy = mem_string("abcdef", 3);

	ck_assert_str_eq(copy, "abc");
	mem_free(copy);
	copy = mem_string("", 0);
	ck_assert_str_eq(copy, "");
	mem_free(copy);
	ck_assert_ptr_null(mem_string("", SIZE_MAX));
}
END_TEST

START_TEST(free_of_null_does_nothing)
{
	mem_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mem");
	TCase *tcase = tcase_create("mem");

	tcase_add_test(tcase, mul_knows_where_size_t_ends);
	tcase_add_test(tcase, array_is_zeroed_and_aligned);
	tcase_add_test(tcase, array_of_impossible_size_is_null);
	tcase_add_test(tcase, small_is_zeroed);
	tcase_add_test(tcase, grow_keeps_the_old_elements);
	tcase_add_test(tcase, grow_that_fails_leaves_the_block);
	tcase_add_test(tcase, string_copies_and_terminates);
	tcase_add_test(tcase, free_of_null_does_nothing);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
