/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/data/features_file.h"
#include "core/encode/template.h"
#include "tests/unit/core/features_fixture.h"
#include "tests/unit/core/folder_fixture.h"
#include "tests/unit/unit.h"

/* Two pairs of two numbers: chosen 0-15, rejected 16-31, prompt 32-47, user and context behind. */
#define ROWS(name, begin, end)                                                                     \
	"\"" name "\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[" begin "," end "]}"
#define VECTORS                                                                                    \
	ROWS("chosen", "0", "16") "," ROWS("rejected", "16", "32") "," ROWS("prompt", "32", "48")
#define IDS(name, begin, end)                                                                      \
	"\"" name "\":{\"dtype\":\"I32\",\"shape\":[2],\"data_offsets\":[" begin "," end "]}"
#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ORIGIN_BUT_FORMAT                                                                          \
	"\"encoder\":\"none:2\",\"encoder.fingerprint\":\"AAAAAAAAAAA=\","                         \
	"\"template.phi\":\"{response}\",\"template.psi\":\"{prompt}\",\"source.sha256\":\"" SHA   \
	"\""
#define ORIGIN	      "\"format\":\"micro-features/1\"," ORIGIN_BUT_FORMAT
#define META(entries) "\"__metadata__\":{" entries "},"

static struct encoder *encoder;
static struct dataset dataset;
static const float vectors[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static void setup(void)
{
	folder_make();
	ck_assert_int_eq(encoder_open("none:2", &encoder, NULL), STATUS_OK);
	dataset = (struct dataset){0};
}

static void teardown(void)
{
	dataset_free(&dataset);
	encoder_close(encoder);
	folder_remove();
}

/* A file of that header, the vectors and these ids. */
static const char *write_file(const char *header, const int32_t *ids, size_t n_ids)
{
	unsigned char data[sizeof(vectors) + 16];

	memcpy(data, vectors, sizeof(vectors));
	memcpy(data + sizeof(vectors), ids, n_ids * sizeof(*ids));
	return features_file("f.safetensors", header, data, sizeof(vectors) + 4 * n_ids);
}

static enum status read_file(const char *path, struct err *err)
{
	return dataset_read(path, encoder, TEMPLATE_DEFAULT_PHI, TEMPLATE_DEFAULT_PSI, &dataset,
			    err);
}

static void assert_row(const struct features *f, uint32_t row, const float *expected)
{
	float out[2];

	ck_assert_int_eq(features_gather(f, &row, 1, out, NULL), STATUS_OK);
	ck_assert_mem_eq(out, expected, sizeof(out));
}

START_TEST(a_pair_is_the_rows_of_the_three_tensors)
{
	const int32_t ids[] = {0, -1, 1, 0};
	const char *path = write_file(
	    "{" META(ORIGIN
		     ",\"users\":\"[\\\"ann\\\"]\",\"contexts\":\"[\\\"a\\\", \\\"\\u00e9\\\"]\"")
		VECTORS "," IDS("user", "48", "56") "," IDS("context", "56", "64") "}",
	    ids, 4);
	struct err err;

	ck_assert(features_file_is(path));
	ck_assert_msg(read_file(path, &err) == STATUS_OK, "%s", err.msg);
	ck_assert_uint_eq(dataset.n_pairs, 2);
	ck_assert_str_eq(dataset.sha256, SHA);
	ck_assert_str_eq(dataset.dtype, "F32");
	assert_row(&dataset.phi, dataset.chosen[1], vectors + 2);
	assert_row(&dataset.phi, dataset.rejected[0], vectors + 4);
	assert_row(&dataset.psi, dataset.prompt[1], vectors + 10);
	ck_assert_uint_eq(dataset.n_users, 1);
	ck_assert_str_eq(dataset.user_names[0], "ann");
	ck_assert_uint_eq(dataset.user[0], 0);
	ck_assert_uint_eq(dataset.user[1], DATASET_NONE);
	ck_assert_str_eq(dataset.context_names[1], "é");
	ck_assert_uint_eq(dataset.context[0], 1);
}
END_TEST

START_TEST(without_our_metadata_names_are_the_numbers)
{
	const int32_t ids[] = {2000000000, 5};
	struct features_origin origin;
	const char *path = write_file(
	    "{" META("\"format\":\"pt\"") VECTORS "," IDS("user", "48", "56") "}", ids, 2);

	ck_assert_int_eq(read_file(path, NULL), STATUS_OK);
	ck_assert_uint_eq(dataset.n_users, 2);
	ck_assert_str_eq(dataset.user_names[0], "5");
	ck_assert_str_eq(dataset.user_names[1], "2000000000");
	ck_assert_uint_eq(dataset.user[0], 1);
	ck_assert_uint_eq(dataset.n_contexts, 0);
	ck_assert_uint_eq(dataset.context[1], DATASET_NONE);
	ck_assert_uint_eq(strlen(dataset.sha256), DIGEST_HEX_LEN);
	ck_assert_int_eq(features_file_origin(path, &origin, NULL), STATUS_OK);
	ck_assert_str_eq(origin.encoder, "none:2");
	ck_assert_ptr_null(origin.template_phi);
	features_origin_free(&origin);
}
END_TEST

#define ONE_USER(more) META(ORIGIN ",\"users\":" more) VECTORS "," IDS("user", "48", "56")

static const struct {
	const char *header, *message;
	int32_t ids[2];
	bool no_ids;
} refused[] = {
    {"{" ROWS("chosen", "0", "16") "," ROWS("prompt", "16", "48") "}",
     "prompt: 32 bytes of data do not fit dtype F32, shape [2, 2]",
     {0},
     true},
    {"{" ROWS("chosen", "0", "16") "," ROWS("rejected", "16", "32") "," ROWS("other", "32",
									     "48") "}",
     "prompt: missing, want F32, F16 or BF16 [pairs, dimension]",
     {0},
     true},
    {"{\"chosen\":{\"dtype\":\"I32\",\"shape\":[2,2],\"data_offsets\":[0,16]}," ROWS(
	 "rejected", "16", "32") "," ROWS("prompt", "32", "48") "}",
     "chosen: dtype I32, want F32, F16 or BF16",
     {0},
     true},
    {"{\"chosen\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}," ROWS(
	 "rejected", "16", "32") "," ROWS("prompt", "32", "48") "}",
     "chosen: shape [4], want [pairs, dimension]",
     {0},
     true},
    {"{" ROWS("chosen", "0", "16") ",\"rejected\":{\"dtype\":\"F32\",\"shape\":[1,4],"
				   "\"data_offsets\":[16,32]}," ROWS("prompt", "32", "48") "}",
     "rejected: F32 [1, 4], want F32 [2, 2] as chosen has",
     {0},
     true},
    {"{" ROWS("chosen", "0", "16") "," ROWS("rejected", "16",
					    "32") ",\"prompt\":{\"dtype\":\"F16\","
						  "\"shape\":[2,4],\"data_offsets\":[32,48]}}",
     "prompt: F16 [2, 4], want F32 [2, 2] as chosen has",
     {0},
     true},
    {"{\"chosen\":{\"dtype\":\"F16\",\"shape\":[2,4],\"data_offsets\":[0,16]},\"rejected\":{"
     "\"dtype\":"
     "\"F16\",\"shape\":[2,4],\"data_offsets\":[16,32]},\"prompt\":{\"dtype\":\"F16\",\"shape\":[2,"
     "4],"
     "\"data_offsets\":[32,48]}}",
     "chosen: vectors of 4 numbers, want 2 as the encoder none:2 has",
     {0},
     true},
    {"{" VECTORS "," ROWS("gap", "64", "80") "}",
     "gap: data_offsets [64, 80], want 0 <= begin <= end <= 48",
     {0},
     true},
    {"{" META("\"format\":\"micro-features/2\"") VECTORS "}",
     "format: micro-features/2, want micro-features/1",
     {0},
     true},
    {"{" META("\"format\":\"micro-features/1\"") VECTORS "}",
     "__metadata__: encoder is missing",
     {0},
     true},
    {"{" META("\"format\":\"micro-features/1\",\"encoder\":\"none:3\",\"encoder.fingerprint\":\"\","
	      "\"template.phi\":\"\",\"template.psi\":\"\",\"source.sha256\":\"\"") VECTORS "}",
     "encoder: the features were made with none:3, want none:2: make them anew from the texts",
     {0},
     true},
    {"{" META(
	 "\"format\":\"micro-features/1\",\"encoder\":\"none:2\",\"encoder.fingerprint\":\"AAAA\","
	 "\"template.phi\":\"\",\"template.psi\":\"\",\"source.sha256\":\"\"") VECTORS "}",
     "encoder.fingerprint: ",
     {0},
     true},
    {"{" META(
	 "\"format\":\"micro-features/1\",\"encoder\":\"none:2\",\"encoder.fingerprint\":"
	 "\"AAAAAAAAAAA=\",\"template.phi\":\"\",\"template.psi\":\"\",\"source.sha256\":\"12\"")
	 VECTORS "}",
     "source.sha256: want 64 lower-case hexadecimal digits",
     {0},
     true},
    {"{" META(ORIGIN) VECTORS "," IDS("user", "48", "56") "}",
     "__metadata__: users is missing, the names of user",
     {0},
     false},
    {"{" ONE_USER("\"[\\\"a\\\"]\"") "}", "user: pair 2: 1, want -1 (none) to 0", {0, 1}, false},
    {"{" ONE_USER("\"[\\\"a\\\"]\"") "}", "user: pair 1: -2, want -1 (none) to 0", {-2, 0}, false},
    {"{" VECTORS "," IDS("user", "48", "56") "}",
     "user: pair 2: -7, want -1 (none) to 2147483647",
     {0, -7},
     false},
    {"{" ONE_USER("\"[\\\"a\\\",\\\"b\\\"]\"") "}",
     "user: no pair has name 1 of users",
     {0, 0},
     false},
    {"{" ONE_USER("\"[\\\"a\\\",\\\"a\\\"]\"") "}",
     "users: name 1 is the same as name 0",
     {0, 1},
     false},
    {"{" ONE_USER("\"[\\\"a\\\",7]\"") "}", "users: name 1 is no string or empty", {0, 1}, false},
    {"{" ONE_USER("\"[\\\"\\\"]\"") "}", "users: name 0 is no string or empty", {0, 0}, false},
    {"{" ONE_USER("\"{}\"") "}", "users: want a JSON array of strings", {0, 0}, false},
    {"{" ONE_USER("\"[\\\"a\\\"\"") "}", "users: after name 0: want ',' or ']'", {0, 0}, false},
    {"{" ONE_USER("\"[\\\"a\\\",]\"") "}", "users: after name 0: want ',' or ']'", {0, 0}, false},
    {"{" ONE_USER("\"[\\\"a\\\"] x\"") "}", "users: text after the array", {0, 0}, false},
    {"{" ONE_USER("\"[\\\"a\"") "}", "users: name 0: ", {0, 0}, false},
    {"{" ONE_USER("\"[\\\"\xff\\\"]\"") "}", "header: line 1, column", {0, 0}, false},
    {"{" VECTORS ",\"user\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[48,56]}}",
     "user: dtype I64, want I32",
     {0},
     false},
    {"{" VECTORS ",\"context\":{\"dtype\":\"I32\",\"shape\":[2,1],\"data_offsets\":[48,56]}}",
     "context: shape [2, 1], want [2], one number a pair",
     {0},
     false},
};

START_TEST(read_refuses_and_names_what_was_expected)
{
	const char *path =
	    write_file(refused[_i].header, refused[_i].ids, refused[_i].no_ids ? 0 : 2);
	struct err err = {.msg = ""};
	enum status status = read_file(path, &err);

	ck_assert_int_ne(status, STATUS_OK);
	ck_assert_int_eq(status, err.code);
	ck_assert_msg(strncmp(err.msg, path, strlen(path)) == 0, "%s", err.msg);
	ck_assert_msg(strstr(err.msg, refused[_i].message) == err.msg + strlen(path) + 2,
		      "got  %s\nwant %s", err.msg, refused[_i].message);
}
END_TEST

START_TEST(a_cut_file_is_refused_at_any_length)
{
	const int32_t ids[] = {0, 0};
	size_t len;
	char *bytes = folder_read(write_file("{" ONE_USER("\"[\\\"a\\\"]\"") "}", ids, 2), &len);

	for (size_t cut = 9; cut < len; cut++) {
		const char *path = folder_write("cut", bytes, cut);

		ck_assert(features_file_is(path));
		ck_assert_int_eq(read_file(path, NULL), STATUS_BAD_FILE);
	}
	free(bytes);
}
END_TEST

START_TEST(texts_need_the_metadata)
{
	struct err err;
	const char *path = write_file("{" VECTORS "}", &(int32_t){0}, 0);

	encoder_close(encoder);
	ck_assert_int_eq(encoder_open("hash:2", &encoder, NULL), STATUS_OK);
	ck_assert_int_eq(read_file(path, &err), STATUS_ENCODER_MISMATCH);
	ck_assert_ptr_nonnull(strstr(err.msg, "no __metadata__ says which encoder"));
}
END_TEST

static const struct {
	const char *bytes;
	size_t len;
} others[] = {
    {"{\"prompt\":\"x\",\"chosen\":\"a\",\"rejected\":\"b\"}", 42},
    {"\x1f\x8b\x08\0\0\0\0\0\0\x03{", 11},
    {"\x02\0\0\0\0\0\0\0[]", 10},
    {"\x02\0\0\0\0\0\0\0", 8},
    {"\0\0\0\0\0\0\0\x01{}", 10},
};

START_TEST(other_files_are_none)
{
	ck_assert(!features_file_is(folder_write("f", others[_i].bytes, others[_i].len)));
	ck_assert(!features_file_is(folder_path("not there")));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("features_file");
	TCase *tcase = tcase_create("features_file");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_pair_is_the_rows_of_the_three_tensors);
	tcase_add_test(tcase, without_our_metadata_names_are_the_numbers);
	tcase_add_loop_test(tcase, read_refuses_and_names_what_was_expected, 0, LENGTH(refused));
	tcase_add_test(tcase, a_cut_file_is_refused_at_any_length);
	tcase_add_test(tcase, texts_need_the_metadata);
	tcase_add_loop_test(tcase, other_files_are_none, 0, LENGTH(others));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
