/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/arena.h"
#include "tests/unit/unit.h"

static bool all_zero(const unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] != 0)
			return false;
	}
	return true;
}

START_TEST(arrays_are_zeroed_aligned_and_apart)
{
	struct arena arena = {0};
	unsigned char *array[1000];

	for (size_t n = 0; n < LENGTH(array); n++) {
		array[n] = arena_array(&arena, n, 3);
		ck_assert_ptr_nonnull(array[n]);
		ck_assert_msg((uintptr_t)array[n] % 16 == 0, "array %zu at %p", n,
			      (void *)array[n]);
		ck_assert_msg(all_zero(array[n], 3 * n), "array %zu", n);
		memset(array[n], (int)(n % 251), 3 * n);
	}
	for (size_t n = 1; n < LENGTH(array); n++)
		ck_assert_msg(array[n][0] == n % 251 && array[n][3 * n - 1] == n % 251,
			      "array %zu was overwritten", n);
	arena_free(&arena);
}
END_TEST

START_TEST(array_larger_than_a_block_is_given)
{
	struct arena arena = {0};
	char *small = arena_string(&arena, "small", 5);
	double *large = arena_array(&arena, 100000, sizeof(*large));

	ck_assert_ptr_nonnull(large);
	large[99999] = 1;
	ck_assert_str_eq(small, "small");
	arena_free(&arena);
}
END_TEST

START_TEST(size_that_overflows_is_refused)
{
	struct arena arena = {0};

	ck_assert_ptr_null(arena_array(&arena, SIZE_MAX, 2));
	ck_assert_ptr_null(arena_array(&arena, SIZE_MAX, 1));
	ck_assert_ptr_null(arena_string(&arena, "", SIZE_MAX));
	arena_free(&arena);
}
END_TEST

START_TEST(string_is_copied_with_its_nul)
{
	struct arena arena = {0};
	char source[] = "abcdef";
	char *copy = arena_string(&arena, source, 3);

	source[0] = 'x';
	ck_assert_str_eq(copy, "abc");
	ck_assert_str_eq(arena_string(&arena, NULL, 0), "");
	arena_free(&arena);
}
END_TEST

START_TEST(adopted_block_dies_with_the_arena)
{
	struct arena arena = {0};
	char *stranger = mem_string("stranger", 8);

	ck_assert_ptr_eq(arena_adopt(&arena, stranger), stranger);
	ck_assert_str_eq(stranger, "stranger");
	arena_free(&arena); /* the leak sanitizer sees it if it stays */
}
END_TEST

START_TEST(freed_arena_can_be_used_again)
{
	struct arena arena = {0};

	for (int round = 0; round < 3; round++) {
		ck_assert_str_eq(arena_string(&arena, "again", 5), "again");
		arena_free(&arena);
		ck_assert_ptr_null(arena.blocks);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("arena");
	TCase *tcase = tcase_create("arena");

	tcase_add_test(tcase, arrays_are_zeroed_aligned_and_apart);
	tcase_add_test(tcase, array_larger_than_a_block_is_given);
	tcase_add_test(tcase, size_that_overflows_is_refused);
	tcase_add_test(tcase, string_is_copied_with_its_nul);
	tcase_add_test(tcase, adopted_block_dies_with_the_arena);
	tcase_add_test(tcase, freed_arena_can_be_used_again);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
