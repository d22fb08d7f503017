/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/data/dataset.h"
#include "core/data/features_part.h"
#include "core/data/features_writer.h"
#include "core/encode/template.h"
#include "tests/unit/core/folder_fixture.h"
#include "tests/unit/unit.h"

/* 4 batches of vectors; a text is sparse */
#define N_PAIRS 1000

static struct encoder *encoder;
static struct features_recipe recipe;
static struct features_written written;
static char data[600], out[600], part[620];

static void setup(void)
{
	FILE *file;

	folder_make();
	snprintf(data, sizeof(data), "%s", folder_path("pairs.jsonl"));
	snprintf(out, sizeof(out), "%s", folder_path("f.safetensors"));
	snprintf(part, sizeof(part), "%s.part", out);
	file = fopen(data, "wb");
	ck_assert_ptr_nonnull(file);
	for (int i = 0; i < N_PAIRS; i++)
		fprintf(file,
			"%s{\"user\":\"u%d\",%s\"prompt\":\"question %d\",\"chosen\":\"yes %d\","
			"\"rejected\":\"no %d\"}\n",
			i % 100 == 7 ? "\n" : "", i / 2, i % 3 ? "\"context\":\"c\"," : "", i % 7,
			i, i);
	fclose(file);
	ck_assert_int_eq(encoder_open("hash:64", &encoder, NULL), STATUS_OK);
	recipe = (struct features_recipe){
	    data, out, encoder, TEMPLATE_DEFAULT_PHI, TEMPLATE_DEFAULT_PSI, DTYPE_F32};
}

static void teardown(void)
{
	encoder_close(encoder);
	folder_remove();
}

static enum status write_features(features_progress_fn *progress, void *context, struct err *err)
{
	return features_write(&recipe, progress, context, &written, err);
}

static void read_back(const char *path, struct dataset *dataset)
{
	struct err err;

	ck_assert_msg(dataset_read(path, encoder, TEMPLATE_DEFAULT_PHI, TEMPLATE_DEFAULT_PSI,
				   dataset, &err) == STATUS_OK,
		      "%s", err.msg);
}

static void assert_row(const struct features *got, uint32_t g, const struct features *want,
		       uint32_t w, float tolerance)
{
	float a[64], b[64];

	ck_assert_int_eq(features_gather(got, &g, 1, a, NULL), STATUS_OK);
	ck_assert_int_eq(features_gather(want, &w, 1, b, NULL), STATUS_OK);
	for (size_t j = 0; j < 64; j++)
		ck_assert(a[j] - b[j] <= tolerance && b[j] - a[j] <= tolerance);
}

static const struct {
	enum dtype dtype;
	float tolerance;
} dtypes[] = {{DTYPE_F32, 0}, {DTYPE_F16, 0x1p-11f}, {DTYPE_BF16, 0x1p-8f}};

START_TEST(the_file_holds_what_the_texts_encode_to)
{
	struct dataset texts, features;

	recipe.dtype = dtypes[_i].dtype;
	ck_assert_int_eq(write_features(NULL, NULL, NULL), STATUS_OK);
	ck_assert_uint_eq(written.n_pairs, N_PAIRS);
	ck_assert_uint_eq(written.n_users, N_PAIRS / 2);
	read_back(data, &texts);
	read_back(out, &features);
	ck_assert_uint_eq(features.n_pairs, texts.n_pairs);
	ck_assert_str_eq(features.sha256, texts.sha256);
	ck_assert_uint_eq(features.n_users, texts.n_users);
	ck_assert_str_eq(features.user_names[499], texts.user_names[499]);
	ck_assert_mem_eq(features.user, texts.user, N_PAIRS * sizeof(uint32_t));
	ck_assert_mem_eq(features.context, texts.context, N_PAIRS * sizeof(uint32_t));
	for (size_t i = 0; i < N_PAIRS; i++) {
		float tolerance = dtypes[_i].tolerance;

		assert_row(&features.phi, features.chosen[i], &texts.phi, texts.chosen[i],
			   tolerance);
		assert_row(&features.phi, features.rejected[i], &texts.phi, texts.rejected[i],
			   tolerance);
		assert_row(&features.psi, features.prompt[i], &texts.psi, texts.prompt[i],
			   tolerance);
	}
	dataset_free(&texts);
	dataset_free(&features);
	ck_assert_uint_eq(folder_count(), 2);
}
END_TEST

/* Stops when the n-th pair is encoded. */
static bool stop_at(void *context, const struct features_progress *state)
{
	return state->n_pairs == 0 || state->n_done < *(size_t *)context;
}

START_TEST(an_interrupted_file_goes_on_to_the_same_bytes)
{
	size_t stop = (size_t)_i, len, len_again;
	char *whole, *again;
	struct err err;

	ck_assert_int_eq(write_features(NULL, NULL, NULL), STATUS_OK);
	whole = folder_read(out, &len);
	ck_assert_int_eq(unlink(out), 0);
	ck_assert_int_eq(write_features(stop_at, &stop, &err), STATUS_INTERRUPTED);
	ck_assert_ptr_nonnull(strstr(err.msg, "the same command goes on"));
	ck_assert_int_ne(access(out, F_OK), 0);
	ck_assert_int_eq(write_features(NULL, NULL, NULL), STATUS_OK);
	ck_assert_uint_ge(written.n_resumed, stop);
	again = folder_read(out, &len_again);
	ck_assert_uint_eq(len, len_again);
	ck_assert_mem_eq(whole, again, len);
	ck_assert_int_ne(access(part, F_OK), 0);
	free(whole);
	free(again);
}
END_TEST

START_TEST(what_is_no_part_of_ours_is_left_alone)
{
	static const char *const contents[] = {"some other file", "{\"not\": \"ours\"}"};
	struct err err;
	char *bytes;
	size_t len;
	FILE *file = fopen(part, "wb");

	fputs(contents[_i], file);
	fclose(file);
	ck_assert_int_eq(write_features(NULL, NULL, &err), STATUS_INVALID_VALUE);
	ck_assert_msg(strstr(err.msg, "is not what an interrupted run leaves") != NULL, "%s",
		      err.msg);
	bytes = folder_read(part, &len);
	ck_assert_str_eq(bytes, contents[_i]);
	free(bytes);
}
END_TEST

/* The moments between the calls that open, begin and end a part. */
static const off_t left_behind[] = {0, 8192, 1 << 20};

START_TEST(a_part_that_was_only_begun_begins_anew)
{
	int fd = open(part, O_CREAT | O_WRONLY, 0600);
	struct dataset dataset;

	ck_assert_int_eq(ftruncate(fd, left_behind[_i]), 0);
	close(fd);
	ck_assert_int_eq(write_features(NULL, NULL, NULL), STATUS_OK);
	ck_assert_uint_eq(written.n_resumed, 0);
	read_back(out, &dataset);
	dataset_free(&dataset);
}
END_TEST

START_TEST(a_part_that_lacks_only_its_name_gets_it)
{
	ck_assert_int_eq(write_features(NULL, NULL, NULL), STATUS_OK);
	ck_assert_int_eq(rename(out, part), 0);
	ck_assert_int_eq(write_features(NULL, NULL, NULL), STATUS_OK);
	ck_assert_uint_eq(written.n_resumed, N_PAIRS);
	ck_assert_int_eq(access(out, F_OK), 0);
}
END_TEST

static void append(const char *text)
{
	FILE *file = fopen(data, "ab");

	fputs(text, file);
	fclose(file);
}

START_TEST(another_recipe_is_refused_by_what_differs)
{
	size_t stop = 256;
	struct err err;

	ck_assert_int_eq(write_features(stop_at, &stop, NULL), STATUS_INTERRUPTED);
	recipe.dtype = DTYPE_BF16;
	ck_assert_int_eq(write_features(NULL, NULL, &err), STATUS_INVALID_VALUE);
	ck_assert_ptr_nonnull(strstr(err.msg, "was begun with dtype F32, now BF16"));
	recipe.dtype = DTYPE_F32;
	recipe.template_psi = "{prompt}";
	ck_assert_int_eq(write_features(NULL, NULL, &err), STATUS_INVALID_VALUE);
	ck_assert_ptr_nonnull(strstr(err.msg, "was begun with template.psi"));
	recipe.template_psi = TEMPLATE_DEFAULT_PSI;
	append("{\"chosen\":\"a\",\"rejected\":\"b\"}\n");
	ck_assert_int_eq(write_features(NULL, NULL, &err), STATUS_INVALID_VALUE);
	ck_assert_ptr_nonnull(strstr(err.msg, "was begun with source.sha256"));
}
END_TEST

/* The file grows between the two passes. */
static bool grow_data(void *context, const struct features_progress *state)
{
	(void)context;
	if (state->n_pairs > 0 && state->n_done < 300)
		append("{\"chosen\":\"a\",\"rejected\":\"b\"}\n");
	return true;
}

START_TEST(data_that_changes_meanwhile_is_refused)
{
	struct err err;

	/* more than is read at once: what is added is seen by the second pass */
	for (int i = 0; i < 40000; i++)
		append("{\"chosen\":\"a\",\"rejected\":\"b\"}\n");
	ck_assert_int_eq(write_features(grow_data, NULL, &err), STATUS_INVALID_VALUE);
	ck_assert_ptr_nonnull(strstr(err.msg, "it changed while it was read"));
	ck_assert_int_ne(access(out, F_OK), 0);
}
END_TEST

START_TEST(two_processes_do_not_write_one_part)
{
	int fd = open(part, O_CREAT | O_RDWR, 0600);
	struct err err;

	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	ck_assert_int_eq(write_features(NULL, NULL, &err), STATUS_IO);
	ck_assert_ptr_nonnull(strstr(err.msg, "another process is writing it"));
	close(fd);
}
END_TEST

START_TEST(a_fault_of_the_data_is_found_before_anything_is_written)
{
	struct err err;

	append("{\"chosen\":\"a\"}\n");
	ck_assert_int_eq(write_features(NULL, NULL, &err), STATUS_MISSING_FIELD);
	ck_assert_ptr_nonnull(strstr(err.msg, "pairs.jsonl:1011: /rejected"));
	ck_assert_uint_eq(folder_count(), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("features_writer");
	TCase *tcase = tcase_create("features_writer");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, the_file_holds_what_the_texts_encode_to, 0, LENGTH(dtypes));
	/* the batches end at 256, 512 and 768 */
	tcase_add_loop_test(tcase, an_interrupted_file_goes_on_to_the_same_bytes, 256, 258);
	tcase_add_loop_test(tcase, an_interrupted_file_goes_on_to_the_same_bytes, 767, 768);
	tcase_add_loop_test(tcase, what_is_no_part_of_ours_is_left_alone, 0, 2);
	tcase_add_loop_test(tcase, a_part_that_was_only_begun_begins_anew, 0, LENGTH(left_behind));
	tcase_add_test(tcase, a_part_that_lacks_only_its_name_gets_it);
	tcase_add_test(tcase, another_recipe_is_refused_by_what_differs);
	tcase_add_test(tcase, data_that_changes_meanwhile_is_refused);
	tcase_add_test(tcase, two_processes_do_not_write_one_part);
	tcase_add_test(tcase, a_fault_of_the_data_is_found_before_anything_is_written);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
