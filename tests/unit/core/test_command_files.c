/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/encode/template.h"
#include "core/tool/command_files.h"
#include "tests/unit/core/features_fixture.h"
#include "tests/unit/core/folder_fixture.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/unit.h"

static struct model model;

static void setup(void)
{
	folder_make();
	pairs_model(2, ROUTER_LINEAR, 0, &model);
}

static void teardown(void)
{
	model_free(&model);
	folder_remove();
}

/* ---- command_check_out ---- */

START_TEST(out_that_can_be_written_is_left_alone)
{
	const char *data = folder_write("data", "x", 1);
	const char *old = folder_write("old", "x", 1);

	ck_assert_int_eq(command_check_out(old, data, NULL), STATUS_OK);
	ck_assert_int_eq(command_check_out(folder_path("new"), data, NULL), STATUS_OK);
	ck_assert_uint_eq(folder_count(), 2);
}
END_TEST

START_TEST(out_that_is_the_data_is_refused)
{
	const char *data = folder_write("data", "x", 1);
	struct err err;

	ck_assert_int_eq(command_check_out(data, data, &err), STATUS_USAGE);
	ck_assert_ptr_nonnull(strstr(err.msg, "is the file of --data"));
}
END_TEST

START_TEST(out_in_no_folder_is_refused)
{
	struct err err;

	ck_assert_int_eq(command_check_out(folder_path("none/out"), "data", &err), STATUS_IO);
	ck_assert_ptr_nonnull(strstr(err.msg, "none/out"));
}
END_TEST

/* ---- command_open_source ---- */

START_TEST(source_of_texts_has_the_defaults_unless_given)
{
	const char *data = folder_write("data", "{}", 2);
	struct command_source source;

	ck_assert_int_eq(
	    command_open_source(data, &(struct command_source_options){.template_psi = "{prompt}"},
				&source, NULL),
	    STATUS_OK);
	ck_assert_str_eq(encoder_spec(source.encoder), ENCODER_DEFAULT_SPEC);
	ck_assert_str_eq(source.template_phi, TEMPLATE_DEFAULT_PHI);
	ck_assert_str_eq(source.template_psi, "{prompt}");
	command_source_free(&source);
}
END_TEST

START_TEST(source_of_features_is_what_made_them_unless_given)
{
	static const char header[] =
	    "{\"__metadata__\":{\"format\":\"micro-features/1\",\"encoder\":\"hash:2\","
	    "\"encoder.fingerprint\":\"\",\"template.phi\":\"{prompt}{response}\","
	    "\"template.psi\":\"{context}\",\"source.sha256\":\"\"}}";
	const char *data = features_file("f", header, "", 0);
	struct command_source source;
	struct err err;

	ck_assert_int_eq(
	    command_open_source(data, &(struct command_source_options){0}, &source, NULL),
	    STATUS_OK);
	ck_assert_str_eq(encoder_spec(source.encoder), "hash:2");
	ck_assert_str_eq(source.template_phi, "{prompt}{response}");
	ck_assert_str_eq(source.template_psi, "{context}");
	command_source_free(&source);
	ck_assert_int_eq(command_open_source(data,
					     &(struct command_source_options){.encoder = "hash:x"},
					     &source, &err),
			 STATUS_USAGE);
	ck_assert_ptr_nonnull(strstr(err.msg, "--encoder"));
	command_source_free(&source);
	ck_assert_int_eq(command_open_source(
			     data, &(struct command_source_options){.template_psi = "{response}"},
			     &source, &err),
			 STATUS_USAGE);
	ck_assert_ptr_nonnull(strstr(err.msg, "--template-psi"));
	command_source_free(&source);
}
END_TEST

/* ---- command_open_model ---- */

START_TEST(model_comes_with_its_encoder)
{
	const char *path = folder_path("model");
	struct encoder *encoder;
	struct model loaded;

	ck_assert_int_eq(model_save(&model, path, NULL), STATUS_OK);
	ck_assert_int_eq(command_open_model(path, NULL, &loaded, &encoder, NULL), STATUS_OK);
	ck_assert_str_eq(loaded.id, model.id);
	ck_assert_str_eq(encoder_spec(encoder), "none:4");
	encoder_close(encoder);
	model_free(&loaded);
}
END_TEST

START_TEST(model_of_another_encoder_is_refused_by_name)
{
	const char *path = folder_path("model");
	struct encoder *encoder;
	struct model loaded;
	struct err err;

	/* none:4 has the zero vector as its fingerprint */
	model.fingerprint[0] = 1;
	ck_assert_int_eq(model_save(&model, path, NULL), STATUS_OK);
	ck_assert_int_eq(command_open_model(path, NULL, &loaded, &encoder, &err),
			 STATUS_ENCODER_MISMATCH);
	ck_assert_msg(strncmp(err.msg, path, strlen(path)) == 0, "%s", err.msg);
}
END_TEST

START_TEST(model_that_is_not_there_is_refused)
{
	struct encoder *encoder;
	struct model loaded;
	struct err err;

	ck_assert_int_eq(command_open_model(folder_path("none"), NULL, &loaded, &encoder, &err),
			 STATUS_IO);
	ck_assert_ptr_nonnull(strstr(err.msg, "none"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("command_files");
	TCase *tcase = tcase_create("command_files");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, out_that_can_be_written_is_left_alone);
	tcase_add_test(tcase, out_that_is_the_data_is_refused);
	tcase_add_test(tcase, out_in_no_folder_is_refused);
	tcase_add_test(tcase, source_of_texts_has_the_defaults_unless_given);
	tcase_add_test(tcase, source_of_features_is_what_made_them_unless_given);
	tcase_add_test(tcase, model_comes_with_its_encoder);
	tcase_add_test(tcase, model_of_another_encoder_is_refused_by_name);
	tcase_add_test(tcase, model_that_is_not_there_is_refused);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
