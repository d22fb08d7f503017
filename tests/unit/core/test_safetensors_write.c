/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/model/safetensors.h"
#include "tests/unit/core/folder_fixture.h"
#include "tests/unit/unit.h"

static const float numbers[] = {1, 2, 3, 4, 5, -0.5f};
static const struct tensor_spec specs[] = {
    {.name = "b", .rank = 2, .shape = {2, 2}, .data = numbers},
    {.name = "a", .rank = 1, .shape = {2}, .data = numbers + 4},
};
static const struct metadata_spec facts[] = {{"z", "Zürich \"quoted\"\n"}, {"format", "micro/1"}};

START_TEST(write_then_open_gives_the_same)
{
	const char *path = folder_path("x.safetensors");
	struct safetensors *file;
	float x[4];

	ck_assert(safetensors_write(path, specs, 2, facts, 2, NULL) == STATUS_OK);
	ck_assert(safetensors_open(path, &file, NULL) == STATUS_OK);
	ck_assert_uint_eq(safetensors_count(file), 2);
	ck_assert_str_eq(safetensors_at(file, 0)->name, "a");
	ck_assert(tensor_floats(safetensors_at(file, 0), x, NULL) == STATUS_OK);
	ck_assert_mem_eq(x, numbers + 4, 2 * sizeof(float));
	ck_assert(tensor_floats(safetensors_at(file, 1), x, NULL) == STATUS_OK);
	ck_assert_mem_eq(x, numbers, 4 * sizeof(float));
	ck_assert_uint_eq(safetensors_at(file, 1)->shape[1], 2);
	ck_assert_str_eq(safetensors_metadata(file, "z"), facts[0].value);
	ck_assert_str_eq(safetensors_metadata(file, "format"), "micro/1");
	safetensors_close(file);
	ck_assert_uint_eq(folder_count(), 1);
}
END_TEST

START_TEST(write_gives_these_bytes)
{
	static const char want[] =
	    "{\"__metadata__\":{\"format\":\"micro/1\"},"
	    "\"a\":{\"data_offsets\":[0,8],\"dtype\":\"F32\",\"shape\":[2]},"
	    "\"b\":{\"data_offsets\":[8,24],\"dtype\":\"F32\",\"shape\":[2,2]}}";
	const char *path = folder_path("x.safetensors");
	size_t len, padded = (strlen(want) + 7) / 8 * 8;
	uint64_t header_len;
	char *bytes;

	ck_assert(safetensors_write(path, specs, 2, facts + 1, 1, NULL) == STATUS_OK);
	bytes = folder_read(path, &len);
	ck_assert_uint_eq(len, 8 + padded + 24);
	memcpy(&header_len, bytes, 8);
	ck_assert_uint_eq(header_len, padded);
	ck_assert_mem_eq(bytes + 8, want, strlen(want));
	for (size_t i = strlen(want); i < padded; i++)
		ck_assert_int_eq(bytes[8 + i], ' ');
	ck_assert_mem_eq(bytes + 8 + padded, numbers + 4, 8);
	ck_assert_mem_eq(bytes + 8 + padded + 8, numbers, 16);
	free(bytes);
}
END_TEST

START_TEST(write_does_not_depend_on_the_order_given)
{
	const struct tensor_spec reversed[] = {specs[1], specs[0]};
	const struct metadata_spec facts_reversed[] = {facts[1], facts[0]};
	size_t len_a, len_b;
	char *a, *b;

	ck_assert(safetensors_write(folder_path("a"), specs, 2, facts, 2, NULL) == STATUS_OK);
	ck_assert(safetensors_write(folder_path("b"), reversed, 2, facts_reversed, 2, NULL) ==
		  STATUS_OK);
	a = folder_read(folder_path("a"), &len_a);
	b = folder_read(folder_path("b"), &len_b);
	ck_assert_uint_eq(len_a, len_b);
	ck_assert_mem_eq(a, b, len_a);
	free(a);
	free(b);
}
END_TEST

START_TEST(write_refuses_bad_values_and_leaves_the_old_file)
{
	const float bad[] = {1, NAN};
	const struct tensor_spec tensor = {.name = "a", .rank = 1, .shape = {2}, .data = bad};
	const struct metadata_spec latin1 = {"city", "Z\xfcrich"};
	const char *path = folder_write("x", "old", 3);
	struct err err;
	size_t len;
	char *bytes;

	ck_assert(safetensors_write(path, &tensor, 1, NULL, 0, &err) == STATUS_NOT_FINITE);
	ck_assert_str_eq(err.msg, "a: number 1 is not finite");
	ck_assert(safetensors_write(path, specs, 2, &latin1, 1, &err) == STATUS_INVALID_VALUE);
	ck_assert_str_eq(err.msg, "city: not valid UTF-8");
	bytes = folder_read(path, &len);
	ck_assert_str_eq(bytes, "old");
	free(bytes);
	ck_assert_uint_eq(folder_count(), 1);
}
END_TEST

START_TEST(write_into_no_folder_fails)
{
	struct err err;

	ck_assert(safetensors_write(folder_path("no/x"), specs, 2, facts, 2, &err) == STATUS_IO);
	ck_assert_str_eq(err.msg, "create a temporary file beside it: No such file or directory");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("safetensors_write");
	TCase *tcase = tcase_create("write");

	tcase_add_checked_fixture(tcase, folder_make, folder_remove);
	tcase_add_test(tcase, write_then_open_gives_the_same);
	tcase_add_test(tcase, write_gives_these_bytes);
	tcase_add_test(tcase, write_does_not_depend_on_the_order_given);
	tcase_add_test(tcase, write_refuses_bad_values_and_leaves_the_old_file);
	tcase_add_test(tcase, write_into_no_folder_fails);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
