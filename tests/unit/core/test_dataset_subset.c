/* SPDX-License-Identifier: Apache-2.0 */
#include "core/data/dataset_subset.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/unit.h"

/* Row number of the whole and of the part hold the same vector. */
static void assert_same_row(const struct features *whole, uint32_t a, const struct features *part,
			    uint32_t b)
{
	struct feature_row x = features_row(whole, a), y = features_row(part, b);

	ck_assert_uint_eq(x.n_values, y.n_values);
	for (size_t i = 0; i < x.n_values; i++) {
		ck_assert_float_eq(x.value[i], y.value[i]);
		ck_assert(x.index == NULL || x.index[i] == y.index[i]);
	}
}

START_TEST(part_has_the_same_pairs_and_only_what_they_need)
{
	const uint32_t pairs[] = {14, 3, 5, 4};
	struct dataset whole, part;

	pairs_two_tastes(6, 3, 1, &whole);
	pairs_set_contexts(&whole);
	ck_assert(dataset_subset(&whole, pairs, 4, &part, NULL) == STATUS_OK);
	ck_assert_uint_eq(part.n_pairs, 4);
	ck_assert_uint_eq(part.phi.n_rows, 8);
	ck_assert_uint_eq(part.psi.n_rows, 2);
	ck_assert_str_eq(part.sha256, "");
	for (size_t i = 0; i < 4; i++) {
		uint32_t from = pairs[i];

		assert_same_row(&whole.phi, whole.chosen[from], &part.phi, part.chosen[i]);
		assert_same_row(&whole.phi, whole.rejected[from], &part.phi, part.rejected[i]);
		assert_same_row(&whole.psi, whole.prompt[from], &part.psi, part.prompt[i]);
		ck_assert_str_eq(part.user_names[part.user[i]], whole.user_names[whole.user[from]]);
		ck_assert_str_eq(part.context_names[part.context[i]],
				 whole.context_names[whole.context[from]]);
	}
	/* users 4, 1, 1, 1 in order of first appearance */
	ck_assert_uint_eq(part.n_users, 2);
	ck_assert_str_eq(part.user_names[0], "user 4");
	ck_assert_uint_eq(part.user[3], 1);
	dataset_free(&whole);
	ck_assert_str_eq(part.user_names[1], "user 1"); /* a copy */
	dataset_free(&part);
}
END_TEST

START_TEST(shared_rows_stay_shared_and_sparse_rows_sparse)
{
	const uint32_t index[] = {2}, pairs[] = {1, 0};
	const float value[] = {3};
	const struct feature_row row = {.dim = 4, .n_values = 1, .index = index, .value = value};
	uint32_t chosen[] = {1, 1}, rejected[] = {0, 2}, zeros[2] = {0},
		 none[] = {DATASET_NONE, DATASET_NONE};
	struct dataset part, whole = {.n_pairs = 2,
				      .chosen = chosen,
				      .rejected = rejected,
				      .prompt = zeros,
				      .user = none,
				      .context = none};

	features_init(&whole.phi, 4, true);
	features_init(&whole.psi, 4, true);
	for (size_t i = 0; i < 3; i++)
		ck_assert(features_append(&whole.phi, row, NULL) == STATUS_OK);
	ck_assert(features_append(&whole.psi, row, NULL) == STATUS_OK);
	ck_assert(dataset_subset(&whole, pairs, 2, &part, NULL) == STATUS_OK);
	ck_assert(part.phi.sparse);
	ck_assert_uint_eq(part.phi.n_rows, 3);
	ck_assert_uint_eq(part.chosen[0], part.chosen[1]);
	assert_same_row(&whole.phi, 2, &part.phi, part.rejected[0]);
	ck_assert_uint_eq(part.user[0], DATASET_NONE);
	ck_assert_uint_eq(part.n_users, 0);
	dataset_free(&part);
	features_free(&whole.phi);
	features_free(&whole.psi);
}
END_TEST

START_TEST(forgotten_users_leave_pairs_of_nobody)
{
	struct dataset data;

	pairs_two_tastes(3, 2, 1, &data);
	dataset_forget_users(&data);
	ck_assert_uint_eq(data.n_users, 0);
	for (size_t i = 0; i < data.n_pairs; i++)
		ck_assert_uint_eq(data.user[i], DATASET_NONE);
	dataset_free(&data);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dataset subset");
	TCase *tcase = tcase_create("subset");

	tcase_add_test(tcase, part_has_the_same_pairs_and_only_what_they_need);
	tcase_add_test(tcase, shared_rows_stay_shared_and_sparse_rows_sparse);
	tcase_add_test(tcase, forgotten_users_leave_pairs_of_nobody);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
