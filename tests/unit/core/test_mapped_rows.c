/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/encode/mapped_rows.h"
#include "tests/unit/core/folder_fixture.h"
#include "tests/unit/unit.h"

/* Rows of 4 KiB: 128 a block, so that the parts have more blocks than are mapped. */
#define DIM	   1024
#define ROWS_A	   ((size_t)128 * (MAPPED_ROWS_WINDOW + 40) + 5)
#define ROWS_B	   ((size_t)128 * MAPPED_ROWS_WINDOW + 1)
#define FEW_ROWS   500
#define FEW_ROWS_A ((size_t)300)
#define OFFSET	   12 /* of the first part: in the middle of a page */

static struct mapped_rows *rows;

/* Number j of row i of both parts together. */
static float value_of(size_t i, size_t j)
{
	return (float)((i * 31 + j) % 65521);
}

static const char *write_rows(size_t n_rows)
{
	const char *path = folder_path("rows");
	FILE *file = fopen(path, "wb");
	float row[DIM];

	ck_assert_ptr_nonnull(file);
	fwrite("header bytes", 1, OFFSET, file);
	for (size_t i = 0; i < n_rows; i++) {
		for (size_t j = 0; j < DIM; j++)
			row[j] = value_of(i, j);
		ck_assert_uint_eq(fwrite(row, sizeof(row), 1, file), 1);
	}
	fclose(file);
	return path;
}

/* room: in which all may stay mapped */
static void open_rows(const char *path, size_t room)
{
	struct mapped_part parts[] = {{"chosen", OFFSET, ROWS_A},
				      {"rejected", OFFSET + ROWS_A * DIM * 4, ROWS_B}};

	ck_assert_int_eq(mapped_rows_open(path, DTYPE_F32, DIM, parts, 2, room, &rows, NULL),
			 STATUS_OK);
}

/* Parts of some blocks, which all stay mapped. */
static void open_few(const char *path)
{
	struct mapped_part parts[] = {
	    {"chosen", OFFSET, FEW_ROWS_A},
	    {"rejected", OFFSET + FEW_ROWS_A * DIM * 4, FEW_ROWS - FEW_ROWS_A}};

	ck_assert_int_eq(mapped_rows_open(path, DTYPE_F32, DIM, parts, 2, SIZE_MAX, &rows, NULL),
			 STATUS_OK);
}

static void assert_row(uint32_t i)
{
	float out[DIM];

	ck_assert_int_eq(mapped_rows_gather(rows, &i, 1, out, NULL), STATUS_OK);
	for (size_t j = 0; j < DIM; j++)
		ck_assert_msg(out[j] == value_of(i, j), "row %u, number %zu", i, j);
}

/* Bytes of the file that the process has mapped. */
static size_t mapped_bytes(const char *path)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	size_t n = 0;

	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		unsigned long begin, end;

		if (strstr(line, path) != NULL && sscanf(line, "%lx-%lx", &begin, &end) == 2)
			n += end - begin;
	}
	fclose(maps);
	return n;
}

START_TEST(all_rows_of_both_parts_come_out_and_few_are_mapped)
{
	char path[600];

	snprintf(path, sizeof(path), "%s", write_rows(ROWS_A + ROWS_B));
	open_rows(path, 0);
	ck_assert_uint_eq(mapped_rows_block(rows), 128);
	for (uint32_t i = 0; i < ROWS_A + ROWS_B; i += 61)
		assert_row(i);
	assert_row(ROWS_A - 1);
	assert_row(ROWS_A);
	assert_row(ROWS_A + ROWS_B - 1);
	assert_row(0);
	ck_assert_uint_gt(mapped_bytes(path), 0);
	ck_assert_uint_le(mapped_bytes(path), mapped_rows_window(rows));
	mapped_rows_expect(rows, 1, ROWS_B - 3, 1000);
	mapped_rows_close(rows);
	ck_assert_uint_eq(mapped_bytes(path), 0);
}
END_TEST

START_TEST(all_rows_stay_mapped_where_there_is_room)
{
	char path[600];
	size_t n_bytes = (ROWS_A + ROWS_B) * DIM * sizeof(float);

	snprintf(path, sizeof(path), "%s", write_rows(ROWS_A + ROWS_B));
	open_rows(path, 2 * n_bytes);
	for (uint32_t i = 0; i < ROWS_A + ROWS_B; i += 61)
		assert_row(i);
	ck_assert_uint_ge(mapped_bytes(path), n_bytes);
	ck_assert_uint_le(mapped_bytes(path), mapped_rows_window(rows));
	mapped_rows_close(rows);
	ck_assert_uint_eq(mapped_bytes(path), 0);

	open_rows(path, n_bytes);
	ck_assert_uint_lt(mapped_rows_window(rows), n_bytes);
	mapped_rows_close(rows);
}
END_TEST

START_TEST(more_blocks_than_the_system_maps_do_not_all_stay_mapped)
{
	const size_t most = MAPPED_ROWS_MOST * (MAPPED_ROWS_BLOCK / (DIM * sizeof(float)));
	const char *path = write_rows(1);
	struct mapped_part part = {"chosen", OFFSET, most};
	size_t window;

	/* a file with a hole */
	ck_assert_int_eq(truncate(path, (off_t)(OFFSET + (most + 1) * DIM * sizeof(float))), 0);
	ck_assert_int_eq(mapped_rows_open(path, DTYPE_F32, DIM, &part, 1, SIZE_MAX, &rows, NULL),
			 STATUS_OK);
	window = mapped_rows_window(rows);
	ck_assert_uint_ge(window, most * DIM * sizeof(float));
	mapped_rows_close(rows);

	part.n_rows++;
	ck_assert_int_eq(mapped_rows_open(path, DTYPE_F32, DIM, &part, 1, SIZE_MAX, &rows, NULL),
			 STATUS_OK);
	ck_assert_uint_lt(mapped_rows_window(rows), window / 8);
	mapped_rows_close(rows);
}
END_TEST

START_TEST(differences_are_those_of_rows_anywhere)
{
	enum { N = 300 };
	uint32_t index[2 * N];
	float *out = mem_array(N * DIM, sizeof(*out));

	open_few(write_rows(FEW_ROWS));
	for (uint32_t i = 0; i < 2 * N; i++)
		index[i] = i * 7919 % FEW_ROWS;
	ck_assert_int_eq(mapped_rows_differences(rows, index, N, out, NULL), STATUS_OK);
	for (size_t i = 0; i < N; i++) {
		for (size_t j = 0; j < DIM; j++)
			ck_assert(out[i * DIM + j] ==
				  value_of(index[2 * i], j) - value_of(index[2 * i + 1], j));
	}
	mapped_rows_close(rows);
	mem_free(out);
}
END_TEST

static void *gather_some(void *context)
{
	uint32_t begin = *(uint32_t *)context;
	float out[DIM];

	for (uint32_t k = 0; k < 4000; k++) {
		uint32_t i = (begin + k * 7919) % (uint32_t)(ROWS_A + ROWS_B);

		if (mapped_rows_gather(rows, &i, 1, out, NULL) != STATUS_OK ||
		    out[DIM - 1] != value_of(i, DIM - 1))
			return context;
	}
	return NULL;
}

START_TEST(threads_gather_at_once)
{
	pthread_t threads[4];
	uint32_t begin[4];

	open_rows(write_rows(ROWS_A + ROWS_B), 0);
	for (uint32_t t = 0; t < 4; t++) {
		begin[t] = 3001 * t;
		ck_assert_int_eq(pthread_create(&threads[t], NULL, gather_some, &begin[t]), 0);
	}
	for (size_t t = 0; t < 4; t++) {
		void *failed;

		pthread_join(threads[t], &failed);
		ck_assert_ptr_null(failed);
	}
	mapped_rows_close(rows);
}
END_TEST

START_TEST(what_is_not_finite_is_named_when_it_is_met)
{
	float numbers[] = {1, 2, 3, 4, 5, 6, 7, NAN};
	const char *path = folder_write("rows", numbers, sizeof(numbers));
	struct mapped_part parts[] = {{"chosen", 0, 2}, {"rejected", 16, 2}};
	uint32_t index[] = {0, 1, 2, 3};
	float out[8];
	struct err err;

	ck_assert_int_eq(mapped_rows_open(path, DTYPE_F32, 2, parts, 2, 0, &rows, NULL), STATUS_OK);
	ck_assert_int_eq(mapped_rows_gather(rows, index, 3, out, &err), STATUS_OK);
	ck_assert_mem_eq(out, numbers, 3 * sizeof(float));
	ck_assert_int_eq(mapped_rows_gather(rows, index, 4, out, &err), STATUS_NOT_FINITE);
	ck_assert_str_eq(err.msg, "rejected: pair 2: number 1 is not finite");
	ck_assert_int_eq(mapped_rows_differences(rows, index, 2, out, &err), STATUS_NOT_FINITE);
	ck_assert_str_eq(err.msg, "rejected: pair 2: number 1 is not finite");
	mapped_rows_close(rows);
}
END_TEST

START_TEST(a_difference_that_overflows_is_no_fault_of_the_file)
{
	const float numbers[] = {3e38f, 1, -3e38f, 2};
	struct mapped_part part = {"chosen", 0, 2};
	const uint32_t index[] = {0, 1};
	float out[2];

	ck_assert_int_eq(mapped_rows_open(folder_write("rows", numbers, sizeof(numbers)), DTYPE_F32,
					  2, &part, 1, 0, &rows, NULL),
			 STATUS_OK);
	ck_assert_int_eq(mapped_rows_differences(rows, index, 1, out, NULL), STATUS_OK);
	ck_assert(isinf(out[0]) && out[1] == -1);
	mapped_rows_close(rows);
}
END_TEST

START_TEST(halves_are_subtracted_as_floats)
{
	/* 1, 2048 and 0.5, 1 as float16 */
	const uint16_t numbers[] = {0x3c00, 0x6800, 0x3800, 0x3c00};
	struct mapped_part part = {"chosen", 0, 2};
	const uint32_t index[] = {0, 1};
	float out[2];

	ck_assert_int_eq(mapped_rows_open(folder_write("rows", numbers, sizeof(numbers)), DTYPE_F16,
					  2, &part, 1, 0, &rows, NULL),
			 STATUS_OK);
	ck_assert_int_eq(mapped_rows_differences(rows, index, 1, out, NULL), STATUS_OK);
	ck_assert(out[0] == 0.5f && out[1] == 2047);
	mapped_rows_close(rows);
}
END_TEST

START_TEST(a_file_that_shrinks_is_an_error_and_no_crash)
{
	char path[600];
	uint32_t i = ROWS_A + ROWS_B - 1;
	float out[DIM];
	struct err err;

	snprintf(path, sizeof(path), "%s", write_rows(ROWS_A + ROWS_B));
	open_rows(path, 0);
	ck_assert_int_eq(truncate(path, OFFSET + ROWS_A * DIM * 4), 0);
	ck_assert_int_eq(mapped_rows_gather(rows, &i, 1, out, &err), STATUS_IO);
	ck_assert_msg(strstr(err.msg, "rejected: the file has become shorter") == err.msg, "%s",
		      err.msg);
	mapped_rows_close(rows);
}
END_TEST

START_TEST(a_file_that_shrinks_under_what_is_mapped_is_an_error_too)
{
	char path[600];
	const uint32_t index[] = {0, FEW_ROWS_A - 1, FEW_ROWS_A};
	float out[3 * DIM];
	struct err err;

	snprintf(path, sizeof(path), "%s", write_rows(FEW_ROWS));
	open_few(path);
	ck_assert_int_eq(mapped_rows_gather(rows, index, 3, out, &err), STATUS_OK);
	ck_assert_int_eq(truncate(path, OFFSET + FEW_ROWS_A * DIM * 4), 0);
	ck_assert_int_eq(mapped_rows_gather(rows, index, 2, out, &err), STATUS_OK);
	ck_assert_int_eq(mapped_rows_gather(rows, index, 3, out, &err), STATUS_IO);
	ck_assert_msg(strstr(err.msg, "rejected: the file has become shorter") == err.msg, "%s",
		      err.msg);
	mapped_rows_close(rows);
}
END_TEST

START_TEST(a_row_longer_than_a_block_is_a_block)
{
	size_t dim = MAPPED_ROWS_BLOCK;
	float *numbers = mem_array(2 * dim, sizeof(*numbers));
	float *out = mem_array(dim, sizeof(*out));
	struct mapped_part part = {"prompt", 0, 2};
	uint32_t second = 1;

	numbers[2 * dim - 1] = 5;
	ck_assert_int_eq(mapped_rows_open(folder_write("rows", numbers, 8 * dim), DTYPE_F32, dim,
					  &part, 1, 0, &rows, NULL),
			 STATUS_OK);
	ck_assert_uint_eq(mapped_rows_block(rows), 1);
	ck_assert_int_eq(mapped_rows_gather(rows, &second, 1, out, NULL), STATUS_OK);
	ck_assert(out[dim - 1] == 5);
	mapped_rows_close(rows);
	mem_free(numbers);
	mem_free(out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mapped_rows");
	TCase *tcase = tcase_create("mapped_rows");

	tcase_add_checked_fixture(tcase, folder_make, folder_remove);
	tcase_add_test(tcase, all_rows_of_both_parts_come_out_and_few_are_mapped);
	tcase_add_test(tcase, all_rows_stay_mapped_where_there_is_room);
	tcase_add_test(tcase, more_blocks_than_the_system_maps_do_not_all_stay_mapped);
	tcase_add_test(tcase, differences_are_those_of_rows_anywhere);
	tcase_add_test(tcase, threads_gather_at_once);
	tcase_add_test(tcase, what_is_not_finite_is_named_when_it_is_met);
	tcase_add_test(tcase, a_difference_that_overflows_is_no_fault_of_the_file);
	tcase_add_test(tcase, halves_are_subtracted_as_floats);
	tcase_add_test(tcase, a_file_that_shrinks_is_an_error_and_no_crash);
	tcase_add_test(tcase, a_file_that_shrinks_under_what_is_mapped_is_an_error_too);
	tcase_add_test(tcase, a_row_longer_than_a_block_is_a_block);
	tcase_set_timeout(tcase, 120);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
