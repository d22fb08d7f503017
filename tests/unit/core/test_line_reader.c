/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <zlib.h>

#include "core/data/line_reader.h"
#include "tests/unit/core/folder_fixture.h"
#include "tests/unit/unit.h"

#define MAX_LINE ((size_t)1 << 20)

static struct line_reader reader;

static void open_file(const char *path, size_t max_line)
{
	struct err err = {.msg = ""};

	ck_assert_msg(line_reader_open(&reader, path, max_line, &err) == STATUS_OK, "%s", err.msg);
}

static void assert_next(const char *want, size_t len)
{
	struct text line;

	ck_assert_int_eq(line_reader_next(&reader, &line, NULL), STATUS_OK);
	ck_assert_ptr_nonnull(line.bytes);
	ck_assert_uint_eq(line.len, len);
	ck_assert(len == 0 || memcmp(line.bytes, want, len) == 0);
}

static void assert_end(size_t n_lines)
{
	struct text line;

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(line_reader_next(&reader, &line, NULL), STATUS_OK);
		ck_assert_ptr_null(line.bytes);
	}
	ck_assert_uint_eq(reader.n_lines, n_lines);
}

/* The next line is refused with this message. */
static void assert_fault(enum status code, const char *message)
{
	struct text line;
	struct err err = {.msg = ""};

	ck_assert_int_eq(line_reader_next(&reader, &line, &err), code);
	ck_assert_str_eq(err.msg, message);
}

/* A gzip file of the bytes, in mode "wb" or "ab". */
static const char *gzip(const char *name, const char *mode, const char *bytes, size_t len)
{
	const char *path = folder_path(name);
	gzFile file = gzopen(path, mode);

	ck_assert_int_eq(gzwrite(file, bytes, (unsigned)len), (int)len);
	ck_assert_int_eq(gzclose(file), Z_OK);
	return path;
}

/* ---- line_reader_next ---- */

START_TEST(next_gives_lines_with_and_without_a_last_newline)
{
	static const struct {
		const char *bytes;
		size_t n_lines;
		const char *lines[4];
	} cases[] = {
	    {"", 0, {0}},
	    {"\n", 1, {""}},
	    {"one", 1, {"one"}},
	    {"one\n", 1, {"one"}},
	    {"one\ntwo", 2, {"one", "two"}},
	    {"\n\none\n", 3, {"", "", "one"}},
	    {"one\r\n\r\n", 2, {"one\r", "\r"}},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		open_file(folder_write("lines", cases[i].bytes, strlen(cases[i].bytes)), MAX_LINE);
		for (size_t k = 0; k < cases[i].n_lines; k++)
			assert_next(cases[i].lines[k], strlen(cases[i].lines[k]));
		assert_end(cases[i].n_lines);
		line_reader_close(&reader);
	}
}
END_TEST

START_TEST(next_takes_nul_as_a_byte)
{
	open_file(folder_write("nul", "a\0b\n\0", 5), MAX_LINE);
	assert_next("a\0b", 3);
	assert_next("\0", 1);
	assert_end(2);
	line_reader_close(&reader);
}
END_TEST

/* Lines of every length around the buffer's, so that each border is crossed. */
START_TEST(next_gives_lines_longer_than_the_buffer)
{
	static const size_t lengths[] = {1,	 262142, 262143, 262144, 262145,  3,
					 524287, 524288, 524289, 0,	 1048575, 1048576};
	const char *path = folder_path("long");
	char *line = malloc(MAX_LINE);
	FILE *file = fopen(path, "wb");

	for (size_t i = 0; i < LENGTH(lengths); i++) {
		memset(line, 'a' + (int)i, lengths[i]);
		ck_assert_uint_eq(fwrite(line, 1, lengths[i], file), lengths[i]);
		fputc('\n', file);
	}
	fclose(file);
	open_file(path, MAX_LINE);
	for (size_t i = 0; i < LENGTH(lengths); i++) {
		memset(line, 'a' + (int)i, lengths[i]);
		assert_next(line, lengths[i]);
	}
	assert_end(LENGTH(lengths));
	line_reader_close(&reader);
	free(line);
}
END_TEST

START_TEST(next_refuses_a_line_over_the_limit)
{
	static const char *const files[] = {"12345\n", "12345", "1234\n12345\n"};

	for (size_t i = 0; i < LENGTH(files); i++) {
		open_file(folder_write("limit", files[i], strlen(files[i])), 4);
		if (i == 2)
			assert_next("1234", 4);
		assert_fault(STATUS_TOO_LARGE, "the line is longer than 4 bytes");
		ck_assert_uint_eq(reader.n_lines, i == 2 ? 2 : 1);
		line_reader_close(&reader);
	}
}
END_TEST

START_TEST(next_refuses_an_endless_line_without_reading_it)
{
	char *bytes = calloc(1, 3 * MAX_LINE);

	open_file(folder_write("endless", bytes, 3 * MAX_LINE), 1000);
	assert_fault(STATUS_TOO_LARGE, "the line is longer than 1000 bytes");
	ck_assert_uint_lt(reader.capacity, MAX_LINE);
	line_reader_close(&reader);
	free(bytes);
}
END_TEST

/* ---- gzip ---- */

START_TEST(gzip_gives_the_same_lines_and_digest)
{
	static const char bytes[] = "one\ntwo\nthree";
	const char *paths[] = {folder_write("plain", bytes, sizeof(bytes) - 1),
			       gzip("packed", "wb", bytes, sizeof(bytes) - 1)};
	char hex[2][DIGEST_HEX_LEN + 1];

	for (size_t i = 0; i < 2; i++) {
		open_file(paths[i], MAX_LINE);
		assert_next("one", 3);
		assert_next("two", 3);
		assert_next("three", 5);
		assert_end(3);
		digest_hex(&reader.digest, hex[i]);
		line_reader_close(&reader);
	}
	ck_assert_str_eq(hex[0], hex[1]);
	ck_assert_str_eq(hex[0],
			 "058053d87c818d699cde0f00d670bca0e1c6ad857caa9758ea6a556d7c64fcee");
}
END_TEST

START_TEST(gzip_may_have_several_members)
{
	gzip("members", "wb", "one\ntw", 6);
	open_file(gzip("members", "ab", "o\n", 2), MAX_LINE);
	assert_next("one", 3);
	assert_next("two", 3);
	assert_end(2);
	line_reader_close(&reader);
}
END_TEST

/* Cut anywhere, a gzip file is never taken for a whole one. */
START_TEST(gzip_cut_short_is_refused)
{
	static const char bytes[] = "one\ntwo\nthree\nfour\n";
	size_t len;
	char *packed = folder_read(gzip("whole", "wb", bytes, sizeof(bytes) - 1), &len);

	for (size_t n = 2; n < len; n++) {
		struct text line;
		enum status status;
		struct err err;

		open_file(folder_write("cut", packed, n), MAX_LINE);
		do {
			status = line_reader_next(&reader, &line, &err);
		} while (status == STATUS_OK && line.bytes != NULL);
		ck_assert_msg(status == STATUS_BAD_FILE, "cut to %zu: %s", n, status_code(status));
		ck_assert_str_eq(err.msg, "the gzip data is cut short");
		line_reader_close(&reader);
	}
	free(packed);
}
END_TEST

START_TEST(gzip_that_is_damaged_is_refused)
{
	static const char bytes[] = "one\ntwo\nthree\nfour\n";
	size_t len;
	char *packed = folder_read(gzip("sound", "wb", bytes, sizeof(bytes) - 1), &len);
	struct text line;
	enum status status;
	struct err err;

	packed[len - 6] ^= 1; /* of the checksum */
	open_file(folder_write("damaged", packed, len), MAX_LINE);
	do {
		status = line_reader_next(&reader, &line, &err);
	} while (status == STATUS_OK && line.bytes != NULL);
	ck_assert_int_eq(status, STATUS_BAD_FILE);
	ck_assert_str_eq(err.msg, "the gzip data is damaged");
	line_reader_close(&reader);
	free(packed);
}
END_TEST

/* ---- line_reader_open ---- */

START_TEST(open_refuses_a_missing_file)
{
	struct err err;

	ck_assert_int_eq(line_reader_open(&reader, folder_path("missing"), MAX_LINE, &err),
			 STATUS_IO);
	ck_assert_str_eq(err.msg, "cannot open: No such file or directory");
}
END_TEST

START_TEST(next_refuses_a_folder)
{
	const char *path = folder_path("folder");

	ck_assert_int_eq(mkdir(path, 0700), 0);
	open_file(path, MAX_LINE);
	assert_fault(STATUS_IO, "cannot read: Is a directory");
	line_reader_close(&reader);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("line_reader");
	TCase *next = tcase_create("next");
	TCase *packed = tcase_create("gzip");

	tcase_add_checked_fixture(next, folder_make, folder_remove);
	tcase_add_test(next, next_gives_lines_with_and_without_a_last_newline);
	tcase_add_test(next, next_takes_nul_as_a_byte);
	tcase_add_test(next, next_gives_lines_longer_than_the_buffer);
	tcase_add_test(next, next_refuses_a_line_over_the_limit);
	tcase_add_test(next, next_refuses_an_endless_line_without_reading_it);
	tcase_add_test(next, open_refuses_a_missing_file);
	tcase_add_test(next, next_refuses_a_folder);
	suite_add_tcase(suite, next);
	tcase_add_checked_fixture(packed, folder_make, folder_remove);
	tcase_add_test(packed, gzip_gives_the_same_lines_and_digest);
	tcase_add_test(packed, gzip_may_have_several_members);
	tcase_add_test(packed, gzip_cut_short_is_refused);
	tcase_add_test(packed, gzip_that_is_damaged_is_refused);
	suite_add_tcase(suite, packed);
	return unit_run(suite);
}
