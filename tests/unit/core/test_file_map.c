/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "core/base/file_map.h"
#include "tests/unit/core/folder_fixture.h"
#include "tests/unit/unit.h"

START_TEST(open_shows_the_bytes_of_the_file)
{
	struct file_map map;

	ck_assert_int_eq(file_map_open(&map, folder_write("f", "hello", 5), NULL), STATUS_OK);
	ck_assert_uint_eq(map.len, 5);
	ck_assert_mem_eq(map.bytes, "hello", 5);
	file_map_close(&map);
	ck_assert_ptr_null(map.bytes);
	file_map_close(&map);
}
END_TEST

static void assert_refused(const char *path, enum status status, const char *message)
{
	struct file_map map;
	struct err err;

	ck_assert_int_eq(file_map_open(&map, path, &err), status);
	ck_assert_str_eq(err.msg, message);
}

START_TEST(open_refuses_what_is_no_file_with_bytes)
{
	const char *fifo = folder_path("fifo");

	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	assert_refused(folder_path("gone"), STATUS_IO, "open: No such file or directory");
	assert_refused(folder_path("."), STATUS_BAD_FILE, "not a regular file");
	assert_refused(fifo, STATUS_BAD_FILE, "not a regular file");
	assert_refused(folder_write("empty", "", 0), STATUS_BAD_FILE, "empty file");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("file_map");
	TCase *tcase = tcase_create("file_map");

	tcase_add_checked_fixture(tcase, folder_make, folder_remove);
	tcase_add_test(tcase, open_shows_the_bytes_of_the_file);
	tcase_add_test(tcase, open_refuses_what_is_no_file_with_bytes);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
