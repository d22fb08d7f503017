/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/model/safetensors.h"
#include "tests/unit/core/folder_fixture.h"
#include "tests/unit/unit.h"

#define MAX_FILE 4096

/* A file in memory, starting at an odd address: nothing may rely on alignment. */
static struct image {
	_Alignas(8) unsigned char padding;
	unsigned char bytes[MAX_FILE];
	size_t len;
} image;

/* Header text and data; data NULL: n_data bytes that count up. */
static void make_image(const char *header, const void *data, size_t n_data)
{
	uint64_t header_len = strlen(header);

	ck_assert_uint_le(8 + header_len + n_data, MAX_FILE);
	memcpy(image.bytes, &header_len, 8);
	memcpy(image.bytes + 8, header, header_len);
	for (size_t i = 0; i < n_data; i++)
		image.bytes[8 + header_len + i] =
		    data == NULL ? (unsigned char)i : ((const unsigned char *)data)[i];
	image.len = 8 + header_len + n_data;
}

static struct safetensors *parse(const char *header, const void *data, size_t n_data)
{
	struct safetensors *file = NULL;
	struct err err = {.msg = ""};

	make_image(header, data, n_data);
	ck_assert_msg(safetensors_parse(image.bytes, image.len, &file, &err) == STATUS_OK, "%s: %s",
		      header, err.msg);
	return file;
}

static void assert_refused(size_t i, const char *want)
{
	struct safetensors *file = NULL;
	enum status status;
	struct err err = {.msg = ""};
	/* of exactly its length, so that a sanitizer sees a read past the end */
	unsigned char *copy = malloc(image.len + 1);

	memcpy(copy + 1, image.bytes, image.len);
	status = safetensors_parse(copy + 1, image.len, &file, &err);
	ck_assert_msg(status == STATUS_BAD_FILE, "case %zu: %s", i, status_code(status));
	ck_assert_msg(strcmp(err.msg, want) == 0, "case %zu: \"%s\", want \"%s\"", i, err.msg,
		      want);
	free(copy);
}

/* ---- safetensors_parse: what is right ---- */

START_TEST(parse_finds_tensors_by_offset_and_name)
{
	struct safetensors *file =
	    parse("{\"b\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[4,28]},"
		  "\"a\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[0,4]},"
		  "\"__metadata__\":{\"z\":\"last\",\"format\":\"micro/1\"}}",
		  NULL, 28);
	const struct tensor *b = safetensors_find(file, "b");

	ck_assert_uint_eq(safetensors_count(file), 2);
	ck_assert_str_eq(safetensors_at(file, 0)->name, "a");
	ck_assert_int_eq(safetensors_at(file, 0)->dtype, DTYPE_I32);
	ck_assert_ptr_eq(safetensors_at(file, 1), b);
	ck_assert_int_eq(b->dtype, DTYPE_F32);
	ck_assert_str_eq(b->dtype_name, "F32");
	ck_assert_uint_eq(b->rank, 2);
	ck_assert_uint_eq(b->shape[0], 2);
	ck_assert_uint_eq(b->shape[1], 3);
	ck_assert_uint_eq(b->n_elements, 6);
	ck_assert_uint_eq(b->data[0], 4);
	ck_assert_ptr_null(safetensors_find(file, "__metadata__"));
	ck_assert_ptr_null(safetensors_find(file, "c"));
	safetensors_close(file);
}
END_TEST

START_TEST(parse_orders_metadata_by_key)
{
	struct safetensors *file =
	    parse("{\"__metadata__\":{\"z\":\"last\",\"format\":\"micro/1\",\"\":\"\"}}", NULL, 0);
	const char *const want[][2] = {{"", ""}, {"format", "micro/1"}, {"z", "last"}};

	ck_assert_uint_eq(safetensors_metadata_count(file), 3);
	for (size_t i = 0; i < 3; i++) {
		const char *key, *value;

		safetensors_metadata_at(file, i, &key, &value);
		ck_assert_str_eq(key, want[i][0]);
		ck_assert_str_eq(value, want[i][1]);
	}
	ck_assert_str_eq(safetensors_metadata(file, "z"), "last");
	ck_assert_ptr_null(safetensors_metadata(file, "y"));
	safetensors_close(file);
}
END_TEST

START_TEST(parse_accepts_a_file_without_tensors_or_metadata)
{
	struct safetensors *file = parse("{}      ", NULL, 0);

	ck_assert_uint_eq(safetensors_count(file), 0);
	ck_assert_uint_eq(safetensors_metadata_count(file), 0);
	ck_assert_ptr_null(safetensors_metadata(file, "format"));
	safetensors_close(file);
}
END_TEST

START_TEST(parse_accepts_scalars_and_empty_tensors)
{
	struct safetensors *file =
	    parse("{\"full\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
		  "\"first\":{\"dtype\":\"F32\",\"shape\":[0,5],\"data_offsets\":[0,0]},"
		  "\"last\":{\"dtype\":\"F32\",\"shape\":[5,0],\"data_offsets\":[4,4]}}",
		  NULL, 4);

	ck_assert_str_eq(safetensors_at(file, 0)->name, "first");
	ck_assert_uint_eq(safetensors_at(file, 0)->n_elements, 0);
	ck_assert_uint_eq(safetensors_find(file, "full")->rank, 0);
	ck_assert_uint_eq(safetensors_find(file, "full")->n_elements, 1);
	ck_assert_str_eq(safetensors_at(file, 2)->name, "last");
	safetensors_close(file);
}
END_TEST

START_TEST(parse_knows_the_size_of_every_dtype)
{
	static const struct {
		const char *name;
		size_t n_bytes; /* of 8 numbers */
		enum dtype dtype;
	} cases[] = {
	    {"F32", 32, DTYPE_F32},	 {"F16", 16, DTYPE_F16},      {"BF16", 16, DTYPE_BF16},
	    {"I32", 32, DTYPE_I32},	 {"BOOL", 8, DTYPE_OTHER},    {"U8", 8, DTYPE_OTHER},
	    {"I8", 8, DTYPE_OTHER},	 {"I16", 16, DTYPE_OTHER},    {"U16", 16, DTYPE_OTHER},
	    {"U32", 32, DTYPE_OTHER},	 {"I64", 64, DTYPE_OTHER},    {"U64", 64, DTYPE_OTHER},
	    {"F64", 64, DTYPE_OTHER},	 {"C64", 64, DTYPE_OTHER},    {"F8_E4M3", 8, DTYPE_OTHER},
	    {"F8_E5M2", 8, DTYPE_OTHER}, {"F8_E8M0", 8, DTYPE_OTHER}, {"F6_E2M3", 6, DTYPE_OTHER},
	    {"F6_E3M2", 6, DTYPE_OTHER}, {"F4", 4, DTYPE_OTHER},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct safetensors *file;
		char header[128];

		snprintf(header, sizeof(header),
			 "{\"x\":{\"dtype\":\"%s\",\"shape\":[8],\"data_offsets\":[0,%zu]}}",
			 cases[i].name, cases[i].n_bytes);
		file = parse(header, NULL, cases[i].n_bytes);
		ck_assert_msg(safetensors_at(file, 0)->dtype == cases[i].dtype, "%s",
			      cases[i].name);
		ck_assert_str_eq(safetensors_at(file, 0)->dtype_name, cases[i].name);
		safetensors_close(file);
	}
}
END_TEST

/* ---- safetensors_parse: what is refused ---- */

START_TEST(parse_refuses_bad_lengths)
{
	static const struct {
		size_t len;
		uint64_t header_len;
		char first; /* of the header */
		const char *want;
	} cases[] = {
	    {0, 0, ' ', "0 bytes, too short for a safetensors file: want at least 8"},
	    {7, 0, ' ', "7 bytes, too short for a safetensors file: want at least 8"},
	    {8, 0, ' ', "header does not begin with '{'"},
	    {8, 2, ' ', "header of 2 bytes, but only 0 follow: truncated file"},
	    {12, 5, ' ', "header of 5 bytes, but only 4 follow: truncated file"},
	    {12, 100000001, '{', "header of 100000001 bytes, want at most 100000000"},
	    {8, UINT64_MAX, ' ', "header of 18446744073709551615 bytes, want at most 100000000"},
	    {12, UINT64_MAX, ' ',
	     "not a safetensors file, which begins with the length of its header and '{'"},
	    {12, 4, ' ', "header does not begin with '{'"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		memset(image.bytes, ' ', sizeof(image.bytes));
		memcpy(image.bytes, &cases[i].header_len, 8);
		image.bytes[8] = cases[i].first;
		image.len = cases[i].len;
		assert_refused(i, cases[i].want);
	}
}
END_TEST

/* An entry of the header of n_data bytes. */
#define X(dtype, shape, offsets)                                                                   \
	"{\"x\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

START_TEST(parse_refuses_bad_headers)
{
	static const struct {
		const char *header;
		size_t n_data;
		const char *want;
	} cases[] = {
	    /* JSON */
	    {"[]", 0, "header does not begin with '{'"},
	    {" {}", 0, "header does not begin with '{'"},
	    {"{", 0,
	     "header: line 1, column 1: the text ends here, want a field's name in quotes or '}'"},
	    {"{}{", 0, "header: line 1, column 3: got '{', want the end of the text"},
	    {"{\"a\":\"\xff\"}", 0,
	     "header: line 1, column 7: a string has bytes that are not UTF-8, want UTF-8 "
	     "throughout"},
	    {"{\"a\":1,\"a\":1}", 0,
	     "header: line 1, column 8: duplicate field \"a\", want each name once in an object"},
	    {"{\"a\\u0000\":1}", 0,
	     "header: line 1, column 4: a string has the character U+0000, want none"},
	    /* metadata */
	    {"{\"__metadata__\":[]}", 0, "__metadata__: not an object"},
	    {"{\"__metadata__\":{\"a\":1}}", 0, "__metadata__: a: not a string"},
	    /* tensors */
	    {"{\"x\":1}", 0, "x: not an object"},
	    {"{\"x\":{}}", 0, "x: dtype is missing or not a string"},
	    {X("7", "[1]", "[0,4]"), 4, "x: dtype is missing or not a string"},
	    {X("\"F31\"", "[1]", "[0,4]"), 4, "x: unknown dtype \"F31\""},
	    {X("\"F32\"", "1", "[0,4]"), 4, "x: shape is missing or not an array"},
	    {"{\"x\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4,
	     "x: shape is missing or not an array"},
	    {X("\"F32\"", "[1,-1]", "[0,4]"), 4, "x: shape[1] is not a non-negative integer"},
	    {X("\"F32\"", "[1.0]", "[0,4]"), 4, "x: shape[0] is not a non-negative integer"},
	    {X("\"F32\"", "[\"1\"]", "[0,4]"), 4, "x: shape[0] is not a non-negative integer"},
	    {X("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4,
	     "x: shape has 9 dimensions, want at most 8"},
	    {X("\"F32\"", "[4294967296,4294967296]", "[0,4]"), 4, "x: shape is too large"},
	    {X("\"F32\"", "[4294967296,4294967296,0]", "[0,0]"), 0, "x: shape is too large"},
	    {X("\"F64\"", "[4611686018427387904]", "[0,0]"), 0,
	     "x: 0 bytes of data do not fit dtype F64, shape [4611686018427387904]"},
	    {X("\"F32\"", "[2,3]", "[0,20]"), 20,
	     "x: 20 bytes of data do not fit dtype F32, shape [2, 3]"},
	    {X("\"F4\"", "[3]", "[0,1]"), 1, "x: 1 bytes of data do not fit dtype F4, shape [3]"},
	    {X("\"F32\"", "[]", "[0,0]"), 0, "x: 0 bytes of data do not fit dtype F32, shape []"},
	    /* offsets */
	    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "x: data_offsets is not two integers"},
	    {X("\"F32\"", "[1]", "[0]"), 4, "x: data_offsets is not two integers"},
	    {X("\"F32\"", "[1]", "[0,4,8]"), 4, "x: data_offsets is not two integers"},
	    {X("\"F32\"", "[1]", "[0,4.0]"), 4, "x: data_offsets is not two integers"},
	    {X("\"F32\"", "[1]", "[-4,0]"), 4,
	     "x: data_offsets [-4, 0], want 0 <= begin <= end <= 4"},
	    {X("\"F32\"", "[1]", "[4,0]"), 4,
	     "x: data_offsets [4, 0], want 0 <= begin <= end <= 4"},
	    {X("\"F32\"", "[1]", "[0,4]"), 3,
	     "x: data_offsets [0, 4], want 0 <= begin <= end <= 3"},
	    {X("\"F32\"", "[1]", "[9223372036854775803,9223372036854775807]"), 4,
	     "x: data_offsets [9223372036854775803, 9223372036854775807], want 0 <= begin <= end "
	     "<= 4"},
	    {X("\"F32\"", "[1]", "[0,99999999999999999999]"), 4,
	     "x: data_offsets is not two integers"},
	    {X("\"F32\"", "[1]", "[4,8]"), 8, "x: data begins at byte 4, want 0 (gap)"},
	    {X("\"F32\"", "[1]", "[0,4]"), 5, "5 bytes of data, but the tensors end at 4"},
	    {"{}", 1, "1 bytes of data, but the tensors end at 0"},
	    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
	     "\"y\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[3,7]}}",
	     7, "y: data begins at byte 3, want 4 (overlap)"},
	    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
	     "\"y\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}",
	     4, "y: data begins at byte 0, want 4 (overlap)"},
	    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
	     "\"y\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[5,7]}}",
	     7, "y: data begins at byte 5, want 4 (gap)"},
	    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
	     "\"y\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[2,2]}}",
	     4, "y: data begins at byte 2, want 4 (overlap)"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		make_image(cases[i].header, NULL, cases[i].n_data);
		assert_refused(i, cases[i].want);
	}
}
END_TEST

START_TEST(parse_refuses_every_truncation)
{
	struct safetensors *file;
	size_t len;

	make_image(X("\"F32\"", "[2]", "[0,8]"), NULL, 8);
	len = image.len;
	for (image.len = 0; image.len < len; image.len++)
		ck_assert_msg(safetensors_parse(image.bytes, image.len, &file, NULL) ==
				  STATUS_BAD_FILE,
			      "%zu of %zu bytes", image.len, len);
}
END_TEST

/* ---- safetensors_open ---- */

START_TEST(open_maps_a_file)
{
	struct safetensors *file;
	const char *path;

	make_image(X("\"U8\"", "[3]", "[0,3]"), "abc", 3);
	path = folder_write("x.safetensors", image.bytes, image.len);
	ck_assert(safetensors_open(path, &file, NULL) == STATUS_OK);
	ck_assert_mem_eq(safetensors_find(file, "x")->data, "abc", 3);
	safetensors_close(file);
}
END_TEST

START_TEST(open_refuses_what_is_no_regular_file)
{
	struct safetensors *file;
	struct err err;

	ck_assert(safetensors_open(folder_path("none"), &file, &err) == STATUS_IO);
	ck_assert_str_eq(err.msg, "open: No such file or directory");
	ck_assert(safetensors_open(folder_path("."), &file, &err) == STATUS_BAD_FILE);
	ck_assert_str_eq(err.msg, "not a regular file");
	ck_assert_int_eq(mkfifo(folder_path("fifo"), 0600), 0);
	ck_assert(safetensors_open(folder_path("fifo"), &file, &err) == STATUS_BAD_FILE);
	ck_assert_str_eq(err.msg, "not a regular file");
	ck_assert(safetensors_open(folder_write("empty", "", 0), &file, &err) == STATUS_BAD_FILE);
	ck_assert_str_eq(err.msg, "empty file");
	ck_assert(safetensors_open(folder_write("text", "hello, world", 12), &file, &err) ==
		  STATUS_BAD_FILE);
	safetensors_close(NULL);
}
END_TEST

/* ---- tensor_floats ---- */

static enum status read_floats(const char *dtype, const void *data, size_t n, size_t n_bytes,
			       float *out, struct err *err)
{
	struct safetensors *file;
	enum status status;
	char header[128];

	snprintf(header, sizeof(header),
		 "{\"x\":{\"dtype\":\"%s\",\"shape\":[%zu],\"data_offsets\":[0,%zu]}}", dtype, n,
		 n_bytes);
	file = parse(header, data, n_bytes);
	status = tensor_floats(safetensors_at(file, 0), out, err);
	safetensors_close(file);
	return status;
}

START_TEST(floats_of_halves_are_exact)
{
	static const struct {
		uint16_t bits;
		float want;
	} cases[] = {
	    {0x0000, 0},	  {0x8000, -0.0f},	 {0x0001, 0x1p-24f}, {0x8001, -0x1p-24f},
	    {0x03ff, 0x3ffp-24f}, {0x0400, 0x1p-14f},	 {0x3c00, 1},	     {0x3c01, 1 + 0x1p-10f},
	    {0xc000, -2},	  {0x3555, 0x1.554p-2f}, {0x7bff, 65504},    {0xfbff, -65504},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		float x;

		ck_assert(read_floats("F16", &cases[i].bits, 1, 2, &x, NULL) == STATUS_OK);
		ck_assert_msg(x == cases[i].want && !signbit(x) == !signbit(cases[i].want),
			      "%04x: %a", cases[i].bits, x);
	}
}
END_TEST

START_TEST(floats_of_bfloats_are_exact)
{
	static const struct {
		uint16_t bits;
		float want;
	} cases[] = {
	    {0x0000, 0},	 {0x8000, -0.0f}, {0x0001, 0x1p-133f},	 {0x807f, -0x7fp-133f},
	    {0x0080, 0x1p-126f}, {0x3f80, 1},	  {0xc049, -0x1.92p+1f}, {0x7f7f, 0x1.fep127f},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		float x;

		ck_assert(read_floats("BF16", &cases[i].bits, 1, 2, &x, NULL) == STATUS_OK);
		ck_assert_msg(x == cases[i].want && !signbit(x) == !signbit(cases[i].want),
			      "%04x: %a", cases[i].bits, x);
	}
}
END_TEST

START_TEST(floats_of_floats_are_copied)
{
	const float data[] = {0, -1.5f, FLT_MAX, FLT_TRUE_MIN};
	float x[4];

	ck_assert(read_floats("F32", data, 4, sizeof(data), x, NULL) == STATUS_OK);
	ck_assert_mem_eq(x, data, sizeof(data));
}
END_TEST

START_TEST(floats_refuse_numbers_that_are_not_finite)
{
	static const struct {
		const char *dtype;
		size_t size;
		uint32_t bits;
	} cases[] = {
	    {"F32", 4, 0x7f800000}, {"F32", 4, 0xff800000}, {"F32", 4, 0x7fc00001},
	    {"F16", 2, 0x7c00},	    {"F16", 2, 0xfc00},	    {"F16", 2, 0x7e00},
	    {"BF16", 2, 0x7f80},    {"BF16", 2, 0xff80},    {"BF16", 2, 0x7fc0},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		unsigned char data[12] = {0};
		struct err err;
		float x[3];

		memcpy(data + 2 * cases[i].size, &cases[i].bits, cases[i].size);
		ck_assert(read_floats(cases[i].dtype, data, 3, 3 * cases[i].size, x, &err) ==
			  STATUS_BAD_FILE);
		ck_assert_str_eq(err.msg, "x: number 2 is not finite");
	}
}
END_TEST

START_TEST(floats_refuse_other_dtypes)
{
	const unsigned char data[8] = {0};
	struct err err;
	float x;

	ck_assert(read_floats("I32", data, 1, 4, &x, &err) == STATUS_BAD_FILE);
	ck_assert_str_eq(err.msg, "x: dtype I32, want F32, F16 or BF16");
	ck_assert(read_floats("F64", data, 1, 8, &x, &err) == STATUS_BAD_FILE);
	ck_assert_str_eq(err.msg, "x: dtype F64, want F32, F16 or BF16");
}
END_TEST

START_TEST(shape_text_has_room_for_the_longest)
{
	const size_t shape[SAFETENSORS_MAX_RANK] = {SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX,
						    SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX};
	char text[TENSOR_SHAPE_TEXT];

	tensor_shape_text(shape, SAFETENSORS_MAX_RANK, text);
	ck_assert_uint_eq(strlen(text), 8 * 20 + 7 * 2 + 2);
	tensor_shape_text(shape, 0, text);
	ck_assert_str_eq(text, "[]");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("safetensors");
	TCase *parse_case = tcase_create("parse"), *open_case = tcase_create("open");
	TCase *floats = tcase_create("floats");

	tcase_add_test(parse_case, parse_finds_tensors_by_offset_and_name);
	tcase_add_test(parse_case, parse_orders_metadata_by_key);
	tcase_add_test(parse_case, parse_accepts_a_file_without_tensors_or_metadata);
	tcase_add_test(parse_case, parse_accepts_scalars_and_empty_tensors);
	tcase_add_test(parse_case, parse_knows_the_size_of_every_dtype);
	tcase_add_test(parse_case, parse_refuses_bad_lengths);
	tcase_add_test(parse_case, parse_refuses_bad_headers);
	tcase_add_test(parse_case, parse_refuses_every_truncation);
	tcase_add_checked_fixture(open_case, folder_make, folder_remove);
	tcase_add_test(open_case, open_maps_a_file);
	tcase_add_test(open_case, open_refuses_what_is_no_regular_file);
	tcase_add_test(floats, floats_of_halves_are_exact);
	tcase_add_test(floats, floats_of_bfloats_are_exact);
	tcase_add_test(floats, floats_of_floats_are_copied);
	tcase_add_test(floats, floats_refuse_numbers_that_are_not_finite);
	tcase_add_test(floats, floats_refuse_other_dtypes);
	tcase_add_test(floats, shape_text_has_room_for_the_longest);
	suite_add_tcase(suite, parse_case);
	suite_add_tcase(suite, open_case);
	suite_add_tcase(suite, floats);
	return unit_run(suite);
}
