/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <jansson.h>

#include "core/tool/model_report.h"
#include "tests/unit/core/capture_fixture.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/unit.h"

static struct capture capture;
static struct model model;
static struct head_likeness likeness;

/* Head k is the unit vector k % PAIRS_DIM: heads PAIRS_DIM apart are equal. */
static void start(size_t n_heads, enum router_kind kind)
{
	capture_start(&capture, false, false);
	pairs_model(n_heads, kind, 3, &model);
	for (size_t k = 0; k < n_heads; k++)
		model.heads.weight[k % PAIRS_DIM * n_heads + k] = 1;
	model.heads.center[0] = 0.5f;
	ck_assert_int_eq(model_set_fact(&model, "train.seed", "7", NULL), STATUS_OK);
	ck_assert_int_eq(head_likeness_init(&likeness, &model.heads, NULL), STATUS_OK);
}

static void teardown(void)
{
	head_likeness_free(&likeness);
	model_free(&model);
	capture_end(&capture);
}

static const char *print_text(void)
{
	ck_assert_int_eq(
	    model_report_text("m.safetensors", &model, &likeness, &capture.terminal, NULL),
	    STATUS_OK);
	return capture_text(&capture);
}

static json_t *print_json(void)
{
	json_t *object;

	ck_assert_int_eq(model_report_json(&model, &likeness, capture.terminal.out, NULL),
			 STATUS_OK);
	object = json_loads(capture_text(&capture), JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(object);
	return object;
}

static void assert_shows(const char *text, const char *wanted)
{
	ck_assert_msg(strstr(text, wanted) != NULL, "no %s in\n%s", wanted, text);
}

/* ---- model_report_text ---- */

START_TEST(text_shows_what_the_file_is)
{
	const char *text;

	start(2, ROUTER_MLP);
	model.mask[1] = true;
	text = print_text();
	assert_shows(text, "file          m.safetensors\n");
	assert_shows(text, "format        micro/1\n");
	assert_shows(text, "heads         2 of dimension 4\n");
	assert_shows(text, "router        mlp with 3 hidden units\n");
	assert_shows(text, "encoder       none:4\n");
	assert_shows(text, "template psi  {context}\\n{prompt}\n");
	assert_shows(text, "train.seed    7\n");
	assert_shows(text, "head  label   masked  mean reward\n"
			   "   0  head 0               0.5000\n"
			   "   1  head 1  masked       0.0000\n");
}
END_TEST

START_TEST(text_of_other_routers_names_only_the_kind)
{
	start(2, ROUTER_LINEAR);
	assert_shows(print_text(), "router        linear\n");
}
END_TEST

START_TEST(few_heads_are_compared_in_a_matrix)
{
	start(3, ROUTER_STATIC);
	model.heads.weight[2] = 1; /* head 2 has something of head 0 */
	head_likeness_free(&likeness);
	ck_assert_int_eq(head_likeness_init(&likeness, &model.heads, NULL), STATUS_OK);
	assert_shows(print_text(), "\ncosine of the weights of two heads: mean 0.2357, max 0.7071\n"
				   "in hundredths:\n"
				   "   0 1  2\n"
				   "0  . 0 71\n"
				   "1  0 .  0\n"
				   "2 71 0  .\n");
}
END_TEST

START_TEST(many_heads_are_compared_by_the_most_alike)
{
	const char *text;

	start(17, ROUTER_STATIC);
	text = print_text();
	assert_shows(text, "most alike      cosine\n"
			   "         0   4  1.0000\n");
	ck_assert_ptr_null(strstr(text, "hundredths"));
}
END_TEST

START_TEST(single_head_is_not_compared)
{
	start(1, ROUTER_STATIC);
	ck_assert_ptr_null(strstr(print_text(), "cosine"));
}
END_TEST

/* ---- model_report_json ---- */

START_TEST(json_has_what_the_file_is)
{
	json_t *object, *wanted;

	start(2, ROUTER_MLP);
	model.mask[1] = true;
	object = print_json();
	wanted = json_pack("{s:s, s:s, s:s, s:i, s:i, s:s, s:{s:s, s:i}, s:{s:s, s:s}, s:[s,s],"
			   " s:[i], s:{s:s}, s:{s:f, s:f, s:[{s:[i,i], s:f}], s:[[f,f],[f,f]]}}",
			   "id", model.id, "version", MICRO_VERSION, "format", "micro/1", "n_heads",
			   2, "dim", 4, "encoder", "none:4", "router", "kind", "mlp", "n_hidden", 3,
			   "templates", "phi", "{response}", "psi", "{context}\n{prompt}", "labels",
			   "head 0", "head 1", "masked", 1, "training", "seed", "7", "similarity",
			   "mean", 0.0, "max", 0.0, "most_alike", "heads", 0, 1, "cosine", 0.0,
			   "matrix", 1.0, 0.0, 0.0, 1.0);
	ck_assert_ptr_nonnull(wanted);
	ck_assert(json_equal(object, wanted));
	json_decref(object);
	json_decref(wanted);
}
END_TEST

START_TEST(json_of_a_single_head_has_null_means)
{
	json_t *object, *similarity;

	start(1, ROUTER_STATIC);
	object = print_json();
	similarity = json_object_get(object, "similarity");
	ck_assert(json_is_null(json_object_get(similarity, "mean")));
	ck_assert(json_is_null(json_object_get(similarity, "max")));
	ck_assert_uint_eq(json_array_size(json_object_get(similarity, "most_alike")), 0);
	json_decref(object);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("model_report");
	TCase *tcase = tcase_create("model_report");

	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_test(tcase, text_shows_what_the_file_is);
	tcase_add_test(tcase, text_of_other_routers_names_only_the_kind);
	tcase_add_test(tcase, few_heads_are_compared_in_a_matrix);
	tcase_add_test(tcase, many_heads_are_compared_by_the_most_alike);
	tcase_add_test(tcase, single_head_is_not_compared);
	tcase_add_test(tcase, json_has_what_the_file_is);
	tcase_add_test(tcase, json_of_a_single_head_has_null_means);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
