/* SPDX-License-Identifier: Apache-2.0 */
/* test_import_oom.c - every allocation of an import fails in turn. */
#include <string.h>

#include "core/encode/template.h"
#include "core/model/import.h"
#include "core/model/safetensors.h"
#include "core/model/shard_index.h"
#include "tests/unit/core/draft_fixture.h"
#include "tests/unit/core/folder_fixture.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/unit.h"

#define MAX_ALLOCATIONS 2000

static const char index_text[] = "{\"weight_map\":{\"score.weight\":\"a\",\"router.weight\":\"b\","
				 "\"router.bias\":\"b\"}}";

static const struct tensor_spec tensors[] = {
    {"score.weight", 2, {2, 4}, draft_values},
    {"router.weight", 2, {2, 4}, draft_values + 8},
    {"router.bias", 1, {2}, draft_values + 16},
};

START_TEST(import_survives_any_failed_allocation)
{
	const struct import_options options = {NULL, NULL, TEMPLATE_DEFAULT_PHI,
					       TEMPLATE_DEFAULT_PSI};
	const char *path = folder_path(".");
	enum status status = STATUS_NO_MEMORY;
	long n;

	ck_assert_int_eq(safetensors_write(folder_path("a"), tensors, 1, NULL, 0, NULL), 0);
	ck_assert_int_eq(safetensors_write(folder_path("b"), tensors + 1, 2, NULL, 0, NULL), 0);
	folder_write(SHARD_INDEX_NAME, index_text, strlen(index_text));
	for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		struct model model;
		struct err err;

		mem_fail_after(n);
		status = import_model(path, &options, &model, &err);
		mem_fail_after(-1);
		ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY,
			      "allocation %ld: %s", n, err.msg);
		if (status == STATUS_OK)
			model_free(&model);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_gt(n, 40);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("import out of memory");
	TCase *tcase = tcase_create("sweep");

	tcase_add_checked_fixture(tcase, folder_make, folder_remove);
	tcase_add_test(tcase, import_survives_any_failed_allocation);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
