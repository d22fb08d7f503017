/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_model_oom.c - every allocation of model files fails in turn, those that
 * the JSON library makes for us too.
 */
#include <jansson.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/model/model.h"
#include "core/model/safetensors.h"
#include "tests/unit/core/draft_fixture.h"
#include "tests/unit/core/folder_fixture.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/unit.h"

#define MAX_ALLOCATIONS 2000

static void *allocate(size_t size)
{
	return mem_array(size, 1);
}

/* From here on the JSON library's allocations count and fail too. */
static void count_json_allocations(void)
{
	json_set_alloc_funcs(allocate, mem_free);
}

/* True when the sweep is over: nothing failed. */
static bool sweep_ends(long n, enum status status, const struct err *err)
{
	ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY, "allocation %ld: %s", n,
		      err->msg);
	ck_assert_int_lt(n, MAX_ALLOCATIONS);
	return status == STATUS_OK;
}

static enum status load_failing_after(long n, const char *path, struct err *err)
{
	struct model model;
	enum status status;

	mem_fail_after(n);
	status = model_load(path, &model, err);
	mem_fail_after(-1);
	if (status == STATUS_OK)
		model_free(&model);
	return status;
}

START_TEST(load_survives_any_failed_allocation)
{
	struct draft draft;
	struct err err;
	const char *path;
	long n = 0;

	draft_start(_i, &draft);
	path = draft_write(&draft);
	while (!sweep_ends(n, load_failing_after(n, path, &err), &err))
		n++;
	ck_assert_int_gt(n, 20);
}
END_TEST

START_TEST(load_survives_any_failed_allocation_of_the_json_library)
{
	enum status status;
	struct draft draft;
	struct err err;
	const char *path;
	long n = 0;

	count_json_allocations();
	draft_start(_i, &draft);
	path = draft_write(&draft);
	while ((status = load_failing_after(n, path, &err)) != STATUS_OK) {
		/* the library blames the text when its lexer has no memory */
		ck_assert(status == STATUS_NO_MEMORY || status == STATUS_BAD_FILE);
		ck_assert_int_lt(n++, MAX_ALLOCATIONS);
	}
	ck_assert_int_gt(n, 20);
}
END_TEST

START_TEST(save_survives_any_failed_allocation_and_keeps_the_old_file)
{
	const char *path = folder_path("copy");
	struct draft draft;
	struct model model;
	struct err err;
	long n = 0;

	count_json_allocations();
	draft_start(_i, &draft);
	ck_assert(model_load(draft_write(&draft), &model, NULL) == STATUS_OK);
	folder_write("copy", "old", 3);
	for (;; n++) {
		enum status status;
		size_t len;
		char *bytes;

		mem_fail_after(n);
		status = model_save(&model, path, &err);
		mem_fail_after(-1);
		if (sweep_ends(n, status, &err))
			break;
		bytes = folder_read(path, &len);
		ck_assert_str_eq(bytes, "old");
		free(bytes);
		ck_assert_uint_eq(folder_count(), 2);
	}
	ck_assert_int_gt(n, 50);
	model_free(&model);
}
END_TEST

START_TEST(init_and_facts_survive_any_failed_allocation)
{
	struct encoder *encoder;
	struct err err;
	long n = 0;

	ck_assert(encoder_open("hash:16", &encoder, NULL) == STATUS_OK);
	for (;; n++) {
		struct model model;
		enum status status;

		mem_fail_after(n);
		status = model_init(&model, 2, _i, 3, encoder, &err);
		if (status == STATUS_OK) {
			status = model_set_fact(&model, "train.a", "1", &err);
			if (status == STATUS_OK)
				status = model_set_fact(&model, "train.a", "2", &err);
			if (status == STATUS_OK)
				status = model_check_encoder(&model, encoder, &err);
			model_free(&model);
		}
		mem_fail_after(-1);
		if (sweep_ends(n, status, &err))
			break;
	}
	ck_assert_int_gt(n, 15);
	encoder_close(encoder);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("model out of memory");
	TCase *tcase = tcase_create("sweep");

	tcase_add_checked_fixture(tcase, folder_make, folder_remove);
	tcase_add_loop_test(tcase, load_survives_any_failed_allocation, 0, N_ROUTER_KINDS);
	tcase_add_loop_test(tcase, load_survives_any_failed_allocation_of_the_json_library, 0,
			    N_ROUTER_KINDS);
	tcase_add_loop_test(tcase, save_survives_any_failed_allocation_and_keeps_the_old_file, 0,
			    N_ROUTER_KINDS);
	tcase_add_loop_test(tcase, init_and_facts_survive_any_failed_allocation, 0, N_ROUTER_KINDS);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
