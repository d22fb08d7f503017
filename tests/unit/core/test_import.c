/* SPDX-License-Identifier: Apache-2.0 */
/* test_import.c - foreign checkpoints: what becomes of them, and what is refused in which words. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/encode/template.h"
#include "core/model/import.h"
#include "core/model/safetensors.h"
#include "core/model/shard_index.h"
#include "tests/unit/core/draft_fixture.h"
#include "tests/unit/core/folder_fixture.h"
#include "tests/unit/unit.h"

#define K	    2
#define D	    4
#define H	    3
#define MAX_TENSORS 6

static const struct import_options plain = {NULL, NULL, TEMPLATE_DEFAULT_PHI, TEMPLATE_DEFAULT_PSI};

static const struct tensor_spec score = {"score.weight", 2, {K, D}, draft_values};
static const struct tensor_spec backbone = {"model.norm.weight", 1, {D}, draft_values};
static const struct tensor_spec router_weight = {"router.weight", 2, {K, D}, draft_values + 20};
static const struct tensor_spec router_bias = {"router.bias", 1, {K}, draft_values + 10};
static const struct tensor_spec mlp[] = {
    {"router.0.weight", 2, {H, D}, draft_values + 30},
    {"router.0.bias", 1, {H}, draft_values + 12},
    {"router.2.weight", 2, {K, H}, draft_values + 42},
    {"router.2.bias", 1, {K}, draft_values + 10},
};

/* Tensors up to the first without a name. */
static const char *write_shard(const char *name, const struct tensor_spec *tensors)
{
	const char *path = folder_path(name);
	size_t n = 0;

	while (n < MAX_TENSORS && tensors[n].name != NULL)
		n++;
	ck_assert_int_eq(safetensors_write(path, tensors, n, NULL, 0, NULL), STATUS_OK);
	return path;
}

static void import(const char *path, struct model *model)
{
	struct err err = {.msg = ""};

	ck_assert_msg(import_model(path, &plain, model, &err) == STATUS_OK, "%s", err.msg);
}

/* Refused with "import <path>: <message>". */
static void assert_refused(const char *what, const char *path, const char *message)
{
	char wanted[1024];
	struct model model;
	struct err err;
	enum status status = import_model(path, &plain, &model, &err);

	ck_assert_msg(status != STATUS_OK, "%s: not refused", what);
	snprintf(wanted, sizeof(wanted), "import %s: %s", path, message);
	ck_assert_msg(strcmp(err.msg, wanted) == 0, "%s:\n%s\nwant\n%s", what, err.msg, wanted);
	ck_assert_int_eq(err.code, status);
}

/* in memory [n_columns, n_rows], in the file [n_rows, n_columns] */
static void assert_transposed(const float *memory, const float *file, size_t n_rows,
			      size_t n_columns)
{
	for (size_t i = 0; i < n_rows; i++) {
		for (size_t j = 0; j < n_columns; j++)
			ck_assert_float_eq(memory[j * n_rows + i], file[i * n_columns + j]);
	}
}

/* ---- what is right ---- */

START_TEST(linear_checkpoint_keeps_heads_and_router)
{
	const struct tensor_spec tensors[MAX_TENSORS] = {score, router_weight, router_bias,
							 backbone};
	struct model model;

	import(write_shard("authors.safetensors", tensors), &model);
	ck_assert_uint_eq(model.heads.n_heads, K);
	ck_assert_uint_eq(model.heads.dim, D);
	ck_assert_int_eq(model.router.kind, ROUTER_LINEAR);
	assert_transposed(model.heads.weight, score.data, K, D);
	assert_transposed(model.router.first, router_weight.data, K, D);
	ck_assert_mem_eq(model.router.bias, router_bias.data, K * sizeof(float));
	for (size_t k = 0; k < K; k++)
		ck_assert_float_eq(model.heads.center[k], 0);
	ck_assert_str_eq(model.encoder_spec, "none:4");
	ck_assert_str_eq(model.labels[1], "head 1");
	ck_assert_uint_eq(strlen(model.id), DIGEST_HEX_LEN);
	model_free(&model);
}
END_TEST

START_TEST(facts_say_where_each_tensor_is_from)
{
	const struct tensor_spec tensors[MAX_TENSORS] = {score, router_weight, router_bias};
	char hex[DIGEST_HEX_LEN + 1];
	struct digest digest;
	struct model model;

	import(write_shard("authors.safetensors", tensors), &model);
	digest_init(&digest);
	digest_add(&digest, score.data, K * D * sizeof(float));
	digest_hex(&digest, hex);
	ck_assert_str_eq(model_fact(&model, "train.import.score.weight.sha256"), hex);
	ck_assert_str_eq(model_fact(&model, "train.import.score.weight.dtype"), "F32");
	ck_assert_str_eq(model_fact(&model, "train.import.router.bias.file"),
			 "authors.safetensors");
	ck_assert_str_eq(model_fact(&model, "train.import.center"),
			 "zero: the training set is not known, rewards are not centered");
	ck_assert_str_eq(model_fact(&model, "train.version"), MICRO_VERSION);
	ck_assert_ptr_null(model_fact(&model, "train.import.router"));
	model_free(&model);
}
END_TEST

START_TEST(mlp_router_keeps_both_layers)
{
	const struct tensor_spec tensors[MAX_TENSORS] = {score, mlp[0], mlp[1], mlp[2], mlp[3]};
	struct model model;

	import(write_shard("m", tensors), &model);
	ck_assert_int_eq(model.router.kind, ROUTER_MLP);
	ck_assert_uint_eq(model.router.n_hidden, H);
	assert_transposed(model.router.first, mlp[0].data, H, D);
	ck_assert_mem_eq(model.router.bias0, mlp[1].data, H * sizeof(float));
	assert_transposed(model.router.weight2, mlp[2].data, K, H);
	ck_assert_mem_eq(model.router.bias, mlp[3].data, K * sizeof(float));
	model_free(&model);
}
END_TEST

START_TEST(plain_reward_model_is_one_head_without_a_router)
{
	const struct tensor_spec tensors[MAX_TENSORS] = {{"score.weight", 2, {1, D}, draft_values},
							 backbone};
	struct model model;

	import(write_shard("m", tensors), &model);
	ck_assert_uint_eq(model.heads.n_heads, 1);
	ck_assert_int_eq(model.router.kind, ROUTER_STATIC);
	ck_assert_float_eq(model.router.bias[0], 0);
	ck_assert_str_eq(model_fact(&model, "train.import.router"),
			 "uniform: the checkpoint has none");
	model_free(&model);
}
END_TEST

START_TEST(bias_alone_is_a_static_router)
{
	const struct tensor_spec tensors[MAX_TENSORS] = {score, router_bias};
	struct model model;

	import(write_shard("m", tensors), &model);
	ck_assert_int_eq(model.router.kind, ROUTER_STATIC);
	ck_assert_mem_eq(model.router.bias, router_bias.data, K * sizeof(float));
	ck_assert_ptr_null(model_fact(&model, "train.import.router"));
	model_free(&model);
}
END_TEST

/* A file of one tensor with any dtype, by hand. */
static const char *write_raw(const char *dtype, const char *shape, const void *data, size_t len)
{
	char bytes[512];
	uint64_t header_len = (uint64_t)snprintf(bytes + 8, sizeof(bytes) - 8,
						 "{\"score.weight\":{\"dtype\":\"%s\",\"shape\":%s,"
						 "\"data_offsets\":[0,%zu]}}",
						 dtype, shape, len);

	memcpy(bytes, &header_len, 8);
	memcpy(bytes + 8 + header_len, data, len);
	return folder_write("raw.safetensors", bytes, 8 + header_len + len);
}

START_TEST(half_precision_is_widened_exactly)
{
	static const struct {
		const char *dtype;
		uint16_t bits[4]; /* 1, -2, 0.5, 0 */
	} halves[] = {{"F16", {0x3c00, 0xc000, 0x3800, 0}}, {"BF16", {0x3f80, 0xc000, 0x3f00, 0}}};
	static const float wanted[] = {1, -2, 0.5f, 0};
	struct model model;

	import(write_raw(halves[_i].dtype, "[1,4]", halves[_i].bits, 8), &model);
	ck_assert_mem_eq(model.heads.weight, wanted, sizeof(wanted));
	ck_assert_str_eq(model_fact(&model, "train.import.score.weight.dtype"), halves[_i].dtype);
	model_free(&model);
}
END_TEST

static const char good_index[] = "{\"metadata\":{\"total_size\":64},\"weight_map\":{"
				 "\"score.weight\":\"a.safetensors\","
				 "\"router.weight\":\"b.safetensors\","
				 "\"router.bias\":\"b.safetensors\","
				 "\"model.embed\":\"never-opened.safetensors\"}}";

/* a.safetensors and b.safetensors with an index; the path of the folder. */
static const char *write_folder(const char *index)
{
	const struct tensor_spec a[MAX_TENSORS] = {score, backbone};
	const struct tensor_spec b[MAX_TENSORS] = {router_weight, router_bias};

	write_shard("a.safetensors", a);
	write_shard("b.safetensors", b);
	folder_write(SHARD_INDEX_NAME, index, strlen(index));
	return folder_path(".");
}

START_TEST(shards_are_opened_as_the_index_says)
{
	struct model model;

	import(write_folder(good_index), &model);
	assert_transposed(model.heads.weight, score.data, K, D);
	assert_transposed(model.router.first, router_weight.data, K, D);
	ck_assert_str_eq(model_fact(&model, "train.import.score.weight.file"), "a.safetensors");
	ck_assert_str_eq(model_fact(&model, "train.import.router.weight.file"), "b.safetensors");
	model_free(&model);
}
END_TEST

START_TEST(single_file_of_a_folder_counts_before_its_index)
{
	const struct tensor_spec tensors[MAX_TENSORS] = {{"score.weight", 2, {1, D}, draft_values}};
	struct model model;

	write_shard("model.safetensors", tensors);
	import(write_folder(good_index), &model);
	ck_assert_uint_eq(model.heads.n_heads, 1);
	ck_assert_str_eq(model_fact(&model, "train.import.score.weight.file"), "model.safetensors");
	model_free(&model);
}
END_TEST

START_TEST(options_set_encoder_and_templates)
{
	const struct import_options options = {"hash:4", NULL, "{prompt} {response}", "{context}"};
	const struct tensor_spec tensors[MAX_TENSORS] = {score};
	struct model model;

	ck_assert_int_eq(import_model(write_shard("m", tensors), &options, &model, NULL),
			 STATUS_OK);
	ck_assert_str_eq(model.encoder_spec, "hash:4");
	ck_assert_str_eq(model.template_phi, "{prompt} {response}");
	ck_assert_str_eq(model.template_psi, "{context}");
	model_free(&model);
}
END_TEST

START_TEST(saved_model_loads_with_the_same_id)
{
	const struct tensor_spec tensors[MAX_TENSORS] = {score, router_weight, router_bias};
	struct model model, loaded;

	import(write_shard("m", tensors), &model);
	ck_assert_int_eq(model_save(&model, folder_path("out"), NULL), STATUS_OK);
	ck_assert_int_eq(model_load(folder_path("out"), &loaded, NULL), STATUS_OK);
	ck_assert_str_eq(model.id, loaded.id);
	ck_assert_uint_eq(model.n_facts, loaded.n_facts);
	model_free(&model);
	model_free(&loaded);
}
END_TEST

/* ---- what is refused ---- */

static const struct {
	const char *what;
	struct tensor_spec tensors[MAX_TENSORS];
	const char *message;
} wrong_tensors[] = {
    {"no heads",
     {{"router.bias", 1, {K}, draft_values}},
     "tensor score.weight is missing, want the heads, [n_heads, dim]"},
    {"heads of rank 1",
     {{"score.weight", 1, {D}, draft_values}},
     "score.weight: shape [4], want [n_heads, dim]"},
    {"no rows",
     {{"score.weight", 2, {0, D}, draft_values}},
     "score.weight: shape [0, 4], want 1 <= n_heads <= 1024"},
    {"no columns",
     {{"score.weight", 2, {K, 0}, draft_values}},
     "score.weight: shape [2, 0], want 1 <= dim <= 1048576"},
    {"linear router of another dimension",
     {{"score.weight", 2, {K, D}, draft_values},
      {"router.weight", 2, {K, 3}, draft_values},
      {"router.bias", 1, {K}, draft_values}},
     "router.weight: shape [2, 3], want [2, 4]"},
    {"linear router without bias",
     {{"score.weight", 2, {K, D}, draft_values}, {"router.weight", 2, {K, D}, draft_values}},
     "tensor router.bias is missing, want shape [2]"},
    {"bias of another length",
     {{"score.weight", 2, {K, D}, draft_values}, {"router.bias", 1, {3}, draft_values}},
     "router.bias: shape [3], want [2]"},
    {"two routers",
     {{"score.weight", 2, {K, D}, draft_values},
      {"router.weight", 2, {K, D}, draft_values},
      {"router.0.weight", 2, {H, D}, draft_values}},
     "both router.0.weight and router.weight are there, want one router"},
    {"first layer of rank 1",
     {{"score.weight", 2, {K, D}, draft_values}, {"router.0.weight", 1, {D}, draft_values}},
     "router.0.weight: shape [4], want [n_hidden, dim]"},
    {"mlp without its last bias",
     {{"score.weight", 2, {K, D}, draft_values},
      {"router.0.weight", 2, {H, D}, draft_values},
      {"router.0.bias", 1, {H}, draft_values},
      {"router.2.weight", 2, {K, H}, draft_values}},
     "tensor router.2.bias is missing, want shape [2]"},
};

START_TEST(refuses_tensors)
{
	assert_refused(wrong_tensors[_i].what, write_shard("m", wrong_tensors[_i].tensors),
		       wrong_tensors[_i].message);
}
END_TEST

START_TEST(refuses_integers)
{
	static const int32_t numbers[4] = {1, 2, 3, 4};

	assert_refused("integers", write_raw("I32", "[1,4]", numbers, sizeof(numbers)),
		       "score.weight: dtype I32, want F32, F16 or BF16");
}
END_TEST

START_TEST(refuses_infinity)
{
	static const uint16_t numbers[4] = {0x3c00, 0, 0x7c00, 0};

	assert_refused("infinity", write_raw("F16", "[1,4]", numbers, sizeof(numbers)),
		       "score.weight: number 2 is not finite");
}
END_TEST

static const struct {
	const char *index;
	const char *message;
} wrong_indices[] = {
    {"{\"weight_map\"", SHARD_INDEX_NAME ": line 1, column 13: ':' expected near end of file"},
    {"[]", SHARD_INDEX_NAME ": weight_map is missing or not an object"},
    {"{\"weight_map\":[]}", SHARD_INDEX_NAME ": weight_map is missing or not an object"},
    {"{\"weight_map\":{\"x\":1}}",
     SHARD_INDEX_NAME ": weight_map: x: want a string, the name of a file"},
    {"{\"weight_map\":{\"x\":\"../a.safetensors\"}}", SHARD_INDEX_NAME
     ": weight_map: x: \"../a.safetensors\", want the plain name of a file in the folder"},
    {"{\"weight_map\":{\"x\":\"/a\"}}",
     SHARD_INDEX_NAME ": weight_map: x: \"/a\", want the plain name of a file in the folder"},
    {"{\"weight_map\":{\"x\":\"..\"}}",
     SHARD_INDEX_NAME ": weight_map: x: \"..\", want the plain name of a file in the folder"},
    {"{\"weight_map\":{\"x\":\"\"}}",
     SHARD_INDEX_NAME ": weight_map: x: \"\", want the plain name of a file in the folder"},
    {"{\"weight_map\":{\"x\":\"a\",\"x\":\"b\"}}",
     SHARD_INDEX_NAME ": line 1, column 26: duplicate object key near '\"x\"'"},
    {"{\"weight_map\":{}}", "tensor score.weight is missing, want the heads, [n_heads, dim]"},
    {"{\"weight_map\":{\"score.weight\":\"gone\"}}",
     "score.weight: gone, which the index names for it: open: No such file or directory"},
    {"{\"weight_map\":{\"score.weight\":\"b.safetensors\"}}",
     "b.safetensors: tensor score.weight is missing, which the index says is here"},
    {"{\"weight_map\":{\"score.weight\":\"" SHARD_INDEX_NAME "\"}}",
     "score.weight: " SHARD_INDEX_NAME ", which the index names for it: not a safetensors file, "
     "which begins with the length of its header and '{'"},
};

START_TEST(refuses_indices)
{
	assert_refused(wrong_indices[_i].index, write_folder(wrong_indices[_i].index),
		       wrong_indices[_i].message);
}
END_TEST

START_TEST(names_the_shard_of_a_wrong_tensor)
{
	const struct tensor_spec b[MAX_TENSORS] = {{"router.weight", 2, {3, D}, draft_values},
						   router_bias};
	const char *path = write_folder(good_index);

	write_shard("b.safetensors", b);
	assert_refused("wrong shape in a shard", path,
		       "b.safetensors: router.weight: shape [3, 4], want [2, 4]");
}
END_TEST

START_TEST(refuses_a_folder_without_weights)
{
	assert_refused("empty folder", folder_path("."),
		       "a folder without model.safetensors and without "
		       "model.safetensors.index.json, want one of them");
	assert_refused("no such file", folder_path("gone"), "open: No such file or directory");
}
END_TEST

START_TEST(refuses_an_encoder_of_another_dimension)
{
	const struct import_options options = {"none:5", NULL, TEMPLATE_DEFAULT_PHI,
					       TEMPLATE_DEFAULT_PSI};
	const struct tensor_spec tensors[MAX_TENSORS] = {score};
	struct model model;
	struct err err;

	ck_assert_int_eq(import_model(write_shard("m", tensors), &options, &model, &err),
			 STATUS_INVALID_VALUE);
	ck_assert_ptr_nonnull(
	    strstr(err.msg, ": encoder none:5 has dimension 5, but score.weight has 4"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("import");
	TCase *right = tcase_create("right"), *refused = tcase_create("refused");

	tcase_add_checked_fixture(right, folder_make, folder_remove);
	tcase_add_test(right, linear_checkpoint_keeps_heads_and_router);
	tcase_add_test(right, facts_say_where_each_tensor_is_from);
	tcase_add_test(right, mlp_router_keeps_both_layers);
	tcase_add_test(right, plain_reward_model_is_one_head_without_a_router);
	tcase_add_test(right, bias_alone_is_a_static_router);
	tcase_add_loop_test(right, half_precision_is_widened_exactly, 0, 2);
	tcase_add_test(right, shards_are_opened_as_the_index_says);
	tcase_add_test(right, single_file_of_a_folder_counts_before_its_index);
	tcase_add_test(right, options_set_encoder_and_templates);
	tcase_add_test(right, saved_model_loads_with_the_same_id);
	suite_add_tcase(suite, right);
	tcase_add_checked_fixture(refused, folder_make, folder_remove);
	tcase_add_loop_test(refused, refuses_tensors, 0, LENGTH(wrong_tensors));
	tcase_add_test(refused, refuses_integers);
	tcase_add_test(refused, refuses_infinity);
	tcase_add_loop_test(refused, refuses_indices, 0, LENGTH(wrong_indices));
	tcase_add_test(refused, names_the_shard_of_a_wrong_tensor);
	tcase_add_test(refused, refuses_a_folder_without_weights);
	tcase_add_test(refused, refuses_an_encoder_of_another_dimension);
	suite_add_tcase(suite, refused);
	return unit_run(suite);
}
