/* SPDX-License-Identifier: Apache-2.0 */
/* test_features_file_oom.c - every allocation of features files fails in turn. */
#include <stdio.h>
#include <unistd.h>

#include "core/data/features_file.h"
#include "core/data/features_writer.h"
#include "core/encode/template.h"
#include "core/train/train.h"
#include "tests/unit/core/folder_fixture.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/unit.h"

#define MAX_ALLOCATIONS 4000

static struct encoder *encoder;
static char data[600], out[600];

static void setup(void)
{
	FILE *file;

	folder_make();
	snprintf(data, sizeof(data), "%s", folder_path("pairs.jsonl"));
	snprintf(out, sizeof(out), "%s", folder_path("f.safetensors"));
	file = fopen(data, "wb");
	ck_assert_ptr_nonnull(file);
	for (int i = 0; i < 12; i++)
		fprintf(file,
			"{\"user\":\"u%d\",\"context\":\"c%d\",\"prompt\":\"p\",\"chosen\":\"a%d\","
			"\"rejected\":\"b\"}\n",
			i / 3, i % 2, i);
	fclose(file);
	ck_assert_int_eq(encoder_open("hash:16", &encoder, NULL), STATUS_OK);
}

static void teardown(void)
{
	encoder_close(encoder);
	folder_remove();
}

static enum status write_features(struct err *err)
{
	const struct features_recipe recipe = {
	    data, out, encoder, TEMPLATE_DEFAULT_PHI, TEMPLATE_DEFAULT_PSI, DTYPE_F16};
	struct features_written written;

	return features_write(&recipe, NULL, NULL, &written, err);
}

static enum status read_features(struct err *err)
{
	struct dataset dataset;
	enum status status =
	    dataset_read(out, encoder, TEMPLATE_DEFAULT_PHI, TEMPLATE_DEFAULT_PSI, &dataset, err);

	if (status == STATUS_OK)
		dataset_free(&dataset);
	return status;
}

static enum status read_origin(struct err *err)
{
	struct features_origin origin;
	enum status status = features_file_origin(out, &origin, err);

	if (status == STATUS_OK)
		features_origin_free(&origin);
	return status;
}

static enum status train_on_features(enum objective objective, struct err *err)
{
	struct dataset dataset;
	struct train_options options;
	struct model model;
	enum status status;

	train_defaults(objective, &options);
	options.n_heads = 2;
	options.n_hidden = 3;
	options.holdout = 0;
	if (options.epochs > 0)
		options.epochs = 1;
	status =
	    dataset_read(out, encoder, TEMPLATE_DEFAULT_PHI, TEMPLATE_DEFAULT_PSI, &dataset, err);
	if (status != STATUS_OK)
		return status;
	status = model_init(&model, 2, options.router, 3, encoder, err);
	if (status == STATUS_OK) {
		status = train_run(&dataset, &options, NULL, NULL, &model, err);
		model_free(&model);
	}
	dataset_free(&dataset);
	return status;
}

static enum status train_micro(struct err *err)
{
	return train_on_features(OBJECTIVE_MICRO, err);
}

static enum status find_components(struct err *err)
{
	return train_on_features(OBJECTIVE_DRM, err);
}

static const struct {
	enum status (*run)(struct err *err);
	long at_least; /* allocations */
} sweeps[] = {
    {write_features, 100}, {read_features, 30},	  {read_origin, 5},
    {train_micro, 60},	   {find_components, 60},
};

START_TEST(survives_any_failed_allocation)
{
	enum status status = STATUS_NO_MEMORY;
	long n;

	ck_assert_int_eq(write_features(NULL), STATUS_OK);
	for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		struct err err;

		mem_fail_after(n);
		status = sweeps[_i].run(&err);
		mem_fail_after(-1);
		ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY,
			      "allocation %ld: %s", n, err.msg);
		/* what is left of a failed writing is gone on with, or begun anew */
		if (status != STATUS_OK && _i == 0)
			ck_assert_int_eq(write_features(NULL), STATUS_OK);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_gt(n, sweeps[_i].at_least);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("features files out of memory");
	TCase *tcase = tcase_create("sweep");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, survives_any_failed_allocation, 0, LENGTH(sweeps));
	tcase_set_timeout(tcase, 120);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
