/* SPDX-License-Identifier: Apache-2.0 */
/* test_model_load.c - model files: what is read, and what is refused in which words. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/model/model.h"
#include "tests/unit/core/draft_fixture.h"
#include "tests/unit/core/folder_fixture.h"
#include "tests/unit/core/golden_fixture.h"
#include "tests/unit/unit.h"

#define K DRAFT_HEADS
#define D DRAFT_DIM
#define H DRAFT_HIDDEN

static void load(const char *path, struct model *model)
{
	struct err err = {.msg = ""};

	ck_assert_msg(model_load(path, model, &err) == STATUS_OK, "%s", err.msg);
}

/* ---- what is right ---- */

START_TEST(load_gives_what_the_file_says)
{
	struct draft draft;
	struct model model;

	draft_start(_i, &draft);
	load(draft_write(&draft), &model);
	ck_assert_uint_eq(model.heads.n_heads, K);
	ck_assert_uint_eq(model.heads.dim, D);
	ck_assert_uint_eq(model.router.dim, D);
	ck_assert_uint_eq(model.router.n_heads, K);
	ck_assert_int_eq(model.router.kind, _i);
	ck_assert_str_eq(model.encoder_spec, "none:4");
	ck_assert_str_eq(model.template_phi, "{prompt} {response}");
	ck_assert_str_eq(model.template_psi, "{context}");
	ck_assert_str_eq(model.labels[0], "terse");
	ck_assert_str_eq(model.labels[1], "warm");
	ck_assert(!model.mask[0] && model.mask[1]);
	ck_assert_uint_eq(model.n_facts, 2);
	ck_assert_str_eq(model.facts[0].key, "train.objective");
	ck_assert_str_eq(model.facts[1].value, "7");
	for (size_t d = 0; d < D; d++)
		ck_assert_float_eq(model.fingerprint[d], 0);
	model_free(&model);
}
END_TEST

/* in memory [n_columns, n_rows], in the file [n_rows, n_columns] */
static void assert_transposed(const float *memory, const float *file, size_t n_rows,
			      size_t n_columns)
{
	for (size_t i = 0; i < n_rows; i++) {
		for (size_t j = 0; j < n_columns; j++)
			ck_assert_float_eq(memory[j * n_rows + i], file[i * n_columns + j]);
	}
}

START_TEST(load_puts_every_weight_in_its_place)
{
	struct draft draft;
	struct model model;

	draft_start(_i, &draft);
	load(draft_write(&draft), &model);
	assert_transposed(model.heads.weight, draft_values, K, D);
	ck_assert_mem_eq(model.heads.center, draft_values + 8, K * sizeof(float));
	ck_assert_mem_eq(model.router.bias, draft_values + 10, K * sizeof(float));
	if (_i == ROUTER_LINEAR)
		assert_transposed(model.router.first, draft_values + 20, K, D);
	if (_i == ROUTER_MLP) {
		ck_assert_uint_eq(model.router.n_hidden, H);
		assert_transposed(model.router.first, draft_values + 30, H, D);
		assert_transposed(model.router.weight2, draft_values + 42, K, H);
		ck_assert_mem_eq(model.router.bias0, draft_values + 12, H * sizeof(float));
	}
	model_free(&model);
}
END_TEST

START_TEST(load_converts_half_precision)
{
	/* heads.weight [1,1] = 1.5 in F16, heads.center [1] = -2 in BF16, router.bias [1] = 1 */
	static const unsigned char data[] = {0x00, 0x3e, 0x00, 0xc0, 0x00, 0x00, 0x80, 0x3f};
	static const char header[] =
	    "{\"__metadata__\":{\"format\":\"micro/1\",\"encoder\":\"none:1\","
	    "\"encoder.fingerprint\":\"AAAAAA==\",\"template.phi\":\"\",\"template.psi\":\"\","
	    "\"heads.labels\":\"[\\\"only\\\"]\",\"heads.mask\":\"[false]\"},"
	    "\"heads.weight\":{\"dtype\":\"F16\",\"shape\":[1,1],\"data_offsets\":[0,2]},"
	    "\"heads.center\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[2,4]},"
	    "\"router.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}";
	uint64_t header_len = strlen(header);
	unsigned char bytes[1024];
	struct model model;

	memcpy(bytes, &header_len, 8);
	memcpy(bytes + 8, header, header_len);
	memcpy(bytes + 8 + header_len, data, sizeof(data));
	load(folder_write("half", bytes, 8 + header_len + sizeof(data)), &model);
	ck_assert_float_eq(model.heads.weight[0], 1.5f);
	ck_assert_float_eq(model.heads.center[0], -2);
	ck_assert_float_eq(model.router.bias[0], 1);
	ck_assert_uint_eq(model.n_facts, 0);
	model_free(&model);
}
END_TEST

START_TEST(loaded_model_has_the_golden_id)
{
	enum { GOLDEN_HEADS = 5, GOLDEN_DIM = 7 };
	static const char fingerprint[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";
	json_t *root = golden_open(TESTS_DIR "/golden/model.json");
	const json_t *golden = golden_get(root, "model_id");
	float weight[GOLDEN_HEADS * GOLDEN_DIM], center[GOLDEN_HEADS];
	struct draft draft;
	struct model model;

	golden_floats(golden_get(golden, "weight"), weight, LENGTH(weight));
	golden_floats(golden_get(golden, "center"), center, LENGTH(center));
	draft_start(ROUTER_STATIC, &draft);
	draft.tensors[0] = (struct tensor_spec){"heads.weight", 2, {5, 7}, weight};
	draft.tensors[1] = (struct tensor_spec){"heads.center", 1, {5}, center};
	draft.tensors[2] = (struct tensor_spec){"router.bias", 1, {5}, draft_values};
	draft_put_metadata(&draft, "encoder", "none:7");
	draft_put_metadata(&draft, "encoder.fingerprint", fingerprint);
	draft_put_metadata(&draft, "heads.labels", "[\"a\",\"b\",\"c\",\"d\",\"e\"]");
	draft_put_metadata(&draft, "heads.mask", "[false,false,false,false,false]");
	load(draft_write(&draft), &model);
	ck_assert_str_eq(model.id, json_string_value(golden_get(golden, "id")));
	model_free(&model);
	json_decref(root);
}
END_TEST

/* In check's time limit of 4 s: not a search and a copy of all facts for each. */
START_TEST(load_takes_many_facts)
{
	enum { N_FACTS = 60000, KEY = 16 };
	static char keys[N_FACTS][KEY];
	static struct metadata_spec metadata[DRAFT_MAX + N_FACTS];
	const char *path = folder_path("facts");
	struct draft draft;
	struct model model;
	size_t n;

	draft_start(ROUTER_STATIC, &draft);
	n = draft.n_metadata;
	memcpy(metadata, draft.metadata, n * sizeof(*metadata));
	for (size_t i = 0; i < N_FACTS; i++) {
		snprintf(keys[i], KEY, "train.%zu", N_FACTS - i);
		metadata[n++] = (struct metadata_spec){keys[i], "v"};
	}
	ck_assert(safetensors_write(path, draft.tensors, draft.n_tensors, metadata, n, NULL) ==
		  STATUS_OK);
	load(path, &model);
	ck_assert_uint_eq(model.n_facts, N_FACTS + 2);
	for (size_t i = 1; i < model.n_facts; i++)
		ck_assert_int_lt(strcmp(model.facts[i - 1].key, model.facts[i].key), 0);
	ck_assert_str_eq(model_fact(&model, "train.777"), "v");
	ck_assert(model_set_fact(&model, "train.777", "w", NULL) == STATUS_OK);
	ck_assert(model_set_fact(&model, "train.new", "x", NULL) == STATUS_OK);
	ck_assert_str_eq(model_fact(&model, "train.777"), "w");
	ck_assert_str_eq(model_fact(&model, "train.new"), "x");
	model_free(&model);
}
END_TEST

/* ---- what is refused ---- */

static void assert_load_refused(size_t i, const char *path, const char *want)
{
	struct err err = {.msg = ""};
	struct model model;
	enum status status = model_load(path, &model, &err);
	char message[1024];

	snprintf(message, sizeof(message), "load model %s: %s", path, want);
	ck_assert_msg(status == STATUS_BAD_FILE, "case %zu: %s, %s", i, status_code(status),
		      err.msg);
	ck_assert_msg(err.code == status, "case %zu: code %s", i, status_code(err.code));
	ck_assert_msg(strcmp(err.msg, message) == 0, "case %zu: \"%s\", want \"%s\"", i, err.msg,
		      message);
}

START_TEST(load_refuses_wrong_tensors)
{
	static const struct {
		enum router_kind kind;
		struct tensor_spec tensor; /* without data: it is taken out */
		const char *want;
	} cases[] = {
	    {ROUTER_STATIC, {.name = "heads.weight"}, "tensor heads.weight is missing"},
	    {ROUTER_STATIC, {.name = "heads.center"}, "tensor heads.center is missing"},
	    {ROUTER_STATIC, {.name = "router.bias"}, "tensor router.bias is missing"},
	    {ROUTER_LINEAR, {.name = "router.bias"}, "tensor router.bias is missing"},
	    {ROUTER_LINEAR, {.name = "heads.weight"}, "tensor heads.weight is missing"},
	    {ROUTER_MLP, {.name = "router.0.bias"}, "tensor router.0.bias is missing"},
	    {ROUTER_MLP, {.name = "router.2.weight"}, "tensor router.2.weight is missing"},
	    {ROUTER_MLP, {.name = "router.2.bias"}, "tensor router.2.bias is missing"},
	    {ROUTER_MLP, {.name = "router.0.weight"}, "tensor router.bias is missing"},
	    {ROUTER_STATIC,
	     {"score.weight", 1, {K}, draft_values},
	     "unexpected tensor score.weight"},
	    {ROUTER_STATIC,
	     {"router.2.bias", 1, {K}, draft_values},
	     "unexpected tensor router.2.bias"},
	    {ROUTER_MLP,
	     {"router.weight", 2, {K, D}, draft_values},
	     "unexpected tensor router.weight"},
	    {ROUTER_MLP, {"router.bias", 1, {K}, draft_values}, "unexpected tensor router.bias"},
	    {ROUTER_STATIC,
	     {"heads.weight", 1, {K}, draft_values},
	     "heads.weight: shape [2], want [n_heads, dim]"},
	    {ROUTER_STATIC,
	     {"heads.weight", 2, {0, D}, draft_values},
	     "heads.weight: shape [0, 4], want 1 <= n_heads <= 1024"},
	    {ROUTER_STATIC,
	     {"heads.weight", 2, {1025, 0}, draft_values},
	     "heads.weight: shape [1025, 0], want 1 <= n_heads <= 1024"},
	    {ROUTER_STATIC,
	     {"heads.weight", 2, {K, 0}, draft_values},
	     "heads.weight: shape [2, 0], want 1 <= dim <= 1048576"},
	    {ROUTER_STATIC,
	     {"heads.weight", 2, {1, 5}, draft_values},
	     "heads.center: shape [2], want [1]"},
	    {ROUTER_STATIC,
	     {"heads.center", 2, {K, 1}, draft_values},
	     "heads.center: shape [2, 1], want [2]"},
	    {ROUTER_STATIC,
	     {"router.bias", 1, {3}, draft_values},
	     "router.bias: shape [3], want [2]"},
	    {ROUTER_LINEAR,
	     {"router.weight", 2, {K, 3}, draft_values},
	     "router.weight: shape [2, 3], want [2, 4]"},
	    {ROUTER_LINEAR,
	     {"router.weight", 2, {D, K}, draft_values},
	     "router.weight: shape [4, 2], want [2, 4]"},
	    {ROUTER_MLP,
	     {"router.0.weight", 2, {H, 2}, draft_values},
	     "router.0.weight: shape [3, 2], want [3, 4]"},
	    {ROUTER_MLP,
	     {"router.0.weight", 1, {12}, draft_values},
	     "router.0.weight: shape [12], want [n_hidden, dim]"},
	    {ROUTER_MLP,
	     {"router.0.weight", 2, {0, D}, draft_values},
	     "router.0.weight: shape [0, 4], want 1 <= n_hidden <= 65536"},
	    {ROUTER_MLP,
	     {"router.0.weight", 2, {65537, 0}, draft_values},
	     "router.0.weight: shape [65537, 0], want 1 <= n_hidden <= 65536"},
	    {ROUTER_MLP,
	     {"router.0.weight", 2, {65536, 0}, draft_values},
	     "router.0.weight: shape [65536, 0], want [65536, 4]"},
	    {ROUTER_MLP,
	     {"router.0.bias", 1, {4}, draft_values},
	     "router.0.bias: shape [4], want [3]"},
	    {ROUTER_MLP,
	     {"router.2.weight", 2, {H, K}, draft_values},
	     "router.2.weight: shape [3, 2], want [2, 3]"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct draft draft;

		draft_start(cases[i].kind, &draft);
		draft_put_tensor(&draft, cases[i].tensor);
		assert_load_refused(i, draft_write(&draft), cases[i].want);
	}
}
END_TEST

START_TEST(load_refuses_a_dimension_beyond_the_largest)
{
	static float weight[ENCODER_MAX_DIM + 1];
	const struct tensor_spec tensor = {"heads.weight", 2, {1, ENCODER_MAX_DIM + 1}, weight};
	struct draft draft;

	draft_start(ROUTER_STATIC, &draft);
	draft_put_tensor(&draft, tensor);
	assert_load_refused(0, draft_write(&draft),
			    "heads.weight: shape [1, 1048577], want 1 <= dim <= 1048576");
}
END_TEST

START_TEST(load_refuses_wrong_metadata)
{
	static const struct {
		const char *key;
		const char *value; /* NULL: it is taken out */
		const char *want;
	} cases[] = {
	    {"format", NULL, "no MiCRo model: metadata has no \"format\", want \"micro/1\""},
	    {"format", "micro/2", "format: \"micro/2\", want \"micro/1\""},
	    {"format", "pt", "format: \"pt\", want \"micro/1\""},
	    {"encoder", NULL, "metadata has no \"encoder\""},
	    {"encoder.fingerprint", NULL, "metadata has no \"encoder.fingerprint\""},
	    {"template.phi", NULL, "metadata has no \"template.phi\""},
	    {"template.psi", NULL, "metadata has no \"template.psi\""},
	    {"heads.labels", NULL, "metadata has no \"heads.labels\""},
	    {"heads.mask", NULL, "metadata has no \"heads.mask\""},
	    {"colour", "red", "unexpected metadata \"colour\""},
	    {"trainer", "x", "unexpected metadata \"trainer\""},
	    {"encoder", "word2vec",
	     "encoder \"word2vec\": want hash:D, none:D, openai:D?model=NAME or "
	     "tei:D?normalize=false with D from 1 to 1048576, such as " ENCODER_DEFAULT_SPEC},
	    {"encoder", "none:5", "encoder: none:5 has dimension 5, but heads.weight has 4"},
	    {"encoder", "hash:4096",
	     "encoder: hash:4096 has dimension 4096, but heads.weight has 4"},
	    {"encoder.fingerprint", "AAAA",
	     "encoder.fingerprint: base64 of 3 bytes, want 4 numbers of 4 bytes"},
	    {"encoder.fingerprint", "AAAAAA==", "encoder.fingerprint: vector of 1 numbers, want 4"},
	    {"encoder.fingerprint", "?",
	     "encoder.fingerprint: base64 of 1 characters, want a "
	     "multiple of 4 (with padding)"},
	    {"encoder.fingerprint", "AAAAAAAAgH8AAAAAAAAAAA==",
	     "encoder.fingerprint: number 1 of the vector is not finite"},
	    {"template.phi", "{answer}",
	     "template.phi: offset 0: a single brace or an unknown placeholder, want {context}, "
	     "{prompt}, {response}, or {{ and }} for braces"},
	    {"template.psi", "{prompt}{response}",
	     "template.psi: offset 8: {response} is not known where the router reads, want "
	     "{context} and {prompt} only"},
	    {"heads.labels", "terse",
	     "heads.labels: line 1, column 5: '[' or '{' expected near 'terse'"},
	    {"heads.labels", "{}", "heads.labels: want an array of 2 items"},
	    {"heads.labels", "[\"a\"]", "heads.labels: want an array of 2 items"},
	    {"heads.labels", "[\"a\",\"b\",\"c\"]", "heads.labels: want an array of 2 items"},
	    {"heads.labels", "[\"a\",2]", "heads.labels: item 1: want a string"},
	    {"heads.mask", "[", "heads.mask: line 1, column 1: ']' expected near end of file"},
	    {"heads.mask", "[true]", "heads.mask: want an array of 2 items"},
	    {"heads.mask", "[0,1]", "heads.mask: item 0: want true or false"},
	    {"heads.mask", "[false,null]", "heads.mask: item 1: want true or false"},
	    {"heads.mask", "[true,true]", "heads.mask: all heads are masked, want one that is not"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct draft draft;

		draft_start(ROUTER_LINEAR, &draft);
		draft_put_metadata(&draft, cases[i].key, cases[i].value);
		assert_load_refused(i, draft_write(&draft), cases[i].want);
	}
}
END_TEST

/* The writer refuses NaN, so the file's bytes are changed afterwards. */
START_TEST(load_refuses_weights_that_are_not_finite)
{
	/* data begins with heads.center [2], heads.weight [2, 4], router.bias [2] */
	static const struct {
		size_t at; /* number in the data */
		const char *want;
	} cases[] = {
	    {1, "heads.center: number 1 is not finite"},
	    {2, "heads.weight: number 0 is not finite"},
	    {11, "router.bias: number 1 is not finite"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		const float nan = NAN;
		struct draft draft;
		size_t len;
		char *bytes;

		draft_start(ROUTER_STATIC, &draft);
		bytes = folder_read(draft_write(&draft), &len);
		memcpy(bytes + len - (12 - cases[i].at) * sizeof(nan), &nan, sizeof(nan));
		assert_load_refused(i, folder_write("nan", bytes, len), cases[i].want);
		free(bytes);
	}
}
END_TEST

START_TEST(load_refuses_a_truncated_file)
{
	struct draft draft;
	char *bytes;
	size_t len;

	draft_start(ROUTER_MLP, &draft);
	bytes = folder_read(draft_write(&draft), &len);
	for (size_t n = 0; n < len; n += 13) {
		const char *path = folder_write("cut", bytes, n);
		struct model model;
		struct err err;

		ck_assert_msg(model_load(path, &model, &err) == STATUS_BAD_FILE, "%zu bytes", n);
		ck_assert_ptr_eq(strstr(err.msg, "load model /"), err.msg);
	}
	free(bytes);
}
END_TEST

START_TEST(load_names_a_file_that_is_not_there)
{
	struct model model;
	struct err err;

	ck_assert(model_load("/no/such/file", &model, &err) == STATUS_IO);
	ck_assert_str_eq(err.msg, "load model /no/such/file: open: No such file or directory");
	ck_assert(model_load("/no/such/file", &model, NULL) == STATUS_IO);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("model_load");
	TCase *right = tcase_create("right"), *refused = tcase_create("refused");

	tcase_add_checked_fixture(right, folder_make, folder_remove);
	tcase_add_loop_test(right, load_gives_what_the_file_says, 0, N_ROUTER_KINDS);
	tcase_add_loop_test(right, load_puts_every_weight_in_its_place, 0, N_ROUTER_KINDS);
	tcase_add_test(right, load_converts_half_precision);
	tcase_add_test(right, loaded_model_has_the_golden_id);
	tcase_add_test(right, load_takes_many_facts);
	tcase_add_checked_fixture(refused, folder_make, folder_remove);
	tcase_add_test(refused, load_refuses_wrong_tensors);
	tcase_add_test(refused, load_refuses_a_dimension_beyond_the_largest);
	tcase_add_test(refused, load_refuses_wrong_metadata);
	tcase_add_test(refused, load_refuses_weights_that_are_not_finite);
	tcase_add_test(refused, load_refuses_a_truncated_file);
	tcase_add_test(refused, load_names_a_file_that_is_not_there);
	suite_add_tcase(suite, right);
	suite_add_tcase(suite, refused);
	return unit_run(suite);
}
