/* SPDX-License-Identifier: Apache-2.0 */
/* test_features_oom.c - every allocation of a growing matrix fails in turn. */
#include "core/encode/features.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/unit.h"

#define N_ROWS 40

START_TEST(append_that_fails_changes_nothing_and_can_be_repeated)
{
	bool sparse = _i;
	long n_failures = 0;

	for (long n = 0; n < 20; n++) {
		struct features f;

		features_init(&f, 2, sparse);
		mem_fail_after(n);
		for (size_t i = 0; i < N_ROWS; i++) {
			const float x[2] = {(float)i, 1};
			enum status status = features_append(&f, feature_row_dense(x, 2), NULL);

			if (status != STATUS_OK) {
				ck_assert_int_eq(status, STATUS_NO_MEMORY);
				ck_assert_uint_eq(f.n_rows, i);
				n_failures++;
				i--; /* the same row again: the failure was a single one */
			}
		}
		mem_fail_after(-1);
		for (size_t i = 0; i < N_ROWS; i++) {
			float x[2];

			feature_row_copy(features_row(&f, i), x);
			ck_assert_msg(x[0] == (float)i && x[1] == 1, "n %ld, row %zu", n, i);
		}
		features_free(&f);
	}
	ck_assert_int_ge(n_failures, sparse ? 8 : 5);
}
END_TEST

START_TEST(empty_row_after_any_failed_allocation_is_sparse)
{
	const float zero[2] = {0};
	const struct feature_row empty = {.dim = 2, .index = (uint32_t[1]){0}, .value = zero};

	for (long n = 0; n < 3; n++) {
		struct features f;

		features_init(&f, 2, true);
		mem_fail_after(n);
		ck_assert_int_eq(features_append(&f, empty, NULL), STATUS_NO_MEMORY);
		mem_fail_after(-1);
		ck_assert_int_eq(features_append(&f, empty, NULL), STATUS_OK);
		ck_assert_msg(features_row(&f, 0).index != NULL, "allocation %ld", n);
		features_free(&f);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("features out of memory");
	TCase *tcase = tcase_create("sweep");

	tcase_add_loop_test(tcase, append_that_fails_changes_nothing_and_can_be_repeated, 0, 2);
	tcase_add_test(tcase, empty_row_after_any_failed_allocation_is_sparse);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
