/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <jansson.h>

#include "core/tool/train_report.h"
#include "tests/unit/core/capture_fixture.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/unit.h"

static struct capture capture;
static struct dataset dataset;
static struct model model;
static struct train_report report;

static void setup(void)
{
	capture_start(&capture, false, false);
	pairs_two_tastes(5, 4, 1, &dataset);
	pairs_model(2, ROUTER_LINEAR, 0, &model);
	memcpy(model.id, "0123abcd", 9);
	report = (struct train_report){
	    .model = &model, .dataset = &dataset, .out = "m.safetensors", .seconds = 1.25};
}

static void teardown(void)
{
	model_free(&model);
	dataset_free(&dataset);
	capture_end(&capture);
}

static void set_heldout(void)
{
	ck_assert_int_eq(model_set_fact(&model, "train.heldout",
					"{\"n_pairs\":4,\"accuracy\":0.75,\"nll\":0.5}", NULL),
			 STATUS_OK);
}

START_TEST(start_says_what_is_trained_on_what)
{
	struct train_options options;
	struct encoder *encoder;

	train_defaults(OBJECTIVE_PANEL, &options);
	options.n_heads = 2;
	options.router = ROUTER_LINEAR;
	ck_assert_int_eq(encoder_open("none:4", &encoder, NULL), STATUS_OK);
	train_report_start("pairs.jsonl", &dataset, &options, encoder, capture.terminal.out);
	ck_assert_str_eq(capture_text(&capture),
			 "pairs.jsonl: 20 pairs, 5 users, 0 contexts, 40 responses, 1 prompts\n"
			 "2 heads, linear router, encoder none:4, objective panel\n");
	encoder_close(encoder);
}
END_TEST

START_TEST(text_shows_the_models_own_heldout_figures)
{
	set_heldout();
	ck_assert_int_eq(train_report_text(&report, capture.terminal.out, NULL), STATUS_OK);
	ck_assert_str_eq(capture_text(&capture), "m.safetensors: model 0123abcd; held out: "
						 "accuracy 0.7500, NLL 0.5000; 1.2 s\n");
}
END_TEST

START_TEST(text_without_held_out_pairs_has_no_figures)
{
	ck_assert_int_eq(train_report_text(&report, capture.terminal.out, NULL), STATUS_OK);
	ck_assert_str_eq(capture_text(&capture), "m.safetensors: model 0123abcd; 1.2 s\n");
}
END_TEST

START_TEST(json_has_model_path_and_heldout_figures)
{
	json_t *wanted = json_pack("{s:s, s:s, s:i, s:{s:i, s:f, s:f}, s:f}", "model", "0123abcd",
				   "out", "m.safetensors", "n_pairs", 20, "heldout", "n_pairs", 4,
				   "accuracy", 0.75, "nll", 0.5, "seconds", 1.25);
	json_t *object;

	set_heldout();
	ck_assert_int_eq(train_report_json(&report, capture.terminal.out, NULL), STATUS_OK);
	object = json_loads(capture_text(&capture), JSON_REJECT_DUPLICATES, NULL);
	ck_assert(json_equal(object, wanted));
	json_decref(object);
	json_decref(wanted);
}
END_TEST

START_TEST(json_without_held_out_pairs_is_null)
{
	json_t *object;

	ck_assert_int_eq(train_report_json(&report, capture.terminal.out, NULL), STATUS_OK);
	object = json_loads(capture_text(&capture), 0, NULL);
	ck_assert(json_is_null(json_object_get(object, "heldout")));
	json_decref(object);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("train_report");
	TCase *tcase = tcase_create("train_report");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, start_says_what_is_trained_on_what);
	tcase_add_test(tcase, text_shows_the_models_own_heldout_figures);
	tcase_add_test(tcase, text_without_held_out_pairs_has_no_figures);
	tcase_add_test(tcase, json_has_model_path_and_heldout_figures);
	tcase_add_test(tcase, json_without_held_out_pairs_is_null);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
