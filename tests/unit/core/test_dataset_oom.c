/* SPDX-License-Identifier: Apache-2.0 */
/* test_dataset_oom.c - every allocation of reading pairs fails in turn. */
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/data/dataset.h"
#include "core/data/intern.h"
#include "core/data/pair_titles.h"
#include "core/encode/template.h"
#include "tests/unit/core/folder_fixture.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/unit.h"

#define MAX_ALLOCATIONS 2000

/* Writes pairs of text whose last line is longer than the reader's first buffer. */
static const char *write_texts(void)
{
	const char *path = folder_path("texts.jsonl");
	FILE *file = fopen(path, "wb");

	for (int i = 0; i < 40; i++)
		fprintf(file,
			"{\"user\":\"u%d\",\"context\":\"c%d\",\"prompt\":\"é%d\","
			"\"chosen\":\"a%d\",\"rejected\":\"b%d\"}\n",
			i % 3, i % 2, i % 5, i, i);
	fprintf(file, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
		      "\"a\"}]},{\"role\":\"assistant\",\"content\":\"b\"}],\"chosen\":\"a\","
		      "\"rejected\":\"b\"}\n");
	fprintf(file, "%300000s{\"chosen\":\"a\",\"rejected\":\"b\"}\n", "");
	fclose(file);
	return path;
}

static const char *write_vectors(void)
{
	const char *path = folder_path("vectors.jsonl");
	FILE *file = fopen(path, "wb");

	for (int i = 0; i < 20; i++)
		fprintf(file,
			"{\"user\":%d,\"prompt\":[0,1],\"chosen\":[%d,0],\"rejected\":[0,%d]}\n",
			i % 3, i + 1, i + 1);
	fclose(file);
	return path;
}

/* Reads path with the n-th allocation failing, for every n. */
static void sweep(const char *path, const char *spec)
{
	enum status status = STATUS_NO_MEMORY;
	struct encoder *encoder;
	long n;

	ck_assert_int_eq(encoder_open(spec, &encoder, NULL), STATUS_OK);
	for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		struct dataset dataset;
		struct err err;

		mem_fail_after(n);
		status = dataset_read(path, encoder, TEMPLATE_DEFAULT_PHI, TEMPLATE_DEFAULT_PSI,
				      &dataset, &err);
		mem_fail_after(-1);
		ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY,
			      "allocation %ld: %s", n, err.msg);
		if (status == STATUS_OK)
			dataset_free(&dataset);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_gt(n, 50);
	encoder_close(encoder);
}

START_TEST(read_of_texts_survives_any_failed_allocation)
{
	sweep(write_texts(), "hash:16");
}
END_TEST

START_TEST(read_of_vectors_survives_any_failed_allocation)
{
	sweep(write_vectors(), "none:2");
}
END_TEST

START_TEST(by_user_survives_any_failed_allocation)
{
	const char *path = write_vectors();
	struct encoder *encoder;
	struct dataset dataset;
	uint32_t *order;
	size_t *start, n_groups;

	ck_assert_int_eq(encoder_open("none:2", &encoder, NULL), STATUS_OK);
	ck_assert_int_eq(
	    dataset_read(path, encoder, TEMPLATE_DEFAULT_PHI, TEMPLATE_DEFAULT_PSI, &dataset, NULL),
	    STATUS_OK);
	for (long n = 0; n < 2; n++) {
		mem_fail_after(n);
		ck_assert_int_eq(dataset_by_user(&dataset, &order, &start, &n_groups, NULL),
				 STATUS_NO_MEMORY);
		mem_fail_after(-1);
	}
	dataset_free(&dataset);
	encoder_close(encoder);
}
END_TEST

/* ---- pair_titles ---- */

START_TEST(pair_titles_survive_any_failed_allocation)
{
	static const uint32_t pairs[] = {0, 1};
	const char *path = write_texts();
	enum status status = STATUS_NO_MEMORY;
	struct encoder *encoder;
	struct dataset dataset;
	char *titles[2];
	long n;

	ck_assert_int_eq(encoder_open("hash:16", &encoder, NULL), STATUS_OK);
	ck_assert_int_eq(
	    dataset_read(path, encoder, TEMPLATE_DEFAULT_PHI, TEMPLATE_DEFAULT_PSI, &dataset, NULL),
	    STATUS_OK);
	for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		mem_fail_after(n);
		status = pair_titles_read(path, encoder, &dataset, pairs, 2, titles, NULL);
		mem_fail_after(-1);
		ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_gt(n, 4);
	for (size_t j = 0; j < 2; j++)
		mem_free(titles[j]);
	dataset_free(&dataset);
	encoder_close(encoder);
}
END_TEST

/* ---- intern ---- */

START_TEST(intern_add_that_fails_changes_nothing_and_can_be_repeated)
{
	enum { N_STRINGS = 500 };
	long n_failures = 0;

	for (long n = 0; n < 40; n++) {
		struct intern intern = {0};
		uint32_t id;

		mem_fail_after(n);
		for (uint32_t i = 0; i < N_STRINGS; i++) {
			enum status status =
			    intern_add(&intern, (const char *)&i, sizeof(i), &id, NULL);

			if (status != STATUS_OK) {
				ck_assert_int_eq(status, STATUS_NO_MEMORY);
				ck_assert_uint_eq(intern.n, i);
				n_failures++;
				i--; /* the same string again: the failure was a single one */
			}
		}
		mem_fail_after(-1);
		for (uint32_t i = 0; i < N_STRINGS; i++) {
			ck_assert_int_eq(
			    intern_add(&intern, (const char *)&i, sizeof(i), &id, NULL), STATUS_OK);
			ck_assert_uint_eq(id, i);
		}
		intern_free(&intern);
	}
	ck_assert_int_eq(n_failures, 40);
}
END_TEST

START_TEST(intern_strings_survives_any_failed_allocation)
{
	struct intern intern = {0};
	char **strings;
	uint32_t id;

	ck_assert_int_eq(intern_add(&intern, "a", 1, &id, NULL), STATUS_OK);
	ck_assert_int_eq(intern_add(&intern, "b", 1, &id, NULL), STATUS_OK);
	for (long n = 0; n < 3; n++) {
		mem_fail_after(n);
		ck_assert_int_eq(intern_strings(&intern, &strings, NULL), STATUS_NO_MEMORY);
		mem_fail_after(-1);
	}
	intern_free(&intern);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dataset out of memory");
	TCase *tcase = tcase_create("sweep");

	tcase_add_checked_fixture(tcase, folder_make, folder_remove);
	tcase_add_test(tcase, read_of_texts_survives_any_failed_allocation);
	tcase_add_test(tcase, read_of_vectors_survives_any_failed_allocation);
	tcase_add_test(tcase, by_user_survives_any_failed_allocation);
	tcase_add_test(tcase, pair_titles_survive_any_failed_allocation);
	tcase_add_test(tcase, intern_add_that_fails_changes_nothing_and_can_be_repeated);
	tcase_add_test(tcase, intern_strings_survives_any_failed_allocation);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
