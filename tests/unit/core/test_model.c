/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/model/model.h"
#include "tests/unit/core/draft_fixture.h"
#include "tests/unit/core/folder_fixture.h"
#include "tests/unit/unit.h"

#define K DRAFT_HEADS
#define H DRAFT_HIDDEN

static void load(const char *path, struct model *model)
{
	struct err err = {.msg = ""};

	ck_assert_msg(model_load(path, model, &err) == STATUS_OK, "%s", err.msg);
}

static void init(const char *spec, enum router_kind kind, struct model *model)
{
	struct encoder *encoder;

	ck_assert(encoder_open(spec, &encoder, NULL) == STATUS_OK);
	ck_assert(model_init(model, K, kind, H, encoder, NULL) == STATUS_OK);
	encoder_close(encoder);
}

/* ---- model_save ---- */

START_TEST(save_after_load_gives_the_same_bytes)
{
	struct draft draft;
	struct model model;
	size_t len_a, len_b;
	char *a, *b, id[DIGEST_HEX_LEN + 1];

	draft_start(_i, &draft);
	load(draft_write(&draft), &model);
	memcpy(id, model.id, sizeof(id));
	ck_assert(model_save(&model, folder_path("copy"), NULL) == STATUS_OK);
	ck_assert_str_eq(model.id, id);
	model_free(&model);
	a = folder_read(folder_path("model.safetensors"), &len_a);
	b = folder_read(folder_path("copy"), &len_b);
	ck_assert_uint_eq(len_a, len_b);
	ck_assert_mem_eq(a, b, len_a);
	free(a);
	free(b);
}
END_TEST

START_TEST(save_then_load_keeps_a_trained_model)
{
	struct model model, again;
	struct rng rng;

	init("hash:64", _i, &model);
	rng_init(&rng, 1);
	heads_randomize(&model.heads, 1, &rng);
	for (size_t p = 0; p < model.router.n_params; p++)
		model.router.params[p] = (float)rng_normal(&rng);
	model.mask[1] = true;
	ck_assert(model_set_fact(&model, "train.note", "Zürich\n\"1\"", NULL) == STATUS_OK);
	ck_assert(model_save(&model, folder_path("m"), NULL) == STATUS_OK);
	load(folder_path("m"), &again);
	ck_assert_str_eq(again.id, model.id);
	ck_assert_mem_eq(again.heads.weight, model.heads.weight, K * 64 * sizeof(float));
	ck_assert_uint_eq(again.router.n_params, model.router.n_params);
	ck_assert_mem_eq(again.router.params, model.router.params,
			 model.router.n_params * sizeof(float));
	ck_assert_mem_eq(again.fingerprint, model.fingerprint, 64 * sizeof(float));
	ck_assert_str_eq(model_fact(&again, "train.note"), "Zürich\n\"1\"");
	ck_assert_str_eq(again.labels[1], "head 1");
	ck_assert(again.mask[1] && !again.mask[0]);
	model_free(&model);
	model_free(&again);
}
END_TEST

START_TEST(save_that_fails_says_so_and_leaves_the_old_file)
{
	const char *path = folder_write("old", "old", 3);
	char message[512];
	struct model model;
	struct err err;
	size_t len;
	char *bytes;

	init("none:4", ROUTER_STATIC, &model);
	model.heads.weight[5] = INFINITY; /* feature 2, head 1: number 6 in the file */
	ck_assert(model_save(&model, path, &err) == STATUS_NOT_FINITE);
	snprintf(message, sizeof(message), "save model %s: heads.weight: number 6 is not finite",
		 path);
	ck_assert_str_eq(err.msg, message);
	model.heads.weight[5] = 0;
	model.labels[1][0] = '\xff';
	ck_assert(model_save(&model, path, &err) == STATUS_INVALID_VALUE);
	snprintf(message, sizeof(message), "save model %s: heads.labels: item 1: not valid UTF-8",
		 path);
	ck_assert_str_eq(err.msg, message);
	model.labels[1][0] = 'h';
	ck_assert(model_save(&model, "/no/such/folder/m", &err) == STATUS_IO);
	ck_assert_str_eq(err.msg, "save model /no/such/folder/m: create a temporary file beside "
				  "it: No such file or directory");
	bytes = folder_read(path, &len);
	ck_assert_str_eq(bytes, "old");
	free(bytes);
	ck_assert_uint_eq(folder_count(), 1);
	model_free(&model);
}
END_TEST

/* ---- model_init, model_update_id ---- */

START_TEST(init_has_defaults)
{
	struct model model;

	init("hash:64", ROUTER_MLP, &model);
	ck_assert_str_eq(model.encoder_spec, "hash:64");
	ck_assert_str_eq(model.template_phi, "{response}");
	ck_assert_str_eq(model.template_psi, "{context}\n{prompt}");
	ck_assert_str_eq(model.labels[0], "head 0");
	ck_assert(!model.mask[0] && !model.mask[1]);
	ck_assert_uint_eq(model.router.n_hidden, H);
	ck_assert_uint_eq(strlen(model.id), DIGEST_HEX_LEN);
	ck_assert_ptr_null(model_fact(&model, "train.seed"));
	model_free(&model);
	model_free(&model); /* zeroed by the first */
}
END_TEST

START_TEST(id_is_that_of_heads_and_encoder_only)
{
	char id[DIGEST_HEX_LEN + 1];
	struct model model, other;

	init("none:4", ROUTER_LINEAR, &model);
	memcpy(id, model.id, sizeof(id));
	model.router.params[0] = 1;
	model.mask[0] = true;
	model.labels[0][0] = 'H';
	model_update_id(&model);
	ck_assert_str_eq(model.id, id);
	model.heads.center[1] = 1;
	model_update_id(&model);
	ck_assert_str_ne(model.id, id);
	model.heads.center[1] = 0;
	model.heads.weight[7] = 1;
	model_update_id(&model);
	ck_assert_str_ne(model.id, id);
	init("hash:4", ROUTER_LINEAR, &other);
	ck_assert_str_ne(other.id, id);
	model_free(&other);
	model_free(&model);
}
END_TEST

/* ---- model_set_fact, model_fact ---- */

START_TEST(facts_are_ordered_and_replaced)
{
	static const char *const keys[] = {"train.m", "train.z", "train.a", "train.b", "train.m"};
	static const char *const sorted[] = {"train.a", "train.b", "train.m", "train.z"};
	struct model model;

	init("none:4", ROUTER_STATIC, &model);
	for (size_t i = 0; i < LENGTH(keys); i++) {
		char value[8];

		snprintf(value, sizeof(value), "%zu", i);
		ck_assert(model_set_fact(&model, keys[i], value, NULL) == STATUS_OK);
		ck_assert_str_eq(model_fact(&model, keys[i]), value);
	}
	ck_assert_uint_eq(model.n_facts, LENGTH(sorted));
	for (size_t i = 0; i < LENGTH(sorted); i++)
		ck_assert_str_eq(model.facts[i].key, sorted[i]);
	ck_assert_str_eq(model_fact(&model, "train.m"), "4");
	ck_assert_ptr_null(model_fact(&model, "train.c"));
	model_free(&model);
}
END_TEST

/* ---- model_check_encoder ---- */

START_TEST(check_encoder_accepts_the_one_it_was_made_with)
{
	static const char *const specs[] = {"hash:64", "hash:4096", "none:4", "hash:1"};

	for (size_t i = 0; i < LENGTH(specs); i++) {
		struct encoder *encoder;
		struct model model;
		struct err err = {.msg = ""};

		init(specs[i], ROUTER_STATIC, &model);
		ck_assert(encoder_open(specs[i], &encoder, NULL) == STATUS_OK);
		ck_assert_msg(model_check_encoder(&model, encoder, &err) == STATUS_OK, "%s: %s",
			      specs[i], err.msg);
		encoder_close(encoder);
		model_free(&model);
	}
}
END_TEST

START_TEST(check_encoder_refuses_another_spec)
{
	struct encoder *encoder;
	struct model model;
	struct err err;

	init("hash:64", ROUTER_STATIC, &model);
	ck_assert(encoder_open("none:64", &encoder, NULL) == STATUS_OK);
	ck_assert(model_check_encoder(&model, encoder, &err) == STATUS_ENCODER_MISMATCH);
	ck_assert_str_eq(err.msg, "encoder none:64 of dimension 64, but the model was trained with "
				  "hash:64 of dimension 64");
	encoder_close(encoder);
	model_free(&model);
}
END_TEST

START_TEST(check_encoder_refuses_another_fingerprint)
{
	struct encoder *encoder;
	struct model model;
	struct err err;

	init("hash:64", ROUTER_STATIC, &model);
	ck_assert(encoder_open("hash:64", &encoder, NULL) == STATUS_OK);
	for (size_t d = 0; d < 64; d++)
		model.fingerprint[d] = -model.fingerprint[d];
	ck_assert(model_check_encoder(&model, encoder, &err) == STATUS_ENCODER_MISMATCH);
	ck_assert_str_eq(err.msg, "encoder hash:64 gives the probe text another vector than when "
				  "the model was trained: cosine -1.000000, want at least 0.999");
	for (size_t d = 0; d < 64; d++)
		model.fingerprint[d] *= -1.01f; /* the same direction */
	ck_assert(model_check_encoder(&model, encoder, &err) == STATUS_OK);
	encoder_close(encoder);
	model_free(&model);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("model");
	TCase *save = tcase_create("save");
	TCase *init_case = tcase_create("init"), *facts = tcase_create("facts");
	TCase *check = tcase_create("check_encoder");

	tcase_add_checked_fixture(save, folder_make, folder_remove);
	tcase_add_loop_test(save, save_after_load_gives_the_same_bytes, 0, N_ROUTER_KINDS);
	tcase_add_loop_test(save, save_then_load_keeps_a_trained_model, 0, N_ROUTER_KINDS);
	tcase_add_test(save, save_that_fails_says_so_and_leaves_the_old_file);
	tcase_add_test(init_case, init_has_defaults);
	tcase_add_test(init_case, id_is_that_of_heads_and_encoder_only);
	tcase_add_test(facts, facts_are_ordered_and_replaced);
	tcase_add_test(check, check_encoder_accepts_the_one_it_was_made_with);
	tcase_add_test(check, check_encoder_refuses_another_spec);
	tcase_add_test(check, check_encoder_refuses_another_fingerprint);
	suite_add_tcase(suite, save);
	suite_add_tcase(suite, init_case);
	suite_add_tcase(suite, facts);
	suite_add_tcase(suite, check);
	return unit_run(suite);
}
