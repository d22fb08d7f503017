/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/mem.h"
#include "core/base/arena.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/unit.h"

START_TEST(array_without_memory_is_null_and_the_rest_stays)
{
	struct arena arena = {0};
	char *before = arena_string(&arena, "before", 6);

	mem_fail_after(0);
	ck_assert_ptr_null(arena_array(&arena, 100000, 1));
	mem_fail_after(-1);
	ck_assert_str_eq(before, "before");
	ck_assert_ptr_nonnull(arena_array(&arena, 100000, 1));
	arena_free(&arena);
}
END_TEST

START_TEST(adoption_without_memory_frees_the_stranger)
{
	struct arena arena = {0};
	char *stranger = mem_string("stranger", 8);

	mem_fail_after(0);
	ck_assert_ptr_null(arena_adopt(&arena, stranger));
	mem_fail_after(-1);
	arena_free(&arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("arena_oom");
	TCase *tcase = tcase_create("arena");

	tcase_add_test(tcase, array_without_memory_is_null_and_the_rest_stays);
	tcase_add_test(tcase, adoption_without_memory_frees_the_stranger);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
